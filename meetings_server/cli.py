"""The program `meetings-server`.

Each command ends with 0 on success, 1 where the work failed, 2 where the call was wrong, and says in
one line on standard error what to do about it.
"""

import getpass
import logging
import os
import platform
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Any

import click
from sqlalchemy import select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from meetings_server import migrations
from meetings_server.command_line import Failure, open_database
from meetings_server.i18n import DEFAULT_LANGUAGE, current_language
from meetings_server.identity.passwords import set_password
from meetings_server.identity.tokens import ALL_SCOPES, SCOPES
from meetings_server.identity.tokens import create_token as new_token
from meetings_server.list_commands import COMMANDS as LIST_COMMANDS
from meetings_server.loading import loading
from meetings_server.refusals import sentence
from meetings_server.settings import SettingInvalid, Settings, read_settings
from rooms.auditing import Doer, Login, acting, audited
from rooms.hierarchy import UnitsNotSound, unit_by_code
from rooms.kernel import DomainError, civil_day, utcnow
from rooms.people import NewPerson, Person, Role, UnknownPerson, add_person, grant_role
from rooms.reorganisation import PlanNotSound

log = logging.getLogger(__name__)

DAY = click.DateTime(["%Y-%m-%d"])


class Program(click.Group):
    """A group whose commands say in one line what disk, database or network refused them."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except OSError as refused:
            log.debug("the command failed", exc_info=refused)
            where = f"{refused.filename}: " if refused.filename else ""
            raise Failure(f"{where}{refused.strerror or refused}") from None
        except DBAPIError as refused:
            log.debug("the command failed", exc_info=refused)
            said = str(refused.orig).strip().splitlines() or [type(refused.orig).__name__]
            raise Failure(f"the database cannot be used: {said[0].strip()}") from None


def _who_and_where() -> str:
    """Account and machine, `root@meetings`: what a command does is done by whoever may run it."""
    try:
        return f"{getpass.getuser()}@{platform.node()}"
    except (KeyError, OSError):
        # A container may run under a number that no account has.
        return platform.node()


@click.group(cls=Program, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="meetings-server")
@click.pass_context
def program(context: click.Context) -> None:
    """Schedule wide-area video meetings and see who is there."""
    current_language.set("en")
    context.with_resource(
        acting(Doer(None, context.invoked_subcommand or "", None, Login.COMMAND, _who_and_where()))
    )
    try:
        context.obj = read_settings(os.environ)
    except SettingInvalid as wrong:
        raise click.UsageError(str(wrong)) from None
    logging.getLogger("alembic").setLevel(logging.WARNING)
    logging.basicConfig(
        level=context.obj.log_level.upper(),
        format="%(asctime)s %(levelname)s %(name)s: %(message)s",
    )


@contextmanager
def progress_line() -> Iterator[Callable[[str, int, int], None]]:
    """Tells on a terminal how far long work has come, on one line that is gone at the end."""
    shown = sys.stderr.isatty()

    def tell(what: str, done: int, total: int) -> None:
        if shown:
            click.echo(f"\r\x1b[K{what}: {done} / {total}", nl=False, err=True)

    try:
        yield tell
    finally:
        if shown:
            click.echo("\r\x1b[K", nl=False, err=True)


@program.command()
@click.option("--host", help="Address to listen on.  [default: MEETINGS_HOST]")
@click.option("--port", type=click.IntRange(1, 65535), help="Port to listen on.")
@click.pass_obj
def serve(settings: Settings, host: str | None, port: int | None) -> None:
    """Serve the pages, the API and the live boards."""
    with loading():
        from meetings_server.serving import run, with_address

    current_language.set(DEFAULT_LANGUAGE)
    migrations.migrate(settings.effective_database_url)
    run(with_address(settings, host, port))


@program.command()
@click.option("--host", help="Address to listen on.")
@click.option("--port", type=click.IntRange(1, 65535), help="Port to listen on.")
@click.option("--catalogue", default="hanoi-2021", show_default=True, help="Units to begin with.")
@click.option(
    "--data", type=click.Path(path_type=Path), help="Folder of the data; a fresh one otherwise."
)
@click.option("--pace", type=click.FloatRange(0, 1000), default=1.0, hidden=True)
@click.pass_obj
def demo(
    settings: Settings,
    host: str | None,
    port: int | None,
    catalogue: str,
    data: Path | None,
    pace: float,
) -> None:
    """Serve a demonstration: real units, invented people, one meeting that runs by itself."""
    with loading():
        from meetings_server.demo import run_demo
        from meetings_server.serving import with_address

    current_language.set(DEFAULT_LANGUAGE)
    run_demo(with_address(settings, host, port), catalogue, data, pace)


@program.command()
@click.pass_obj
def migrate(settings: Settings) -> None:
    """Bring the database to the newest revision; safe to run again."""
    migrations.migrate(settings.effective_database_url)
    click.echo(f"at revision {migrations.newest()}")


for command in LIST_COMMANDS:
    program.add_command(command)


@program.command()
@click.argument("plan")
@click.option("--units", required=True, help="The list of all units from that day on.")
@click.option("--on", "on", type=DAY, required=True, help="The day from which it holds.")
@click.option("--name", default="", help="What it is called.  [default: the name of PLAN]")
@click.option("--dry-run", is_flag=True, help="Show what would be done, change nothing.")
@click.option(
    "--backdated", is_flag=True, help="Let the day have passed: to set up what has happened before."
)
@click.pass_obj
def reorganise(
    settings: Settings,
    plan: str,
    units: str,
    on: date,
    name: str,
    *,
    dry_run: bool,
    backdated: bool,
) -> None:
    """Reorganise the units on a day: PLAN says which old unit goes to which new one.

    PLAN (old_code, new_code, extent, main_successor) and the list of units are files, CSV or XLSX, or
    names of the catalogue, such as reorganisation-hanoi-2025-07-01 and hanoi-2025-07.
    """
    from meetings_server.reorganise_command import (
        NoSuchPlan,
        apply_plan,
        faults_of,
        read_plan,
        show,
    )

    day = _as_day(on)
    try:
        read = read_plan(plan, units)
        database = open_database(settings)
        if dry_run:
            with database.reader() as session:
                for line in show(session, read, day):
                    click.echo(line)
            return
        with progress_line() as tell:
            counts = apply_plan(
                database, read, day, name or Path(plan).stem, tell, backdated=backdated
            )
    except NoSuchPlan as unknown:
        raise click.UsageError(
            f"no file {unknown.name!r}; the catalogue has {', '.join(unknown.known)}"
        ) from None
    except (UnitsNotSound, PlanNotSound) as unsound:
        for line in faults_of(unsound, plan, units):
            click.echo(line, err=True)
        raise Failure(f"{len(unsound.problems)} faults; nothing was changed") from None
    except DomainError as refusal:
        raise Failure(sentence(refusal)) from None
    click.echo(
        f"reorganised from {day}: "
        + ", ".join(f"{count} {what.replace('_', ' ')}" for what, count in counts.items() if count)
    )


@program.command("create-user")
@click.argument("username")
@click.option("--name", required=True, help="Full name.")
@click.option("--unit", required=True, help="Code of the unit, for example 01.")
@click.option("--role", type=click.Choice([role.value for role in Role]), required=True)
@click.option("--title", default="", help="Office held.")
@click.option("--email", help="Mail address.")
@click.option(
    "--password-stdin", is_flag=True, help="Read the password from standard input, not a prompt."
)
@click.pass_obj
def create_user(
    settings: Settings,
    username: str,
    name: str,
    unit: str,
    role: str,
    title: str,
    email: str | None,
    *,
    password_stdin: bool,
) -> None:
    """Make an account with a role at a unit and everything below it."""
    if password_stdin:
        password = sys.stdin.readline().rstrip("\n")
    else:
        password = click.prompt("Password", hide_input=True, confirmation_prompt=True)
    now = utcnow()
    today = civil_day(now)
    try:
        with open_database(settings).transaction() as session:
            home = unit_by_code(session, unit, today)
            person = add_person(session, NewPerson(username, name, title, email), home.id, today)
            grant_role(session, person.id, Role(role), home.id, today)
            set_password(session, person.id, password, now)
            click.echo(f"{person.username} is {role} at {home.name}")
    except DomainError as refusal:
        raise Failure(sentence(refusal)) from None


@program.command("create-token")
@click.argument("username")
@click.option("--name", default="command line", show_default=True, help="What the token is for.")
@click.option("--days", default=365, show_default=True, type=int, help="Days until it ends.")
@click.option(
    "--scope",
    "scopes",
    multiple=True,
    type=click.Choice(SCOPES),
    metavar="SCOPE",
    help=f"What it opens; may be given several times.  [default: everything; of {', '.join(SCOPES)}]",
)
@click.pass_obj
def create_token(
    settings: Settings, username: str, name: str, days: int, scopes: tuple[str, ...]
) -> None:
    """Make an API token for a person; it is printed once and cannot be shown again."""
    try:
        with open_database(settings).transaction() as session:
            person = _active_person(session, username)
            click.echo(new_token(session, person.id, name, utcnow(), days, scopes or ALL_SCOPES))
    except DomainError as refusal:
        raise Failure(sentence(refusal)) from None


@program.command("reset-second-factor")
@click.argument("username")
@click.pass_obj
def reset_second_factor(settings: Settings, username: str) -> None:
    """Take somebody's second factor away: the telephone is lost, and nobody else can help."""
    from meetings_server.identity.locking_out import remove_second_factor
    from meetings_server.identity.sessions import end_all_sessions

    try:
        with open_database(settings).transaction() as session:
            person = _active_person(session, username)
            there = remove_second_factor(session, person.id)
            end_all_sessions(session, person.id)
    except DomainError as refusal:
        raise Failure(sentence(refusal)) from None
    if not there:
        raise Failure(f"{person.username} has no second factor; nothing to reset")
    click.echo(f"the second factor of {person.username} is gone, all logins have ended")


def _active_person(session: Session, username: str) -> Person:
    """Raises `UnknownPerson`."""
    person = session.scalar(
        select(Person).where(Person.username == username.casefold(), Person.active)
    )
    if person is None:
        raise UnknownPerson(username)
    return person


@program.command()
@click.option(
    "--files", "all_files", is_flag=True, help="Read every stored file, not the newest hundred."
)
@click.option(
    "--audit-head",
    metavar="NUMBER:HASH",
    help="A head of the record of changes that was written down earlier: must still be in it.",
)
@click.pass_obj
def doctor(settings: Settings, audit_head: str | None, *, all_files: bool) -> None:
    """Look for what would keep the server from working, and say what to do."""
    from meetings_server.audit.chain import read_head
    from meetings_server.doctor import examine

    try:
        noted = read_head(audit_head) if audit_head else None
    except ValueError as wrong:
        raise click.BadParameter(str(wrong), param_hint="--audit-head") from None
    healthy = True
    with progress_line() as tell:
        for finding in examine(
            settings,
            all_files=all_files,
            noted=noted,
            tell=lambda done, total: tell("record of changes", done, total),
        ):
            healthy = healthy and finding.sound
            if sys.stderr.isatty():
                click.echo("\r\x1b[K", nl=False, err=True)
            click.echo(f"{'ok  ' if finding.sound else 'FAIL'} {finding.what}: {finding.found}")
    if not healthy:
        raise Failure("not healthy; see the lines marked FAIL")


@program.command()
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.pass_obj
def backup(settings: Settings, file: Path) -> None:
    """Save all tables and documents in one new FILE (a ZIP) while the server goes on working."""
    from meetings_server.backups import write_backup

    database = open_database(settings)
    if not file.exists():
        # Everything leaves: before it does, the record says so, also the one that is saved.
        with database.transaction() as session:
            audited(session, "backup", "backup", after={"file": file.name})
    with progress_line() as tell:
        try:
            saved = write_backup(database, settings.files, file, utcnow(), tell)
        except FileExistsError:
            raise Failure(f"{file} exists already; name a new file") from None
    rows = sum(saved.tables.values())
    click.echo(f"{file}: {rows} rows of {len(saved.tables)} tables, {len(saved.files)} documents")
    if saved.lost:
        raise Failure(
            f"saved, but {len(saved.lost)} documents are missing or damaged on this server; "
            "run: meetings-server doctor --files"
        )


@program.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--dry-run", is_flag=True, help="Check that the file is whole, change nothing.")
@click.pass_obj
def restore(settings: Settings, file: Path, *, dry_run: bool) -> None:
    """Bring an empty database and the data folder to what a backup FILE holds."""
    from meetings_server.backups import restore_backup

    try:
        with progress_line() as tell:
            found = restore_backup(
                settings.effective_database_url, settings.files, file, tell, dry_run=dry_run
            )
    except DomainError as refusal:
        raise Failure(sentence(refusal)) from None
    rows = sum(found.tables.values())
    click.echo(
        f"{'whole' if dry_run else 'restored'}: {rows} rows of {len(found.tables)} tables, "
        f"{len(found.files)} documents, saved {found.made_at:%Y-%m-%d %H:%M} UTC"
    )


def _as_day(value: date | None) -> date:
    if value is None:
        return civil_day(utcnow())
    return date(value.year, value.month, value.day)


def main() -> None:
    """Entry point; a refused call ends with 2, failed work with 1."""
    program(prog_name="meetings-server")
