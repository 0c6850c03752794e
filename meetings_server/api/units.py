"""Units: the tree as of a day."""

from datetime import date
from typing import Annotated

import msgspec
from litestar import get
from litestar.params import QueryParameter
from sqlalchemy import Select, select
from sqlalchemy.orm import aliased

from meetings_server.api.calls import Code
from meetings_server.api.paging import Cursor, Limit, Page, after, page_of
from meetings_server.database import Database
from rooms.bridge_points import IN_ORDER, BridgePoint, open_on
from rooms.folding import folded_pattern
from rooms.hierarchy import Unit, UnitAncestry, ancestors_of, unit_by_code, valid_on
from rooms.kernel import civil_day, utcnow
from rooms.lineage import Relative, lineage

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
    """The open ones in their order: the first in service is invited."""
    predecessors: list[RelativeOut]
    successors: list[RelativeOut]


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
        points = session.scalars(
            select(BridgePoint.id)
            .where(BridgePoint.unit_id == unit.id, open_on(day))
            .order_by(*IN_ORDER)
        )
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


HANDLERS = [
    get_unit,
    list_units,
]
