"""A demonstration: real units, invented people, rooms and meetings, one of which runs by itself.

Nothing here is reached by `serve`.
"""

import logging
import shutil
import tempfile
from dataclasses import replace
from pathlib import Path

import click

from meetings_server import migrations
from meetings_server.app import create_app
from meetings_server.database import Database
from meetings_server.demo.day import host_of, meeting_of_the_day
from meetings_server.demo.papers import attach_programme
from meetings_server.demo.people import ACCOUNTS, PASSWORD
from meetings_server.demo.seed import is_seeded, seed
from meetings_server.demo.simulation import simulating
from meetings_server.demo.under_way import seed_under_way
from meetings_server.effects import apply_effects
from meetings_server.mail.claims import keep_all
from meetings_server.serving import run
from meetings_server.settings import Settings
from rooms.catalogue import read_shipped
from rooms.kernel import utcnow

log = logging.getLogger(__name__)


def run_demo(settings: Settings, catalogue: str, data: Path | None, pace: float = 1) -> None:
    """Seed a data folder unless it has been, tell the accounts, and serve.

    Without a folder a temporary one is used and removed at the end. One meeting runs by itself,
    `pace` times as fast as the clock; with 0 nothing moves.
    """
    folder = (data or Path(tempfile.mkdtemp(prefix="meetings-demo-"))).absolute()
    settings = replace(settings, data=folder, database_url="", smtp_url=settings.smtp_url)
    try:
        migrations.migrate(settings.effective_database_url)
        database = Database(settings.effective_database_url, [apply_effects])
        if not is_seeded(database):
            seed(database, read_shipped(catalogue), utcnow(), settings.files)
        meeting = meeting_of_the_day(database, utcnow())
        if meeting is not None:
            with database.reader() as session:
                host = host_of(session, utcnow())
            attach_programme(database, host.actor, meeting, settings.files, utcnow())
            seed_under_way(database, settings, meeting, utcnow())
        # The mails of invented meetings go to the mailbox page, never to a mail server.
        keep_all(database)
        database.dispose()
        app = create_app(settings)
        if meeting is not None and pace > 0:
            app.state.demo_meeting, app.state.demo_pace = meeting, pace
            app.state.also_running = [simulating]
        app.state.demo = True
        app.state.demo_accounts = [
            {"username": account.username, "password": PASSWORD, "label": account.label}
            for account in ACCOUNTS
        ]
        _tell(settings)
        run(settings, app)
    finally:
        if data is None:
            shutil.rmtree(folder, ignore_errors=True)


def _tell(settings: Settings) -> None:
    click.echo(f"\nDemonstration at {settings.effective_public_url}\n")
    click.echo(f"Accounts (password of each: {PASSWORD})")
    for account in ACCOUNTS:
        click.echo(f"  {account.username:<18} {account.label}")
    click.echo("\nStop with Ctrl-C.\n")
