"""The same POST again: with the same `Idempotency-Key` it gets the first answer and does nothing.

The key is written in the transaction that does the work. Of two requests at the same moment the
second waits for the first one's commit and then finds its answer.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Annotated, Any, ClassVar, TypeVar

import msgspec
from litestar import Request, Response
from litestar.params import HeaderParameter
from sqlalchemy import ForeignKey, LargeBinary, delete, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Mapped, Session, mapped_column

from meetings_server.identity.sessions import SignedIn
from rooms.kernel import Base, Invalid

T = TypeVar("T")

KEPT = timedelta(hours=24)

IdempotencyKey = Annotated[
    str | None,
    HeaderParameter(
        name="Idempotency-Key",
        min_length=1,
        max_length=200,
        description="Any text of yours; the same key within 24 h gives the first answer again",
    ),
]


class FirstAnswer(Base):
    """The answer that a key got the first time; without a status while its work is under way."""

    __tablename__ = "first_answer"

    person_id: Mapped[int] = mapped_column(ForeignKey("person.id"), primary_key=True)
    key: Mapped[str] = mapped_column(primary_key=True)
    request_hash: Mapped[str]
    status: Mapped[int | None]
    body: Mapped[bytes | None] = mapped_column(LargeBinary)
    created_at: Mapped[datetime]


@dataclass
class KeyReused(Invalid):
    """The key came with another request before."""

    code: ClassVar[str] = "idempotency_key_reused"
    key: str


def once(
    session: Session,
    request: Request[SignedIn, str, Any],
    key: str | None,
    body: Any,
    now: datetime,
    work: Callable[[], tuple[int, T]],
) -> Response[T]:
    """Do `work` (which returns a status and an answer), or give the first answer of the key.

    Raises `KeyReused`, and whatever `work` raises: then nothing is kept and the key is free.
    """
    if key is None:
        status, answer = work()
        return _response(status, msgspec.json.encode(answer))
    person_id = request.user.person_id
    told = request.method.encode() + request.url.path.encode() + msgspec.json.encode(body)
    digest = sha256(told).hexdigest()
    session.execute(delete(FirstAnswer).where(FirstAnswer.created_at < now - KEPT))
    if not _claim(session, person_id, key, digest, now):
        first = session.get_one(FirstAnswer, (person_id, key))
        if first.request_hash != digest:
            raise KeyReused(key)
        return _response(first.status or 200, first.body or b"")
    status, answer = work()
    encoded = msgspec.json.encode(answer)
    session.execute(
        update(FirstAnswer)
        .where(FirstAnswer.person_id == person_id, FirstAnswer.key == key)
        .values(status=status, body=encoded)
    )
    return _response(status, encoded)


def _claim(session: Session, person_id: int, key: str, digest: str, now: datetime) -> bool:
    try:
        with session.begin_nested():
            session.add(
                FirstAnswer(person_id=person_id, key=key, request_hash=digest, created_at=now)
            )
    except IntegrityError:
        return False
    return True


def _response(status: int, body: bytes) -> Response[Any]:
    """An answer that is already encoded: the first and every later one are the same bytes."""
    return Response(body, status_code=status, media_type="application/json")
