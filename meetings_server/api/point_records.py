"""When bridge points are out of service, and what went wrong with them."""

from typing import Annotated

import msgspec
from litestar import Response, get, patch, post
from litestar.params import JSONBody, QueryParameter
from litestar.status_codes import HTTP_201_CREATED
from sqlalchemy import select

from meetings_server.api.calls import ApiRequest, Id
from meetings_server.api.idempotency import IdempotencyKey, once
from meetings_server.api.paging import Cursor, Limit, Page, after, page_of
from meetings_server.api.point_shapes import (
    FaultIn,
    FaultOut,
    FaultSolution,
    OutageChange,
    OutageIn,
    OutageOut,
    fault_out,
    outage_out,
)
from meetings_server.database import Database
from rooms.bridge_points import point_by_id
from rooms.fault_lists import Wanted, faults_after, one_fault
from rooms.faults import FaultKind, NewFault, report_fault, solve_fault
from rooms.hierarchy import unit_by_code
from rooms.kernel import LARGEST_ID, FieldInvalid, civil_day, utcnow
from rooms.outage_reach import reach_of
from rooms.outages import Outage, change_outage, outage_by_id, report_outage
from rooms.policies import Permission, require


@get(
    "/bridge-points/{point_id:int}/outages",
    sync_to_thread=True,
    summary="When a bridge point was, is and will be out of service",
)
def list_outages(
    db: Database, point_id: Id, limit: Limit = 1000, cursor: Cursor = None
) -> Page[OutageOut]:
    with db.reader() as session:
        point = point_by_id(session, point_id)
        rows = session.scalars(
            select(Outage)
            .where(Outage.point_id == point.id, Outage.id > after(cursor))
            .order_by(Outage.id)
            .limit(limit + 1)
        ).all()
        return page_of(rows, limit, lambda outage: outage.id, outage_out)


@post(
    "/bridge-points/{point_id:int}/outages",
    sync_to_thread=True,
    summary="Take a bridge point out of service",
)
def create_outage(
    request: ApiRequest,
    db: Database,
    point_id: Id,
    data: JSONBody[OutageIn],
    idempotency_key: IdempotencyKey = None,
) -> Response[OutageOut]:
    """409 `outage_overlaps` where the point is out of service then already."""
    now = utcnow()
    actor = request.user.actor

    with db.transaction() as session:

        def work() -> tuple[int, OutageOut]:
            outage = report_outage(
                session, actor, point_id, data.starts_at, data.ends_at, data.reason, now
            )
            point = point_by_id(session, point_id)
            reach = reach_of(session, actor, point, outage.starts_at, outage.ends_at, now)
            return HTTP_201_CREATED, outage_out(outage, reach.meetings)

        return once(session, request, idempotency_key, data, now, work)


@patch("/outages/{outage_id:int}", sync_to_thread=True, summary="Change the end of an outage")
def patch_outage(
    request: ApiRequest, db: Database, outage_id: Id, data: JSONBody[OutageChange]
) -> OutageOut:
    with db.transaction() as session:
        outage = outage_by_id(session, outage_id)
        changed = change_outage(
            session,
            request.user.actor,
            outage_id,
            outage.ends_at if data.ends_at is msgspec.UNSET else data.ends_at,
            outage.reason if data.reason is msgspec.UNSET else data.reason,
            utcnow(),
        )
        return outage_out(changed)


@get("/faults", sync_to_thread=True, summary="Faults of bridge points")
def list_faults(
    request: ApiRequest,
    db: Database,
    unit: Annotated[
        str | None, QueryParameter(max_length=20, description="Code; with all units below")
    ] = None,
    point: Annotated[
        int | None, QueryParameter(ge=1, le=LARGEST_ID, description="Id of a bridge point")
    ] = None,
    wanted_state: Annotated[
        str, QueryParameter(name="state", pattern="^(open|solved|all)$")
    ] = "open",
    kind: FaultKind | None = None,
    limit: Limit = 1000,
    cursor: Cursor = None,
) -> Page[FaultOut]:
    today = civil_day(utcnow())
    with db.reader() as session:
        unit_id = unit_by_code(session, unit, today).id if unit is not None else None
        wanted = Wanted(wanted_state, kind.value if kind else "", unit_id)
        rows = faults_after(
            session, request.user.actor, wanted, today, after(cursor), limit + 1, point
        )
        return page_of(rows, limit, lambda line: line.fault.id, fault_out)


@get("/faults/{fault_id:int}", sync_to_thread=True, summary="One fault")
def get_fault(request: ApiRequest, db: Database, fault_id: Id) -> FaultOut:
    with db.reader() as session:
        line = one_fault(session, fault_id)
        today = civil_day(utcnow())
        require(session, request.user.actor, Permission.ATTENDANCE_READ, line.unit.id, today)
        return fault_out(line)


@post(
    "/bridge-points/{point_id:int}/faults",
    sync_to_thread=True,
    summary="Report a fault of a bridge point",
)
def create_fault(
    request: ApiRequest,
    db: Database,
    point_id: Id,
    data: JSONBody[FaultIn],
    idempotency_key: IdempotencyKey = None,
) -> Response[FaultOut]:
    now = utcnow()

    with db.transaction() as session:

        def work() -> tuple[int, FaultOut]:
            if data.out_until is not None and not data.out_of_service:
                raise FieldInvalid("out_until", "contradiction")
            new = NewFault(
                data.kind.value,
                data.text,
                data.noticed_at,
                data.meeting,
                out_of_service=data.out_of_service,
                out_until=data.out_until,
            )
            fault = report_fault(session, request.user.actor, point_id, new, now)
            return HTTP_201_CREATED, fault_out(one_fault(session, fault.id))

        return once(session, request, idempotency_key, data, now, work)


@patch("/faults/{fault_id:int}", sync_to_thread=True, summary="Mark a fault as solved")
def patch_fault(
    request: ApiRequest, db: Database, fault_id: Id, data: JSONBody[FaultSolution]
) -> FaultOut:
    """409 `fault_solved` where somebody has solved it already."""
    with db.transaction() as session:
        fault = solve_fault(
            session,
            request.user.actor,
            fault_id,
            data.remedy,
            data.solved_at,
            utcnow(),
            in_service=data.in_service,
        )
        return fault_out(one_fault(session, fault.id))


HANDLERS = [
    create_fault,
    create_outage,
    get_fault,
    list_faults,
    list_outages,
    patch_fault,
    patch_outage,
]
