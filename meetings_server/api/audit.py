"""The record of what was done, for programs that keep a copy or watch for what should not happen."""

from datetime import date, datetime
from typing import Annotated, Any

import msgspec
from litestar import get
from litestar.params import QueryParameter

from meetings_server.api.calls import ApiRequest
from meetings_server.api.paging import Cursor, Limit, Page, after, page_of
from meetings_server.audit.ledger import AuditEntry
from meetings_server.audit.reading import Wanted, look_through
from meetings_server.database import Database
from rooms.kernel import civil_day, utcnow

Word = Annotated[str, QueryParameter(max_length=40)]


class AuditEntryOut(msgspec.Struct):
    """One entry. `before` and `after` hold the changed fields only, by column.

    `hash` is the SHA-256 of the JSON array of `previous_hash` and the columns of the entry.
    """

    id: int
    at: datetime
    person: int | None
    who: str
    on_behalf_of: str
    login: str
    address: str
    request: str
    act: str
    subject: str
    subject_id: str
    record: str
    record_id: str
    label: str
    part: str
    before: dict[str, Any]
    after: dict[str, Any]
    previous_hash: str
    hash: str


def _shape(entry: AuditEntry) -> AuditEntryOut:
    return AuditEntryOut(
        id=entry.id,
        at=entry.at,
        person=entry.person_id,
        who=entry.who,
        on_behalf_of=entry.on_behalf_of,
        login=entry.login,
        address=entry.address,
        request=entry.request,
        act=entry.act,
        subject=entry.subject,
        subject_id=entry.subject_id,
        record=entry.record,
        record_id=entry.record_id,
        label=entry.label,
        part=entry.part,
        before=msgspec.json.decode(entry.before),
        after=msgspec.json.decode(entry.after),
        previous_hash=entry.previous_hash,
        hash=entry.hash,
    )


@get("/audit", sync_to_thread=True, summary="What was done, by whom, when and from where")
def list_entries(
    request: ApiRequest,
    db: Database,
    first: Annotated[date | None, QueryParameter(name="from", description="First day")] = None,
    last: Annotated[date | None, QueryParameter(name="to", description="Last day")] = None,
    act: Word = "",
    subject: Word = "",
    record: Annotated[
        str, QueryParameter(max_length=80, description="Such as `meeting:12`: all filed under it")
    ] = "",
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Page[AuditEntryOut]:
    """The entries about the units that the caller looks after, the oldest first.

    Days are those of Asia/Ho_Chi_Minh, both included. Needs the right `audit:read`; without it the list
    is empty.
    """
    kind, _, key = record.partition(":")
    wanted = Wanted(
        first=first,
        last=last,
        act=act,
        subject=subject,
        record=(kind, key) if kind and key else None,
        after=after(cursor),
    )
    with db.reader() as session:
        today = civil_day(utcnow())
        found = look_through(session, request.user.actor, wanted, today, limit + 1)
        return page_of(found, limit, lambda entry: entry.id, _shape)


HANDLERS = [list_entries]
