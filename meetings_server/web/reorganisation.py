"""Reorganisations: the list, a new plan, what it would do, applying it, taking it back."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from litestar import Response, get, post
from litestar.datastructures import FormMultiDict, UploadFile
from litestar.status_codes import HTTP_200_OK, HTTP_422_UNPROCESSABLE_ENTITY
from sqlalchemy import select
from sqlalchemy.orm import Session

from meetings_server.database import Database
from meetings_server.errors import sentence, status_of
from meetings_server.i18n import _
from meetings_server.reading import read_day
from meetings_server.reorganising import Standing, reorganising
from meetings_server.web.pages import PageRequest, fragment, render, see_other, text_of
from meetings_server.web.reorganisation_words import (
    STAGES,
    STATES,
    WARNINGS,
    Report,
    apply_text,
    confirm_text,
    fault_text,
    report_of,
)
from meetings_server.web.units import WORDS
from rooms.catalogue import parse_units, read_shipped, shipped
from rooms.catalogue.successions import PREFIX, parse_successions, read_shipped_plan, shipped_plans
from rooms.directory import root_lines
from rooms.hierarchy import UnitsNotSound
from rooms.kernel import DomainError, FieldInvalid, civil_day, utcnow
from rooms.meetings import Meeting
from rooms.people import Person
from rooms.policies import Actor, NotPermitted, Permission, require
from rooms.reorganisation import (
    Plan,
    PlanNotSound,
    ReaimedMeeting,
    ReorganisationState,
    apply,
    discard_plan,
    keep_plan,
    make_plan,
    preview,
    reorganisation_by_id,
    reorganisations,
    take_back,
)

LARGEST = 5 * 1024 * 1024
MOST_FAULTS = 200
LONGEST_NAME = 200
POLL_SECONDS = 1
FIELDS = ("name", "day", "source")
UPLOAD = "upload"


@dataclass(frozen=True, slots=True)
class Fault:
    """A faulty cell of one of the files. Line 1 is the head."""

    file: str
    line: int
    column: str
    said: str
    value: str


@dataclass
class Typed:
    """What was typed into the form of a new plan, and what is wrong with it."""

    values: dict[str, str]
    errors: dict[str, list[str]] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)
    more_faults: int = 0

    def refuse(self, place: str, text: str) -> None:
        self.errors.setdefault(place, []).append(text)


def _require_somewhere(request: PageRequest) -> None:
    if Permission.UNIT_WRITE not in request.user.rights:
        raise NotPermitted(Permission.UNIT_WRITE.value, request.user.unit_name)


def _admit(session: Session, actor: Actor) -> None:
    """A plan concerns everybody: only who governs the whole tree sees it."""
    today = civil_day(utcnow())
    for root in root_lines(session, today):
        require(session, actor, Permission.UNIT_WRITE, root.id, today)


@get("/admin/reorganisation", include_in_schema=False, sync_to_thread=True)
def list_page(request: PageRequest, db: Database) -> Response[str]:
    """All plans, the latest day first."""
    _require_somewhere(request)
    with db.reader() as session:
        _admit(session, request.user.actor)
        return render(
            request,
            "reorganisation/index.html",
            rows=reorganisations(session),
            states=STATES,
        )


def source_of(plan: str) -> str:
    """The shipped list of units that a shipped plan leads to: `hanoi-2025-07` for one.

    `reorganisation-hanoi-2025-07-01` names it and the day.
    """
    wanted = plan.removeprefix(PREFIX)
    return next((name for name in shipped() if wanted.startswith(name)), "")


def _form(request: PageRequest, typed: Typed) -> Response[str]:
    plans = [plan for plan in shipped_plans() if source_of(plan)]
    return render(
        request,
        "reorganisation/new.html",
        status=HTTP_422_UNPROCESSABLE_ENTITY if typed.errors or typed.faults else HTTP_200_OK,
        values=typed.values,
        errors=typed.errors,
        faults=typed.faults,
        more_faults=typed.more_faults,
        sources=[(plan, _("Shipped: {name}").format(name=plan)) for plan in plans]
        + [(UPLOAD, _("Two files of one's own"))],
        today=civil_day(utcnow()),
        largest=LARGEST // 1024**2,
    )


@get("/admin/reorganisation/new", include_in_schema=False, sync_to_thread=True)
def new_page(request: PageRequest, db: Database) -> Response[str]:
    _require_somewhere(request)
    with db.reader() as session:
        _admit(session, request.user.actor)
    return _form(request, Typed({"name": "", "day": "", "source": UPLOAD}))


@post("/admin/reorganisation/new", include_in_schema=False, sync_to_thread=True)
def keep(request: PageRequest, form: FormMultiDict, db: Database) -> Response[Any]:
    """Keep a sound plan and go to its preview; nothing is changed by it."""
    _require_somewhere(request)
    typed = Typed({name: text_of(form, name).strip() for name in FIELDS})
    day = read_day(typed.values["day"])
    if day is None:
        problem = "not_a_date" if typed.values["day"] else "missing"
        typed.refuse("day", sentence(FieldInvalid("day", problem)))
    plan = _plan(form, typed)
    if plan is None or day is None or typed.errors:
        return _form(request, typed)
    name = typed.values["name"][:LONGEST_NAME] or _("Reorganisation of {day}").format(
        day=f"{day:%d/%m/%Y}"
    )
    try:
        with db.transaction() as session:
            _admit(session, request.user.actor)
            kept = keep_plan(session, request.user.actor, name, plan, day, utcnow())
            kept_id = kept.id
    except (PlanNotSound, UnitsNotSound) as unsound:
        place = "successions" if isinstance(unsound, PlanNotSound) else "units"
        _list_faults(typed, place, unsound.problems)
        return _form(request, typed)
    except NotPermitted:
        raise
    except DomainError as refusal:
        typed.refuse("day" if "day" in refusal.code else "", sentence(refusal))
        return _form(request, typed)
    return see_other(f"/admin/reorganisation/{kept_id}", "reorganisation_kept")


def _plan(form: FormMultiDict, typed: Typed) -> Plan | None:
    """The plan that was chosen or sent; None with the reasons in `typed`."""
    source = typed.values["source"]
    if source != UPLOAD:
        if source not in shipped_plans() or not source_of(source):
            typed.refuse("source", sentence(FieldInvalid("source", "unknown", source[:40])))
            return None
        return make_plan(read_shipped(source_of(source)), read_shipped_plan(source))
    units = _file(form, typed, "units")
    successions = _file(form, typed, "successions")
    if units is None or successions is None:
        return None
    read: list[Any] = []
    for place, parse, content in (
        ("units", parse_units, units),
        ("successions", parse_successions, successions),
    ):
        try:
            read.append(parse(content))
        except (PlanNotSound, UnitsNotSound) as unsound:
            _list_faults(typed, place, unsound.problems)
        except DomainError as refusal:
            typed.refuse(place, sentence(refusal))
    return make_plan(*read) if len(read) == len(("units", "successions")) else None


def _file(form: FormMultiDict, typed: Typed, name: str) -> bytes | None:
    upload: Any = form.get(name)
    if not isinstance(upload, UploadFile) or not upload.filename:
        typed.refuse(name, _("Choose a file, CSV or XLSX."))
        return None
    content: bytes = upload.file.read(LARGEST + 1)
    if len(content) > LARGEST:
        typed.refuse(
            name,
            _("The file is too large; it may have {megabytes} MB.").format(
                megabytes=LARGEST // 1024**2
            ),
        )
        return None
    return content


def _list_faults(typed: Typed, place: str, problems: list[tuple[int, str, str, str]]) -> None:
    ordered = sorted(problems)
    typed.faults += [
        Fault(place, line, column, fault_text(problem), value)
        for line, column, problem, value in ordered[:MOST_FAULTS]
    ]
    typed.more_faults += max(len(ordered) - MOST_FAULTS, 0)


def _page(
    request: PageRequest,
    session: Session,
    reorganisation_id: int,
    *,
    status: int = HTTP_200_OK,
    errors: Mapping[str, list[str]] | None = None,
) -> Response[str]:
    """The page of a plan, by what has become of it."""
    # Before anything is read of the plan: a run that ended in between would be over while the plan is
    # still read as it was, and a page that shows neither waits for nothing.
    standing = reorganising(request.app).standing(session, reorganisation_id)
    actor = request.user.actor
    _admit(session, actor)
    now = utcnow()
    found = reorganisation_by_id(session, reorganisation_id)
    planned = found.state == ReorganisationState.PLANNED.value
    running = planned and standing is not None and standing.running
    refused: dict[str, list[str]] = dict(errors or {})
    report: Report | None = None
    if planned and not running:
        try:
            report = report_of(session, preview(session, actor, found.read_plan(), found.day, now))
        except NotPermitted:
            raise
        except DomainError as refusal:
            # What was sound when it was kept may have been overtaken: the page says by what.
            refused.setdefault("", []).append(sentence(refusal))
    return render(
        request,
        "reorganisation/show.html",
        status=status,
        plan=found,
        state_word=_(STATES[found.state]),
        applier=_name(session, found.applied_by),
        withdrawer=_name(session, found.taken_back_by),
        shifts=[] if planned else _shifts(session, found.id),
        one_day=timedelta(days=1),
        standing=standing if planned else None,
        running=running,
        poll_seconds=POLL_SECONDS,
        stage_word=_stage,
        report=report,
        apply_text=apply_text(report, found.day) if report else "",
        confirm_text=confirm_text(report, found.day, civil_day(now)) if report else "",
        may_take_back=found.state == ReorganisationState.APPLIED.value
        and civil_day(now) < found.day,
        warnings=WARNINGS,
        errors=refused,
        **WORDS,
    )


def _name(session: Session, person_id: int | None) -> str:
    """Who did it; by command nobody."""
    return session.get_one(Person, person_id).name if person_id is not None else ""


def _shifts(session: Session, reorganisation_id: int) -> list[tuple[ReaimedMeeting, Meeting]]:
    """The meetings that it re-aimed, each with how it was and what it came to."""
    rows = session.execute(
        select(ReaimedMeeting, Meeting)
        .join(Meeting, Meeting.id == ReaimedMeeting.meeting_id)
        .where(ReaimedMeeting.reorganisation_id == reorganisation_id)
        .order_by(Meeting.starts_at, Meeting.id)
    )
    return [(shift, meeting) for shift, meeting in rows]


def _stage(standing: Standing) -> str:
    return _(STAGES[standing.stage]) if standing.stage in STAGES else _("Getting ready")


@get("/admin/reorganisation/{reorganisation_id:int}", include_in_schema=False, sync_to_thread=True)
def plan_page(request: PageRequest, db: Database, reorganisation_id: int) -> Response[str]:
    _require_somewhere(request)
    with db.reader() as session:
        return _page(request, session, reorganisation_id)


@get(
    "/admin/reorganisation/{reorganisation_id:int}/progress",
    include_in_schema=False,
    sync_to_thread=True,
)
def progress_part(request: PageRequest, db: Database, reorganisation_id: int) -> Response[str]:
    """How far it has come; without `data-running` the page is to be loaded again."""
    _require_somewhere(request)
    with db.reader() as session:
        standing = reorganising(request.app).standing(session, reorganisation_id)
        _admit(session, request.user.actor)
        found = reorganisation_by_id(session, reorganisation_id)
        planned = found.state == ReorganisationState.PLANNED.value
        return fragment(
            "reorganisation/progress.html",
            standing=standing,
            running=planned and standing is not None and standing.running,
            stage_word=_stage,
        )


@post(
    "/admin/reorganisation/{reorganisation_id:int}/apply",
    include_in_schema=False,
    sync_to_thread=True,
    status_code=HTTP_200_OK,
)
def start(request: PageRequest, db: Database, reorganisation_id: int) -> Response[Any]:
    """Begin to apply a plan; the page then shows how far that has come."""
    _require_somewhere(request)
    actor, now = request.user.actor, utcnow()
    point_name = _("Bridge point {unit}")
    try:
        with db.reader() as session:
            _admit(session, actor)
            found = reorganisation_by_id(session, reorganisation_id)
            name, day, plan = found.name, found.day, found.read_plan()
            # A refusal that can be known at once is told at once.
            preview(session, actor, plan, day, now)
        reorganising(request.app).start(
            reorganisation_id,
            lambda session, progress: apply(
                session,
                actor,
                plan,
                day,
                utcnow(),
                name=name,
                point_name=point_name,
                kept_id=reorganisation_id,
                progress=progress,
            ),
        )
    except NotPermitted:
        raise
    except DomainError as refusal:
        return _refused(request, db, reorganisation_id, refusal)
    return see_other(f"/admin/reorganisation/{reorganisation_id}")


def _undone(
    request: PageRequest,
    db: Database,
    reorganisation_id: int,
    act: Callable[[Session, Actor, int, datetime], object],
) -> Response[Any] | None:
    """Take a plan back or throw it away; the page with what is wrong where that cannot be."""
    _require_somewhere(request)
    try:
        with db.transaction() as session:
            _admit(session, request.user.actor)
            act(session, request.user.actor, reorganisation_id, utcnow())
    except NotPermitted:
        raise
    except DomainError as refusal:
        return _refused(request, db, reorganisation_id, refusal)
    return None


def _refused(
    request: PageRequest, db: Database, reorganisation_id: int, refusal: DomainError
) -> Response[Any]:
    with db.reader() as session:
        return _page(
            request,
            session,
            reorganisation_id,
            status=status_of(refusal),
            errors={"": [sentence(refusal)]},
        )


@post(
    "/admin/reorganisation/{reorganisation_id:int}/take-back",
    include_in_schema=False,
    sync_to_thread=True,
    status_code=HTTP_200_OK,
)
def withdraw(request: PageRequest, db: Database, reorganisation_id: int) -> Response[Any]:
    refused = _undone(request, db, reorganisation_id, take_back)
    here = f"/admin/reorganisation/{reorganisation_id}"
    return refused or see_other(here, "reorganisation_taken_back")


@post(
    "/admin/reorganisation/{reorganisation_id:int}/discard",
    include_in_schema=False,
    sync_to_thread=True,
    status_code=HTTP_200_OK,
)
def forget(request: PageRequest, db: Database, reorganisation_id: int) -> Response[Any]:
    refused = _undone(request, db, reorganisation_id, discard_plan)
    return refused or see_other("/admin/reorganisation", "reorganisation_discarded")


HANDLERS = [forget, keep, list_page, new_page, plan_page, progress_part, start, withdraw]
