"""What stands in the room of a bridge point: cameras, microphones, codecs, lines."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import ClassVar

from sqlalchemy import ForeignKey, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from rooms.bridge_points import point_to_change
from rooms.kernel import Base, Conflict, FieldInvalid, NotFound, bounded_text, require_text
from rooms.policies import Actor

MOST_PIECES = 200


class EquipmentKind(StrEnum):
    """The kinds that have a name in every language; a list may bring words of its own."""

    CAMERA = "camera"
    MICROPHONE = "microphone"
    SPEAKER = "speaker"
    CODEC = "codec"
    DISPLAY = "display"
    COMPUTER = "computer"
    LINE = "line"
    BACKUP_LINE = "backup_line"
    POWER = "power"
    OTHER = "other"


class Condition(StrEnum):
    WORKS = "works"
    FAULTY = "faulty"
    MISSING = "missing"


class Equipment(Base):
    """One piece of a point's equipment.

    `kind` is one of `EquipmentKind`, or the word of whoever imported it; `condition` one of
    `Condition`.
    """

    __tablename__ = "equipment"

    id: Mapped[int] = mapped_column(primary_key=True)
    point_id: Mapped[int] = mapped_column(ForeignKey("bridge_point.id"), index=True)
    kind: Mapped[str]
    model: Mapped[str]
    """Make and model."""
    serial: Mapped[str]
    """Serial or inventory number."""
    since: Mapped[date | None]
    note: Mapped[str]
    condition: Mapped[str]


@dataclass
class UnknownEquipment(NotFound):
    code: ClassVar[str] = "unknown_equipment"
    equipment: int


@dataclass
class TooMuchEquipment(Conflict):
    code: ClassVar[str] = "too_much_equipment"
    most: int


@dataclass(frozen=True, slots=True)
class EquipmentFacts:
    """What is said of a piece. `kind` may be any word; `since` is the day it came into use."""

    kind: str
    model: str = ""
    serial: str = ""
    since: date | None = None
    note: str = ""
    condition: str = Condition.WORKS.value


def equipment_at(session: Session, point_ids: Sequence[int]) -> list[Equipment]:
    """The pieces of these points in the order in which they were entered."""
    return list(
        session.scalars(
            select(Equipment)
            .where(Equipment.point_id.in_(point_ids))
            .order_by(Equipment.point_id, Equipment.id)
        )
    )


def add_equipment(
    session: Session, actor: Actor, point_id: int, facts: EquipmentFacts, on: date
) -> Equipment:
    """Put a piece into a point's list.

    Raises `UnknownPoint`, `NotPermitted`, `FieldInvalid`, `TooMuchEquipment`.
    """
    point = point_to_change(session, actor, point_id, on)
    if len(equipment_at(session, [point.id])) >= MOST_PIECES:
        raise TooMuchEquipment(MOST_PIECES)
    piece = Equipment(point_id=point.id)
    describe_piece(piece, facts, on)
    session.add(piece)
    session.flush()
    return piece


def change_equipment(
    session: Session, actor: Actor, equipment_id: int, facts: EquipmentFacts, on: date
) -> Equipment:
    """Raises `UnknownEquipment`, `NotPermitted`, `FieldInvalid`."""
    piece = equipment_by_id(session, equipment_id)
    point_to_change(session, actor, piece.point_id, on)
    describe_piece(piece, facts, on)
    session.flush()
    return piece


def replace_equipment(
    session: Session,
    actor: Actor,
    point_id: int,
    pieces: Sequence[tuple[int | None, EquipmentFacts]],
    on: date,
) -> None:
    """Make a point's list what is told: with an id a piece is changed, without one it is new.

    What is not named leaves the list. Raises as `add_equipment` does, `UnknownEquipment`.
    """
    point = point_to_change(session, actor, point_id, on)
    if len(pieces) > MOST_PIECES:
        raise TooMuchEquipment(MOST_PIECES)
    present = {piece.id: piece for piece in equipment_at(session, [point.id])}
    for piece_id, facts in pieces:
        if piece_id is not None and piece_id not in present:
            raise UnknownEquipment(piece_id)
        piece = present.pop(piece_id) if piece_id is not None else Equipment(point_id=point.id)
        describe_piece(piece, facts, on)
        session.add(piece)
    for piece in present.values():
        session.delete(piece)
    session.flush()


def remove_equipment(session: Session, actor: Actor, equipment_id: int, on: date) -> int:
    """Take a piece off the list; returns the id of its point."""
    piece = equipment_by_id(session, equipment_id)
    point = point_to_change(session, actor, piece.point_id, on)
    session.delete(piece)
    session.flush()
    return point.id


def equipment_by_id(session: Session, equipment_id: int) -> Equipment:
    """Raises `UnknownEquipment`."""
    piece = session.get(Equipment, equipment_id)
    if piece is None:
        raise UnknownEquipment(equipment_id)
    return piece


def describe_piece(piece: Equipment, facts: EquipmentFacts, on: date) -> None:
    piece.kind = require_text("kind", facts.kind, 60)
    piece.model = bounded_text("model", facts.model, 120)
    piece.serial = bounded_text("serial", facts.serial, 80)
    if facts.since is not None and facts.since > on:
        raise FieldInvalid("since", "day_to_come")
    piece.since = facts.since
    piece.note = bounded_text("note", facts.note, 500)
    try:
        piece.condition = Condition(facts.condition).value
    except ValueError:
        raise FieldInvalid("condition", "unknown", facts.condition[:40]) from None
