"""The program: `python -m meetings_server`, and the command `meetings-server`."""

from meetings_server.loading import loading

with loading():
    from meetings_server.cli import main

if __name__ == "__main__":
    main()
