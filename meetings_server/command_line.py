"""What every command shares: how it fails, and the database it works on."""

import click

from meetings_server import migrations
from meetings_server.database import Database
from meetings_server.settings import Settings


class Failure(click.ClickException):
    """The work failed: one line on standard error, status 1."""

    exit_code = 1

    def show(self, file: object = None) -> None:
        del file
        click.echo(f"meetings-server: {self.message}", err=True)


def open_database(settings: Settings) -> Database:
    """Raises `Failure` unless the database is at the newest revision."""
    database = Database(settings.effective_database_url)
    if migrations.current(database) != migrations.newest():
        raise Failure("the database is not at the newest revision; run: meetings-server migrate")
    return database
