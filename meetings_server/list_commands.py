"""Lists brought in from the command line: units, bridge points and people, CSV or XLSX.

Units come in with the rights of whoever may run the command; points and people with those of an
administrator who is named, so that the record says who it was.
"""

from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import click
from sqlalchemy import select

from meetings_server.command_line import Failure, open_database
from meetings_server.refusals import sentence
from meetings_server.settings import Settings
from rooms.kernel import DomainError, civil_day, utcnow
from rooms.lists import ListNotSound, Plan
from rooms.people import Person, UnknownPerson
from rooms.policies import Actor

MOST_TOLD = 100
"""Faults told one by one; the rest is counted."""

FILE = click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
SHEET = click.option(
    "--sheet", default="", help="Sheet of the workbook, where several hold a list."
)
ZEROS = click.option(
    "--zeros",
    type=click.Choice(["restore", "keep"]),
    help="Put leading zeros back that a spreadsheet has taken away, or keep the codes as they are.",
)
DRY_RUN = click.option("--dry-run", is_flag=True, help="Check only, change nothing.")
BY = click.option("--by", "by", required=True, metavar="USERNAME", help="With whose rights.")


def _options(*options: Callable[..., Any]) -> Callable[..., Any]:
    def with_options(command: Callable[..., Any]) -> Callable[..., Any]:
        for option in reversed(options):
            command = option(command)
        return click.pass_obj(command)

    return with_options


@click.command("import-units")
@click.option(
    "--valid-from",
    type=click.DateTime(["%Y-%m-%d"]),
    help="First day of the new units.  [default: today]",
)
@_options(FILE, SHEET, ZEROS, DRY_RUN)
def import_units(
    settings: Settings,
    file: Path,
    valid_from: date | None,
    sheet: str,
    zeros: str | None,
    *,
    dry_run: bool,
) -> None:
    """Bring in a list of units, CSV or XLSX.

    Columns: code, parent_code, level, kind, name, lat, lon, email, phone. A parent stands in the file or
    exists on the day. Of units that exist the last four columns may change.
    """
    first = date(valid_from.year, valid_from.month, valid_from.day) if valid_from else None
    day = first or civil_day(utcnow())
    plan = _bring_in(settings, "units", file, sheet, zeros, day=day, dry_run=dry_run)
    would = " would be" if dry_run else ""
    click.echo(f"{len(plan.new)} units{would} imported, valid from {day}{_besides(plan)}")


@click.command("import-points")
@_options(FILE, BY, SHEET, ZEROS, DRY_RUN)
def import_points(
    settings: Settings, file: Path, by: str, sheet: str, zeros: str | None, *, dry_run: bool
) -> None:
    """Bring in a list of bridge points, CSV or XLSX.

    Columns: point_id, unit_code, name, address, capacity, endpoint_kind, endpoint_address,
    technician_name, technician_phone, equipment.
    """
    plan = _bring_in(settings, "points", file, sheet, zeros, by=by, dry_run=dry_run)
    would = " would be" if dry_run else ""
    click.echo(f"{len(plan.new)} bridge points{would} imported{_besides(plan)}")


@click.command("import-people")
@_options(FILE, BY, SHEET, ZEROS, DRY_RUN)
def import_people(
    settings: Settings, file: Path, by: str, sheet: str, zeros: str | None, *, dry_run: bool
) -> None:
    """Bring in a list of people, CSV or XLSX; new ones have no password yet.

    Columns: username, name, title, email, phone, unit_code, roles
    (secretary@00004:2026-01-01..2026-12-31; operator@006).
    """
    plan = _bring_in(settings, "people", file, sheet, zeros, by=by, dry_run=dry_run)
    would = " would be" if dry_run else ""
    click.echo(f"{len(plan.new)} people{would} imported{_besides(plan)}")


COMMANDS = (import_units, import_points, import_people)


def _besides(plan: Plan) -> str:
    told = [
        f"{number} {what}"
        for number, what in ((len(plan.changed), "changed"), (plan.unchanged, "unchanged"))
        if number
    ]
    return "".join(f", {each}" for each in told)


def _bring_in(
    settings: Settings,
    name: str,
    file: Path,
    sheet: str,
    zeros: str | None,
    *,
    day: date | None = None,
    by: str = "",
    dry_run: bool,
) -> Plan:
    from meetings_server.web.list_kinds import KINDS
    from rooms.lists.lost_zeros import restored_sheet

    kind = KINDS[name]
    today = civil_day(utcnow())
    database = open_database(settings)
    try:
        table = kind.read(file.read_bytes(), sheet)
        with database.transaction() as session:
            actor = None
            if by:
                person = session.scalar(
                    select(Person).where(Person.username == by.casefold(), Person.active)
                )
                if person is None:
                    raise UnknownPerson(by)
                actor = Actor(person.id, person.name, person.unit_id)
            plan: Plan = kind.plan(session, actor, table, day or today, today, zeros != "keep")
            if zeros == "restore" and plan.lost:
                whole = restored_sheet(table, plan.lost)
                plan = kind.plan(session, actor, whole, day or today, today, True)
            if dry_run:
                plan.require_sound(None)
            else:
                kind.carry_out(session, plan, None)
    except ListNotSound as unsound:
        _tell_faults(file, plan, unsound)
        raise Failure(f"{len(unsound.faults)} faults; nothing was imported") from None
    except DomainError as refusal:
        raise Failure(sentence(refusal)) from None
    return plan


def _tell_faults(file: Path, plan: Plan, unsound: ListNotSound) -> None:
    from meetings_server.web.list_words import fault_text, lost_text

    lost = {(each.line, each.column): each for each in plan.lost}
    for line, column, problem, value in unsound.faults[:MOST_TOLD]:
        found = lost.get((line, column)) if problem == "lost_zeros" else None
        said = lost_text(found) if found else fault_text(problem)
        click.echo(f"{file}:{line}: {column}: {said} {value!r}", err=True)
    if plan.lost:
        click.echo(f"{file}: say --zeros restore or --zeros keep", err=True)
