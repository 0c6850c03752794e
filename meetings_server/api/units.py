"""Units and bridge points."""

from dataclasses import replace
from datetime import date
from typing import Annotated

import msgspec
from litestar import Response, get, patch, post
from litestar.params import JSONBody, QueryParameter
from litestar.status_codes import HTTP_201_CREATED
from sqlalchemy import Select, select
from sqlalchemy.orm import Session, aliased

from meetings_server.api.calls import ApiRequest, Code, Id
from meetings_server.api.idempotency import IdempotencyKey, once
from meetings_server.api.paging import Cursor, Limit, Page, after, page_of
from meetings_server.database import Database
from rooms.bridge_points import (
    BridgePoint,
    PointFacts,
    UnknownPoint,
    add_point,
    change_point,
)
from rooms.endpoints import EndpointKind
from rooms.folding import folded_pattern
from rooms.hierarchy import Unit, UnitAncestry, ancestors_of, unit_by_code, valid_on
from rooms.kernel import civil_day, utcnow
from rooms.lineage import Relative, lineage
from rooms.policies import Actor, Permission, governed

On = Annotated[date | None, QueryParameter(description="The tree as of this day; today otherwise")]


class UnitOut(msgspec.Struct):
    """A unit as of a day."""

    code: str
    name: str
    level: str
    kind: str
    parent: str | None
    lat: float | None
    lon: float | None
    email: str | None
    phone: str | None
    valid_from: date
    valid_until: date | None


class RelativeOut(msgspec.Struct):
    """A unit before or after another. `day`: the first on which it has passed over.

    `extent` is `whole` or `part`; `main`: inherits by default. The code names it until that day, or
    from then on.
    """

    code: str
    name: str
    day: date
    extent: str
    main: bool


class UnitDetail(UnitOut):
    """A unit with what stands above and below it, and who came before and after it."""

    ancestors: list[str]
    """Codes, the root first."""
    children: list[str]
    bridge_points: list[int]
    predecessors: list[RelativeOut]
    successors: list[RelativeOut]


class PointIn(msgspec.Struct, forbid_unknown_fields=True):
    """What makes a bridge point."""

    unit: Code
    name: Annotated[str, msgspec.Meta(min_length=1, max_length=120)]
    capacity: Annotated[int, msgspec.Meta(ge=1, le=100_000)] | None = None
    endpoint_kind: EndpointKind = EndpointKind.NONE
    endpoint_address: Annotated[str, msgspec.Meta(max_length=200)] = ""
    technician_name: Annotated[str, msgspec.Meta(max_length=120)] = ""
    technician_phone: Annotated[str, msgspec.Meta(max_length=40)] = ""


class PointChange(msgspec.Struct, forbid_unknown_fields=True):
    """The fields to change; what is left out stays."""

    name: Annotated[str, msgspec.Meta(min_length=1, max_length=120)] | msgspec.UnsetType = (
        msgspec.UNSET
    )
    capacity: Annotated[int, msgspec.Meta(ge=1, le=100000)] | msgspec.UnsetType | None = (
        msgspec.UNSET
    )
    endpoint_kind: EndpointKind | msgspec.UnsetType = msgspec.UNSET
    endpoint_address: Annotated[str, msgspec.Meta(max_length=200)] | msgspec.UnsetType = (
        msgspec.UNSET
    )
    technician_name: Annotated[str, msgspec.Meta(max_length=120)] | msgspec.UnsetType = (
        msgspec.UNSET
    )
    technician_phone: Annotated[str, msgspec.Meta(max_length=40)] | msgspec.UnsetType = (
        msgspec.UNSET
    )


class PointOut(msgspec.Struct):
    """A bridge point. The technician is named only to those who govern the unit."""

    id: int
    unit: str
    name: str
    capacity: int | None
    endpoint_kind: str
    endpoint_address: str
    technician_name: str | None
    technician_phone: str | None


def _units(on: date) -> Select[Unit, str]:
    parent = aliased(Unit)
    return (
        select(Unit, parent.code)
        .outerjoin(
            UnitAncestry,
            (UnitAncestry.unit_id == Unit.id)
            & (UnitAncestry.depth == 1)
            & valid_on(UnitAncestry, on),
        )
        .outerjoin(parent, parent.id == UnitAncestry.ancestor_id)
        .where(valid_on(Unit, on))
    )


@get("/units", sync_to_thread=True, summary="The tree as of a day")
def list_units(
    db: Database,
    on: On = None,
    level: Annotated[str | None, QueryParameter(max_length=40)] = None,
    parent: Annotated[str | None, QueryParameter(max_length=20, description="Code")] = None,
    q: Annotated[
        str | None, QueryParameter(max_length=200, description="Ignores diacritics and case")
    ] = None,
    limit: Limit = 1000,
    cursor: Cursor = None,
) -> Page[UnitOut]:
    day = on or civil_day(utcnow())
    with db.reader() as session:
        query = _units(day).where(Unit.id > after(cursor)).order_by(Unit.id).limit(limit + 1)
        if level is not None:
            query = query.where(Unit.level == level)
        if parent is not None:
            query = query.where(UnitAncestry.ancestor_id == unit_by_code(session, parent, day).id)
        if q:
            query = query.where(Unit.folded.like(folded_pattern(q), escape="\\"))
        rows = session.execute(query).all()
        return page_of(rows, limit, lambda row: row[0].id, lambda row: _unit_out(row[0], row[1]))


def _unit_out(unit: Unit, parent: str | None) -> UnitOut:
    return UnitOut(
        unit.code,
        unit.name,
        unit.level,
        unit.kind,
        parent,
        unit.lat,
        unit.lon,
        unit.email,
        unit.phone,
        unit.valid_from,
        unit.valid_until,
    )


@get("/units/{code:str}", sync_to_thread=True, summary="One unit as of a day")
def get_unit(db: Database, code: Code, on: On = None) -> UnitDetail:
    day = on or civil_day(utcnow())
    with db.reader() as session:
        unit = unit_by_code(session, code, day)
        above = [ancestor.code for ancestor in ancestors_of(session, unit.id, day)]
        below = session.scalars(
            _units(day)
            .with_only_columns(Unit.code)
            .where(UnitAncestry.ancestor_id == unit.id)
            .order_by(Unit.position)
        )
        points = session.scalars(select(BridgePoint.id).where(BridgePoint.unit_id == unit.id))
        facts = msgspec.structs.asdict(_unit_out(unit, above[-1] if above else None))
        line = lineage(session, unit)
        return UnitDetail(
            **facts,
            ancestors=above,
            children=list(below),
            bridge_points=list(points),
            predecessors=[_relative(other) for other in line.predecessors],
            successors=[_relative(other) for other in line.successors],
        )


def _relative(other: Relative) -> RelativeOut:
    return RelativeOut(other.code, other.name, other.day, other.extent, other.is_main)


def _points(actor: Actor, on: date) -> Select[BridgePoint, str, bool]:
    return select(
        BridgePoint,
        Unit.code,
        governed(actor, Permission.ATTENDANCE_READ, BridgePoint.unit_id, on),
    ).join(Unit, Unit.id == BridgePoint.unit_id)


def _point_out(point: BridgePoint, unit: str, *, governs: bool) -> PointOut:
    return PointOut(
        point.id,
        unit,
        point.name,
        point.capacity,
        point.endpoint_kind,
        point.endpoint_address,
        point.technician_name if governs else None,
        point.technician_phone if governs else None,
    )


def _one_point(session: Session, actor: Actor, point_id: int, on: date) -> PointOut:
    row = session.execute(_points(actor, on).where(BridgePoint.id == point_id)).first()
    if row is None:
        raise UnknownPoint(point_id)
    return _point_out(row[0], row[1], governs=row[2])


@get("/bridge-points", sync_to_thread=True, summary="Bridge points")
def list_points(
    request: ApiRequest,
    db: Database,
    unit: Annotated[str | None, QueryParameter(max_length=20, description="Code")] = None,
    limit: Limit = 1000,
    cursor: Cursor = None,
) -> Page[PointOut]:
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
        rows = session.execute(query).all()
        return page_of(
            rows,
            limit,
            lambda row: row[0].id,
            lambda row: _point_out(row[0], row[1], governs=row[2]),
        )


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
            facts = {
                name: value
                for name, value in msgspec.structs.asdict(data).items()
                if name != "unit"
            }
            point = add_point(session, actor, unit.id, PointFacts(**facts), today)
            return HTTP_201_CREATED, _one_point(session, actor, point.id, today)

        return once(session, request, idempotency_key, data, now, work)


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
    with db.transaction() as session:
        point = session.get(BridgePoint, point_id)
        if point is None:
            raise UnknownPoint(point_id)
        said = {
            name: value
            for name, value in msgspec.structs.asdict(data).items()
            if value is not msgspec.UNSET
        }
        facts = PointFacts(
            point.name,
            point.capacity,
            EndpointKind(point.endpoint_kind),
            point.endpoint_address,
            point.technician_name,
            point.technician_phone,
        )
        change_point(session, actor, point_id, replace(facts, **said), today)
        return _one_point(session, actor, point_id, today)


HANDLERS = [
    create_point,
    get_point,
    get_unit,
    list_points,
    list_units,
    patch_point,
]
