"""The steps for each kind of meeting: who is told, when, by which channels; and what would happen next."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from litestar import Response, get, post
from litestar.datastructures import FormMultiDict
from litestar.exceptions import NotFoundException
from litestar.status_codes import HTTP_200_OK
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from meetings_server.database import Database
from meetings_server.escalation.rules import (
    EARLIEST,
    LATEST,
    MOST_STEPS,
    About,
    Step,
    Whom,
    back_to_defaults,
    changed_kinds,
    may_set_rules,
    require_rules,
    require_sound,
    rules,
    set_steps,
)
from meetings_server.escalation.steps import people_of, undone
from meetings_server.i18n import _, mark
from meetings_server.mail.invitations import loaded_meeting
from meetings_server.push.telling import By
from meetings_server.reading import read_number
from meetings_server.web.meeting_words import KINDS, word
from meetings_server.web.pages import FormErrors, PageRequest, render, see_other, text_of
from rooms.kernel import DomainError, FieldInvalid, civil_day, utcnow
from rooms.meetings import Meeting, MeetingKind, MeetingState, Participation, visible
from rooms.policies import Actor

PAGE = "/admin/escalation"

WHOM: dict[Whom, str] = {
    Whom.POINT: mark("The point and its unit"),
    Whom.PARENT: mark("The unit above"),
    Whom.CHAIR: mark("The chair"),
    Whom.SECRETARY: mark("The host’s secretaries"),
    Whom.TECHNICIANS: mark("The host’s technicians"),
}
ABOUT: dict[About, str] = {
    About.SILENT: mark("has not checked in"),
    About.LINE_TEST: mark("has not tested the line"),
}
CHANNELS: dict[By, tuple[str, str]] = {
    By.PAGE: (mark("Page"), "bell"),
    By.PUSH: (mark("Device"), "device-mobile"),
    By.MAIL: (mark("Mail"), "mail"),
}


@dataclass(frozen=True, slots=True)
class Foreseen:
    """A step of the next meeting as it would be carried out if things stayed as they are now."""

    step: Step
    at: datetime
    points: int
    people: int


def minutes_text(minutes: int) -> str:
    """`30 minutes before`, `at the start`."""
    if minutes == 0:
        return _("at the start")
    words = _("{minutes} minutes before") if minutes > 0 else _("{minutes} minutes after the start")
    return words.format(minutes=abs(minutes))


def _kind(name: str) -> MeetingKind:
    try:
        return MeetingKind(name)
    except ValueError:
        raise NotFoundException from None


@get(PAGE, include_in_schema=False, sync_to_thread=True)
def rules_page(request: PageRequest, db: Database) -> Response[str]:
    """The steps of every kind."""
    with db.reader() as session:
        return render(
            request,
            "admin/escalation.html",
            kinds=[(kind, word(KINDS, kind), steps) for kind, steps in rules(session).items()],
            changed=changed_kinds(session),
            may_change=may_set_rules(session, request.user.actor, civil_day(utcnow())),
            **_words(),
        )


@get(f"{PAGE}/{{name:str}}", include_in_schema=False, sync_to_thread=True)
def steps_page(request: PageRequest, db: Database, name: str) -> Response[str]:
    with db.reader() as session:
        return _page(request, session, _kind(name), utcnow())


def _page(
    request: PageRequest,
    session: Session,
    kind: MeetingKind,
    now: datetime,
    *,
    typed: Sequence[Mapping[str, str]] | None = None,
    told: FormErrors | None = None,
) -> Response[str]:
    today = civil_day(now)
    actor = request.user.actor
    require_rules(session, actor, today)
    steps = rules(session)[kind]
    meeting, foreseen = _foresee(session, actor, kind, steps, now)
    spare: list[Mapping[str, str]] = [{}] if len(steps) < MOST_STEPS else []
    rows = typed or [*map(_row, steps), *spare]
    return render(
        request,
        "admin/escalation_kind.html",
        status=told.status if told else HTTP_200_OK,
        kind=kind,
        kind_word=word(KINDS, kind),
        rows=rows,
        labels=_labels(len(rows)),
        known=_known(steps),
        errors=told.fields if told else {},
        is_changed=kind in changed_kinds(session),
        meeting=meeting,
        foreseen=foreseen,
        earliest=EARLIEST,
        latest=-LATEST,
        **_words(),
    )


def _labels(rows: int) -> dict[str, str]:
    """What the fields are called where errors are listed."""
    called = {
        "minutes": mark("Step {n}: minutes"),
        "channels": mark("Step {n}: ways"),
        "whom": mark("Step {n}: whom"),
    }
    return {
        f"{name}_{place}": _(text).format(n=place + 1)
        for name, text in called.items()
        for place in range(rows)
    }


def _words() -> dict[str, Any]:
    return {
        "whom_word": lambda whom: _(WHOM[Whom(whom)]),
        "about_word": lambda about: _(ABOUT[About(about)]),
        "minutes_text": minutes_text,
        "WHOM": [(whom.value, _(text)) for whom, text in WHOM.items()],
        "ABOUT": [(about.value, _(text)) for about, text in ABOUT.items()],
        "CHANNELS": [(by.value, _(text), icon) for by, (text, icon) in CHANNELS.items()],
    }


def _row(step: Step) -> dict[str, str]:
    """A step as the fields of its row."""
    row = {
        "number": str(step.number),
        "minutes": str(abs(step.minutes)),
        "side": "after" if step.minutes < 0 else "before",
        "whom": step.whom.value,
        "about": step.about.value,
        "active": "true" if step.active else "",
    }
    return row | {f"by_{by.value}": "true" for by in step.channels}


def _known(steps: Sequence[Step]) -> str:
    """The steps in a few letters: a form that was made from others is refused."""
    return ";".join(
        f"{step.number},{step.minutes},{step.whom},{step.about},"
        f"{''.join(sorted(by[:2] for by in step.channels))},{step.active:d}"
        for step in steps
    )


def _foresee(
    session: Session, actor: Actor, kind: MeetingKind, steps: Sequence[Step], now: datetime
) -> tuple[Meeting | None, list[Foreseen]]:
    """The next meeting of a kind that the actor may see, and what its steps would come to."""
    found = session.scalar(
        select(Meeting.id)
        .where(
            Meeting.kind == kind.value,
            Meeting.state == MeetingState.SCHEDULED.value,
            Meeting.starts_at > now,
            visible(actor, civil_day(now)),
        )
        .order_by(Meeting.starts_at, Meeting.id)
        .limit(1)
    )
    if found is None:
        return None, []
    meeting = loaded_meeting(session, found)
    counts: dict[About, int] = {}
    foreseen = []
    for step in steps:
        if not step.active:
            continue
        points = undone(meeting, step.about)
        if step.about not in counts:
            counting = select(func.count()).select_from(Participation).where(points)
            counts[step.about] = session.scalar(counting) or 0
        people = people_of(step, meeting, points, 0, now).subquery()
        foreseen.append(
            Foreseen(
                step,
                meeting.starts_at - timedelta(minutes=step.minutes),
                counts[step.about],
                session.scalar(select(func.count()).select_from(people)) or 0,
            )
        )
    return meeting, foreseen


@post(f"{PAGE}/{{name:str}}", include_in_schema=False, sync_to_thread=True)
def change_steps(
    request: PageRequest, db: Database, form: FormMultiDict, name: str
) -> Response[str] | Response[None]:
    """Put the steps of the form in place of those of a kind."""
    kind = _kind(name)
    now = utcnow()
    rows = [_typed(form, place) for place in range(MOST_STEPS + 1)]
    rows = [row for row in rows if row["there"]]
    try:
        with db.transaction() as session:
            known = rules(session)[kind]
            if text_of(form, "known") != _known(known):
                known = []
            _set(session, request.user.actor, kind, rows, known, civil_day(now))
    except FieldInvalid as wrong:
        told = FormErrors.of(wrong)
    except DomainError as refusal:
        told = FormErrors.of(refusal)
    else:
        return see_other(f"{PAGE}/{kind.value}", "saved")
    with db.reader() as session:
        return _page(request, session, kind, now, typed=rows, told=told)


def _typed(form: FormMultiDict, place: int) -> dict[str, str]:
    names = ("number", "minutes", "side", "whom", "about", "active", "remove")
    row = {each: text_of(form, f"{each}_{place}").strip() for each in names}
    row |= {f"by_{by.value}": text_of(form, f"by_{by.value}_{place}") for by in By}
    row["there"] = "yes" if f"minutes_{place}" in form else ""
    return row


def _set(
    session: Session,
    actor: Actor,
    kind: MeetingKind,
    rows: Sequence[Mapping[str, str]],
    known: Sequence[Step],
    on: date,
) -> None:
    steps = [
        _step(row, place)
        for place, row in enumerate(rows)
        # The last row is for a new step, and is mostly left empty.
        if not row["remove"] and (row["number"] or row["minutes"])
    ]
    set_steps(session, actor, kind, steps, known, on)


def _step(row: Mapping[str, str], place: int) -> Step:
    minutes = read_number(row["minutes"])
    if minutes is None:
        raise FieldInvalid(f"minutes_{place}", "not_a_number" if row["minutes"] else "missing")
    try:
        whom, about = Whom(row["whom"]), About(row["about"])
    except ValueError:
        raise FieldInvalid(f"whom_{place}", "missing") from None
    step = Step(
        number=read_number(row["number"]) or 0,
        minutes=-minutes if row["side"] == "after" else minutes,
        whom=whom,
        about=about,
        channels=frozenset(by for by in By if row[f"by_{by.value}"]),
        active=bool(row["active"]),
    )
    require_sound(step, place)
    return step


@post(f"{PAGE}/{{name:str}}/defaults", include_in_schema=False, sync_to_thread=True)
def follow_defaults(request: PageRequest, db: Database, name: str) -> Response[None]:
    kind = _kind(name)
    with db.transaction() as session:
        back_to_defaults(session, request.user.actor, kind, civil_day(utcnow()))
    return see_other(f"{PAGE}/{kind.value}", "saved")


HANDLERS = [rules_page, steps_page, change_steps, follow_defaults]
