"""What stands in the room of a bridge point and who looks after it, changed on the point's page."""

from litestar import Response, post
from litestar.datastructures import FormMultiDict

from meetings_server.database import Database
from meetings_server.reading import RowId, read_day, read_number
from meetings_server.web.pages import PageRequest, see_other, text_of
from meetings_server.web.point_page import Page, Refused, Values, point_view, typed
from rooms.equipment import (
    EquipmentFacts,
    add_equipment,
    change_equipment,
    equipment_by_id,
    remove_equipment,
)
from rooms.kernel import Conflict, FieldInvalid, Invalid, civil_day, utcnow
from rooms.technicians import assign_technician, dismiss_technician, put_on_duty

PIECE_TEXTS = ("kind", "model", "serial", "since", "condition", "note")


def read_piece(values: Values) -> EquipmentFacts:
    """Raises `FieldInvalid`."""
    since = read_day(values["since"]) if values["since"] else None
    if values["since"] and since is None:
        raise FieldInvalid("since", "not_a_date")
    return EquipmentFacts(
        values["kind"],
        values["model"],
        values["serial"],
        since,
        values["note"],
        values["condition"],
    )


@post("/points/{point_id:int}/equipment", include_in_schema=False, sync_to_thread=True)
def new_piece(request: PageRequest, form: FormMultiDict, db: Database, point_id: RowId) -> Page:
    now = utcnow()
    values = typed(form, PIECE_TEXTS)
    try:
        with db.transaction() as session:
            add_equipment(session, request.user.actor, point_id, read_piece(values), civil_day(now))
    except (Invalid, Conflict) as wrong:
        with db.reader() as session:
            refused = Refused.of("equipment", values, wrong)
            return point_view(request, session, point_id, now, refused)
    return see_other(f"/points/{point_id}", "saved")


@post("/equipment/{equipment_id:int}", include_in_schema=False, sync_to_thread=True)
def save_piece(
    request: PageRequest, form: FormMultiDict, db: Database, equipment_id: RowId
) -> Page:
    now = utcnow()
    values = typed(form, PIECE_TEXTS)
    with db.reader() as session:
        point_id = equipment_by_id(session, equipment_id).point_id
    try:
        with db.transaction() as session:
            change_equipment(
                session, request.user.actor, equipment_id, read_piece(values), civil_day(now)
            )
    except (Invalid, Conflict) as wrong:
        with db.reader() as session:
            refused = Refused.of(f"equipment-{equipment_id}", values, wrong)
            return point_view(request, session, point_id, now, refused)
    return see_other(f"/points/{point_id}", "saved")


@post("/equipment/{equipment_id:int}/remove", include_in_schema=False, sync_to_thread=True)
def drop_piece(request: PageRequest, db: Database, equipment_id: RowId) -> Response[None]:
    with db.transaction() as session:
        point_id = remove_equipment(session, request.user.actor, equipment_id, civil_day(utcnow()))
    return see_other(f"/points/{point_id}", "saved")


@post("/points/{point_id:int}/technicians", include_in_schema=False, sync_to_thread=True)
def new_technician(
    request: PageRequest, form: FormMultiDict, db: Database, point_id: RowId
) -> Page:
    now = utcnow()
    values = typed(form, ("person",))
    try:
        person_id = read_number(values["person"])
        if person_id is None:
            raise FieldInvalid("person", "missing")
        with db.transaction() as session:
            assign_technician(session, request.user.actor, point_id, person_id, civil_day(now))
    except (Invalid, Conflict) as wrong:
        refused = Refused.of("technician", values, wrong, {"not_a_technician": "person"})
        with db.reader() as session:
            return point_view(request, session, point_id, now, refused)
    return see_other(f"/points/{point_id}", "saved")


@post(
    "/points/{point_id:int}/technicians/{person_id:int}",
    include_in_schema=False,
    sync_to_thread=True,
)
def change_technician(
    request: PageRequest, form: FormMultiDict, db: Database, point_id: RowId, person_id: RowId
) -> Response[None]:
    """Put somebody on duty first, or let them go."""
    change = dismiss_technician if text_of(form, "act") == "dismiss" else put_on_duty
    with db.transaction() as session:
        change(session, request.user.actor, point_id, person_id, civil_day(utcnow()))
    return see_other(f"/points/{point_id}", "saved")


HANDLERS = [change_technician, drop_piece, new_piece, new_technician, save_piece]
