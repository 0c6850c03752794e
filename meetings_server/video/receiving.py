"""What is done with a request of a video system, from its signature to the check-ins that follow from it.

Three steps: the events are kept in one transaction, with the point that each is about; the check-ins go to
the one writer; what became of them is noted. Whoever sends the same request again gets 409; whoever sends
the same events again, signed anew because the answer was lost, is told that they came before, and what the
server had not finished is finished then.
"""

from collections.abc import Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256
from typing import ClassVar

import msgspec
from litestar import Litestar
from sqlalchemy import delete
from sqlalchemy.orm import Session

from meetings_server.database import Database
from meetings_server.identity.sealing import Seal, SealBroken
from meetings_server.live.running import COMMIT_SECONDS, Live
from meetings_server.settings import Settings
from meetings_server.video.formats import EventsUnreadable, read_events, zoom_challenge
from meetings_server.video.signing import TOLERANCE, Unsigned, verify
from rooms.kernel import Conflict, DomainError, civil_day
from rooms.video_events import hear, settle
from rooms.video_people import Heard
from rooms.video_rooms import ASSIGNED
from rooms.video_systems import (
    ERROR_EVERY,
    VideoConnection,
    VideoFormat,
    VideoRequest,
    connection_by_key,
    note_error,
    secrets_of,
)

PURPOSE = "video connection"
"""For which the secrets are sealed."""


@dataclass
class RequestReplayed(Conflict):
    """A request with this very signature came before."""

    code: ClassVar[str] = "request_replayed"


class EventOut(msgspec.Struct):
    """What became of an event: `taken`, or why nothing follows from it."""

    id: str
    outcome: str
    meeting: int | None = None
    point: int | None = None


@dataclass(slots=True)
class Received:
    """The answer to a request."""

    events: list[EventOut] = field(default_factory=list)
    challenge: dict[str, str] | None = None


def seal_of(settings: Settings) -> Seal:
    return Seal(settings.effective_secret(), PURPOSE)


def receive(
    app: Litestar, key: str, headers: Mapping[str, str], body: bytes, now: datetime
) -> Received:
    """Raises `UnknownVideoConnection`, `Unsigned`, `RequestReplayed`, `EventsUnreadable`."""
    db: Database = app.state.database
    seal = seal_of(app.state.settings)
    try:
        signature, challenge = _verified(db, seal, key, headers, body, now)
        if challenge is not None:
            return Received(challenge=challenge)
        return Received(_take(app, db, key, signature, body, now))
    except (Unsigned, EventsUnreadable, RequestReplayed) as wrong:
        _remember_error(db, key, wrong.code, now)
        raise


def _verified(
    db: Database, seal: Seal, key: str, headers: Mapping[str, str], body: bytes, now: datetime
) -> tuple[str, dict[str, str] | None]:
    """The signature. Nothing is locked or written for a request that nobody has signed."""
    with db.reader() as session:
        connection = connection_by_key(session, key)
        secrets = _opened(seal, connection, now)
        signature = verify(connection.format, secrets, headers, body, now)
        if connection.format == VideoFormat.ZOOM:
            return signature, zoom_challenge(body, secrets[0])
    return signature, None


def _opened(seal: Seal, connection: VideoConnection, now: datetime) -> list[str]:
    opened = []
    for sealed in secrets_of(connection, now):
        try:
            opened.append(seal.open(sealed))
        except SealBroken:
            # Sealed under another secret of the server: it has to be made anew.
            continue
    return opened


def _take(
    app: Litestar, db: Database, key: str, signature: str, body: bytes, now: datetime
) -> list[EventOut]:
    digest = sha256(signature.encode()).hexdigest()
    with db.transaction() as session:
        # Requests of one connection follow one another: two may bring the same participant.
        connection = connection_by_key(session, key, locked=True)
        _claim(session, connection, digest, now)
        said = read_events(connection.format, body)
        heard = hear(session, connection, said, now, civil_day(now)) if said else []
        connection_id = connection.id
        waiting = [(one.event.id, one.check_in) for one in heard if one.check_in is not None]
        answers = [_answer(one) for one in heard]
    live: Live = app.state.live
    futures: list[tuple[int, Future[int]]] = [
        (event_id, live.writer.submit(check_in)) for event_id, check_in in waiting
    ]
    outcomes = {event_id: _outcome(future) for event_id, future in futures}
    with db.transaction() as session:
        settle(session, outcomes)
        session.get_one(VideoRequest, (connection_id, digest)).settled = True
    told = iter(outcomes.values())
    for answer in answers:
        if not answer.outcome:
            answer.outcome = next(told)
    return answers


def _claim(session: Session, connection: VideoConnection, digest: str, now: datetime) -> None:
    """Whoever listens on the line must not send what they heard. Raises `RequestReplayed`."""
    session.execute(delete(VideoRequest).where(VideoRequest.received_at < now - 3 * TOLERANCE))
    known = session.get(VideoRequest, (connection.id, digest))
    if known is None:
        session.add(
            VideoRequest(connection_id=connection.id, digest=digest, received_at=now, settled=False)
        )
    elif known.settled:
        raise RequestReplayed


def _outcome(future: "Future[int]") -> str:
    try:
        future.result(COMMIT_SECONDS)
    except DomainError as refusal:
        return refusal.code
    return ASSIGNED


def _answer(heard: Heard) -> EventOut:
    event = heard.event
    return EventOut(event.event_id, event.outcome, event.meeting_id, event.point_id)


def _remember_error(db: Database, key: str, code: str, now: datetime) -> None:
    """At most every few seconds: strangers must not make the server write."""
    with db.reader() as session:
        last = connection_by_key(session, key).last_error_at
        if last is not None and now - last < ERROR_EVERY:
            return
    with db.transaction() as session:
        note_error(connection_by_key(session, key), code, now)
