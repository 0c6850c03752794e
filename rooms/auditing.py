"""Who does what: what an act says of itself for the record.

Changes of mapped rows are recorded by themselves when a session flushes; which tables, and what of
them, stands in `meetings_server/audit/subjects.py`. Statements that go past the session (`insert()`,
`update()`, `delete()`, bulk inserts) are seen by nobody: where people care about what they change, the
act says so itself, once for the whole of it:

    count = session.execute(delete(...)).rowcount
    audited(session, "change", "unit", after={"imported": count, "valid_from": day})

Who did it and from where is not said here: the request, the command or the sweep has said it before,
in `doing`. Nothing is written until the transaction commits, and nothing where it does not.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from sqlalchemy.orm import Session


class Login(StrEnum):
    """By what somebody was let in to act."""

    SESSION = "session"
    TOKEN = "token"  # noqa: S105 -- a way to log in, no password
    DEVICE = "device"
    """A tablet at a door; nobody is known to stand before it."""
    COMMAND = "command"
    SWEEP = "sweep"
    NOBODY = "nobody"
    """A request of somebody who is not logged in."""
    SERVER = "server"
    """The server itself, when nobody asked it to."""


@dataclass(frozen=True, slots=True)
class Doer:
    """Who acts, for whom, and from where."""

    person_id: int | None = None
    name: str = ""
    """The person as they are called now; else the command or the sweep."""
    on_behalf_of: int | None = None
    """Id of the official for whom the person acts."""
    login: Login = Login.SERVER
    address: str = ""
    """Of the network; of a command the account and the machine, `root@meetings`."""
    request: str = ""
    """Names the request: what it changed bears the same."""


THE_SERVER = Doer(name="server")

# Copied into worker threads with the rest of the context; set before the handler runs.
doing: ContextVar[Doer] = ContextVar("doing", default=THE_SERVER)


@contextmanager
def acting(doer: Doer) -> Iterator[None]:
    """What is changed inside was done by `doer`."""
    before = doing.set(doer)
    try:
        yield
    finally:
        doing.reset(before)


@dataclass(slots=True)
class Note:
    """One thing that was done, as far as the act itself knows; the rest is looked up in the commit.

    `before`, `after`: the changed fields only. `record`: what it is filed under, where that is not the
    subject itself: the reply of a unit under its meeting.
    """

    act: str
    subject: str
    subject_id: str
    before: dict[str, Any] = field(default_factory=dict)
    after: dict[str, Any] = field(default_factory=dict)
    record: str = ""
    record_id: str = ""
    label: str = ""
    """The record as it is called now; looked up where it is empty."""
    part: str = ""
    """The subject as it is called now, where it is not the record itself."""
    named: tuple[str, int] | None = None
    """Table and id of what the subject is called after: a reply after its unit."""
    unit_id: int | None = None
    """Who looks after this unit may read the entry; looked up where it is None."""
    person_id: int | None = None
    """Who did it, where no request says so: the one whose login failed."""
    captured: bool = False
    """Taken down at a flush: several of one row become one."""


NOTES = "audit"
"""Where a session keeps its notes."""


def audited(
    session: Session,
    act: str,
    subject: str,
    subject_id: int | str = "",
    *,
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
    record: tuple[str, int | str] | None = None,
    label: str = "",
    part: str = "",
    unit_id: int | None = None,
    person_id: int | None = None,
) -> None:
    """Put an act down for the record; it is written when the transaction commits.

    `act`: a word such as `create`, `change`, `delete`, `download`. `subject`: the table's name;
    `subject_id` its key, empty where the act is about many. Values may be texts, numbers, days,
    instants, lists and dicts of these; names of fields are those of the columns, or counts.
    Label and unit are looked up by the key where they are not given.
    """
    of, of_id = record or (subject, subject_id)
    notes_of(session).append(
        Note(
            act,
            subject,
            str(subject_id),
            dict(before or {}),
            dict(after or {}),
            record=of,
            record_id=str(of_id),
            label=label,
            part=part,
            unit_id=unit_id,
            person_id=person_id,
        )
    )


def notes_of(session: Session) -> list[Note]:
    """What has been put down in this transaction so far."""
    notes: list[Note] = session.info.setdefault(NOTES, [])
    return notes
