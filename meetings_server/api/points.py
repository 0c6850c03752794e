"""Bridge points: their facts, order, equipment, technicians, and their end."""

from collections.abc import Collection
from dataclasses import replace
from datetime import date
from typing import Annotated, Any

import msgspec
from litestar import Response, get, patch, post
from litestar.params import JSONBody, QueryParameter
from litestar.status_codes import HTTP_201_CREATED
from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from meetings_server.api.calls import ApiRequest, Id
from meetings_server.api.idempotency import IdempotencyKey, once
from meetings_server.api.paging import Cursor, Limit, Page, after, page_of
from meetings_server.api.point_shapes import (
    EquipmentIn,
    PointChange,
    PointIn,
    PointOut,
    point_out,
)
from meetings_server.database import Database
from rooms.bridge_points import (
    BridgePoint,
    PointFacts,
    UnknownPoint,
    add_point,
    change_point,
    close_point,
    facts_of_point,
    order_points,
    point_to_change,
    points_of,
    reopen_point,
)
from rooms.equipment import Equipment, equipment_at, replace_equipment
from rooms.hierarchy import Unit, unit_by_code
from rooms.kernel import civil_day, utcnow
from rooms.policies import Actor, Permission, governed
from rooms.technicians import replace_technicians, technicians_of

FACTS = frozenset(PointFacts.__dataclass_fields__)


def _points(actor: Actor, on: date) -> Select[BridgePoint, str, bool]:
    return select(
        BridgePoint,
        Unit.code,
        governed(actor, Permission.ATTENDANCE_READ, BridgePoint.unit_id, on),
    ).join(Unit, Unit.id == BridgePoint.unit_id)


def _shaped(session: Session, rows: Collection[Any]) -> list[PointOut]:
    """Points with what belongs to them, in two further statements whatever their number."""
    inside = [point.id for point, _unit, governs in rows if governs]
    technicians = technicians_of(session, inside) if inside else {}
    pieces: dict[int, list[Equipment]] = {}
    for piece in equipment_at(session, inside) if inside else []:
        pieces.setdefault(piece.point_id, []).append(piece)
    return [
        point_out(
            point,
            unit,
            technicians.get(point.id, []) if governs else None,
            pieces.get(point.id, []) if governs else None,
        )
        for point, unit, governs in rows
    ]


def _one_point(session: Session, actor: Actor, point_id: int, on: date) -> PointOut:
    row = session.execute(_points(actor, on).where(BridgePoint.id == point_id)).first()
    if row is None:
        raise UnknownPoint(point_id)
    return _shaped(session, [row])[0]


@get("/bridge-points", sync_to_thread=True, summary="Bridge points")
def list_points(
    request: ApiRequest,
    db: Database,
    unit: Annotated[str | None, QueryParameter(max_length=20, description="Code")] = None,
    limit: Limit = 1000,
    cursor: Cursor = None,
) -> Page[PointOut]:
    """All points by id, closed ones too. A unit's default is the first open one of its order."""
    today = civil_day(utcnow())
    with db.reader() as session:
        query = (
            _points(request.user.actor, today)
            .where(BridgePoint.id > after(cursor))
            .order_by(BridgePoint.id)
            .limit(limit + 1)
        )
        if unit is not None:
            query = query.where(BridgePoint.unit_id == unit_by_code(session, unit, today).id)
        shown = _shaped(session, session.execute(query).all())
        return page_of(shown, limit, lambda point: point.id, lambda point: point)


@post("/bridge-points", sync_to_thread=True, summary="Make a bridge point")
def create_point(
    request: ApiRequest,
    db: Database,
    data: JSONBody[PointIn],
    idempotency_key: IdempotencyKey = None,
) -> Response[PointOut]:
    now = utcnow()
    today = civil_day(now)
    actor = request.user.actor

    with db.transaction() as session:

        def work() -> tuple[int, PointOut]:
            unit = unit_by_code(session, data.unit, today)
            facts = PointFacts(**{name: getattr(data, name) for name in FACTS})
            point = add_point(session, actor, unit.id, facts, today)
            if data.equipment:
                _write_equipment(session, actor, point.id, data.equipment, today)
            if data.technicians:
                replace_technicians(session, actor, point.id, data.technicians, today)
            return HTTP_201_CREATED, _one_point(session, actor, point.id, today)

        return once(session, request, idempotency_key, data, now, work)


def _write_equipment(
    session: Session, actor: Actor, point_id: int, pieces: list[EquipmentIn], on: date
) -> None:
    replace_equipment(session, actor, point_id, [(piece.id, piece.facts()) for piece in pieces], on)


@get("/bridge-points/{point_id:int}", sync_to_thread=True, summary="One bridge point")
def get_point(request: ApiRequest, db: Database, point_id: Id) -> PointOut:
    with db.reader() as session:
        return _one_point(session, request.user.actor, point_id, civil_day(utcnow()))


@patch("/bridge-points/{point_id:int}", sync_to_thread=True, summary="Change a bridge point")
def patch_point(
    request: ApiRequest, db: Database, point_id: Id, data: JSONBody[PointChange]
) -> PointOut:
    today = civil_day(utcnow())
    actor = request.user.actor
    said = {
        name: value
        for name, value in msgspec.structs.asdict(data).items()
        if value is not msgspec.UNSET
    }
    with db.transaction() as session:
        point = point_to_change(session, actor, point_id, today)
        facts = {name: value for name, value in said.items() if name in FACTS}
        if facts:
            change_point(session, actor, point_id, replace(facts_of_point(point), **facts), today)
        if data.equipment is not msgspec.UNSET:
            _write_equipment(session, actor, point_id, data.equipment, today)
        if data.technicians is not msgspec.UNSET:
            replace_technicians(session, actor, point_id, data.technicians, today)
        if data.place is not msgspec.UNSET:
            _put_in_place(session, actor, point, data.place, today)
        if data.closed_on is None:
            reopen_point(session, actor, point_id, today)
        elif data.closed_on is not msgspec.UNSET:
            close_point(session, actor, point_id, data.closed_on, today)
        return _one_point(session, actor, point_id, today)


def _put_in_place(
    session: Session, actor: Actor, point: BridgePoint, place: int, today: date
) -> None:
    """Move an open point to a place of its unit's order; behind the last one it is the last."""
    order = [
        other.id
        for other in points_of(session, point.unit_id)
        if other.id != point.id and (other.closed_on is None or other.closed_on > today)
    ]
    order.insert(place - 1, point.id)
    order_points(session, actor, point.unit_id, order, today)


HANDLERS = [create_point, get_point, list_points, patch_point]
