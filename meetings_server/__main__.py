"""`python -m meetings_server`."""

from meetings_server.cli import main

main()
