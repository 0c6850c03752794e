"""`tell()`: write into the caller's commit who is told what, by which channels, once.

    tell(session, Telling(
        key=f"help:{call.id}:taken", kind="help", unit_id=meeting.host_unit_id,
        title=mark("Help is coming: {title}"), text=mark("{name} looks after your bridge point."),
        facts={"title": meeting.title, "name": name}, path=f"/check-in/{meeting.id}/{point.id}",
        at=now, person_ids=[…], meeting_id=meeting.id, expires_at=meeting.ends_at))

The same key again tells nobody anything, in whatever process and however much later. Who is told are
rows (`NoticeReader`), from which the deliveries to devices and mail addresses are made: somebody who is
meant for several reasons is there once. All channels of a telling are used; none waits for another.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import ColumnElement, String, cast, func, insert, literal, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from meetings_server.mail.letters import NOTICE, speaking, wording
from meetings_server.mail.outbox import (
    Channel,
    Post,
    ledger_lines,
    write_lines,
    write_message,
)
from meetings_server.push.addressed import People, named
from meetings_server.push.devices import PushDevice
from meetings_server.push.notices import Notice, NoticeReader
from rooms.hierarchy import Unit
from rooms.kernel import civil_day, record
from rooms.notices import MeetingNotice
from rooms.people import Person, Role

MOST_UNITS = 800
"""Units that a live notice names; beyond, it is for all who watch."""
TELLING = "telling"
"""The kind of the live notice: somebody who watches this meeting has something to read."""


class By(StrEnum):
    """A channel."""

    PAGE = "page"
    PUSH = "push"
    MAIL = "mail"
    """To the person's own address; letters to units are the outbox's own affair."""


@dataclass(frozen=True, slots=True)
class Telling:
    """What is to be told. `title`, `text`: msgids with `{facts}`; marked where they are written."""

    key: str
    kind: str
    unit_id: int
    """Who speaks: the host of the meeting."""
    title: str
    text: str
    path: str
    at: datetime
    facts: Mapping[str, Any] = field(default_factory=dict)
    """Texts and numbers; names that end in `_at` are ISO instants and are read as `08:00`."""
    person_ids: Collection[int] = ()
    unit_ids: Collection[int] = ()
    """With `roles`: all who hold one of these roles at one of these very units."""
    roles: Collection[Role] = ()
    channels: Collection[By] = (By.PAGE, By.PUSH)
    meeting_id: int | None = None
    expires_at: datetime | None = None
    """From then on it is neither pushed nor mailed any more."""
    urgent: bool = False
    """Wakes a telephone that saves its battery."""
    device_id: int | None = None
    """To this browser of theirs alone."""
    moment: str = ""
    """Who has been told of another occasion of the same moment is not told of this one."""
    letter: Mapping[str, Any] = field(default_factory=dict)
    """Facts of the letter where it says more than the notice, see `letters`."""
    items: Collection[str] = ()
    """Lines of the letter."""


def tell(session: Session, telling: Telling) -> int:
    """Tell people named one by one, or by role. Returns how many are told."""
    on = civil_day(telling.at)
    return tell_people(
        session, telling, named(telling.person_ids, telling.unit_ids, telling.roles, on)
    )


def tell_people(session: Session, telling: Telling, people: People) -> int:
    """Tell those whom a SELECT of `person_id` and `count` finds: a handful of statements, any number.

    Returns how many are told; 0 where the key has been told before.
    """
    notice_id = _take(session, telling)
    if notice_id is None:
        return 0
    found = people.subquery("people")
    wanted = select(literal(notice_id), found.c.person_id, found.c.count)
    if telling.moment:
        already = (
            select(NoticeReader.person_id)
            .join(Notice, Notice.id == NoticeReader.notice_id)
            .where(Notice.moment == telling.moment)
        )
        wanted = wanted.where(found.c.person_id.not_in(already))
    session.execute(
        insert(NoticeReader).from_select(
            ["notice_id", "person_id", "count"], wanted, include_defaults=False
        )
    )
    told = (
        session.scalar(
            select(func.count())
            .select_from(NoticeReader)
            .where(NoticeReader.notice_id == notice_id)
        )
        or 0
    )
    if told:
        _deliver(session, telling, notice_id)
        if telling.meeting_id is not None and By.PAGE in telling.channels:
            units = units_of_readers(session, NoticeReader.notice_id == notice_id)
            record(session, MeetingNotice(telling.meeting_id, TELLING, units))
    return told


def units_of_readers(session: Session, readers: ColumnElement[bool]) -> list[int] | None:
    """Whose live lines should look: the people's own units; None, which is all, where they are many."""
    units = session.scalars(
        select(Person.unit_id)
        .join(NoticeReader, NoticeReader.person_id == Person.id)
        .where(readers)
        .distinct()
        .order_by(Person.unit_id)
        .limit(MOST_UNITS + 1)
    ).all()
    return list(units) if len(units) <= MOST_UNITS else None


def _take(session: Session, telling: Telling) -> int | None:
    """Put the notice down; None where its key is taken, be it by another process at this moment."""
    notice = Notice(
        key=telling.key,
        kind=telling.kind,
        moment=telling.moment,
        meeting_id=telling.meeting_id,
        unit_id=telling.unit_id,
        title=telling.title,
        text=telling.text,
        facts=dict(telling.facts),
        path=telling.path,
        in_page=By.PAGE in telling.channels,
        created_at=telling.at,
        expires_at=telling.expires_at,
    )
    try:
        with session.begin_nested():
            session.add(notice)
            session.flush()
    except IntegrityError:
        return None
    return notice.id


def _deliver(session: Session, telling: Telling, notice_id: int) -> None:
    if By.PUSH in telling.channels and _has_devices(session, notice_id):
        _insert(session, telling, _write(session, telling, By.PUSH), notice_id, Channel.PUSH)
    if By.MAIL in telling.channels:
        _insert(session, telling, _write(session, telling, By.MAIL), notice_id, Channel.MAIL)


def _write(session: Session, telling: Telling, channel: By) -> int:
    """The message in the outbox. A letter has its own facts where it says more than the notice."""
    is_letter = channel is By.MAIL and bool(telling.letter)
    host = session.get_one(Unit, telling.unit_id)
    notice = {
        "told": [telling.title, telling.text, dict(telling.facts)],
        "path": telling.path,
        "urgent": telling.urgent,
        "host": host.name,
        "host_address": host.email or "",
        "host_phone": host.phone or "",
        # What the letters of a meeting and the subject of any letter ask for.
        "title": telling.facts.get("title", ""),
    }
    return write_message(
        session,
        Post(
            key=f"{channel.value}:{telling.key}",
            kind=telling.kind if is_letter else NOTICE,
            unit_id=telling.unit_id,
            subject=in_vietnamese(telling.title, telling.facts),
            facts=dict(telling.letter) if is_letter else notice,
            at=telling.at,
            meeting_id=telling.meeting_id,
            expires_at=telling.expires_at,
        ),
    )


def _has_devices(session: Session, notice_id: int) -> bool:
    return (
        session.scalar(
            select(PushDevice.id)
            .join(NoticeReader, NoticeReader.person_id == PushDevice.person_id)
            .where(NoticeReader.notice_id == notice_id)
            .limit(1)
        )
        is not None
    )


def _insert(
    session: Session, telling: Telling, message_id: int, notice_id: int, channel: Channel
) -> None:
    """A line of the ledger for each reader, or for each device of theirs."""
    of_device = channel is Channel.PUSH
    recipient = (
        literal("device:").concat(cast(PushDevice.id, String))
        if of_device
        else literal("person:").concat(cast(Person.id, String))
    )
    rows = (
        ledger_lines(
            telling.at,
            message_id=literal(message_id),
            recipient=recipient,
            name=Person.name,
            # Whoever knows the address of a device can push to it: it stays out of the ledger.
            address=literal("") if of_device else func.coalesce(Person.email, ""),
            language=Person.locale,
            own={"items": list(telling.items)} if telling.items and not of_device else None,
            by_mail=not of_device,
            channel=literal(channel.value),
            points=NoticeReader.count,
        )
        .select_from(NoticeReader)
        .join(Person, Person.id == NoticeReader.person_id)
        .where(NoticeReader.notice_id == notice_id)
        .order_by(Person.id)
    )
    if of_device:
        rows = rows.join(PushDevice, PushDevice.person_id == Person.id)
    if telling.device_id is not None:
        rows = rows.where(PushDevice.id == telling.device_id)
    write_lines(session, rows)


def in_vietnamese(message: str, facts: Mapping[str, Any]) -> str:
    """As the ledger shows it, whoever looks."""
    with speaking("vi"):
        return wording(message, {"count": 0, **facts})
