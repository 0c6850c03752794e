"""Tablets at the door of a point: made with a code for pairing, listed, revoked."""

from datetime import datetime
from typing import Any

from litestar import Response, get, post
from litestar.datastructures import FormMultiDict
from litestar.status_codes import HTTP_200_OK
from sqlalchemy.orm import Session

from meetings_server.database import Database
from meetings_server.identity.doors import PATH
from meetings_server.reading import RowId, read_number
from meetings_server.settings import Settings
from meetings_server.web.doors import code_svg
from meetings_server.web.pages import FormErrors, PageRequest, render, see_other, text_of
from rooms.bridge_points import point_to_change
from rooms.devices import (
    CODE_LASTS,
    LONGEST_DAYS,
    KioskDevice,
    add_device,
    devices_of,
    names_of_people,
    renew_code,
    revoke_device,
    shown_code,
)
from rooms.hierarchy import unit_by_id
from rooms.kernel import DomainError, FieldInvalid, civil_day, utcnow

Values = dict[str, str]
OFFERED = {"name": "", "days": "365"}


def _page(
    request: PageRequest,
    settings: Settings,
    session: Session,
    point_id: int,
    now: datetime,
    *,
    status: int = HTTP_200_OK,
    made: tuple[KioskDevice, str] | None = None,
    values: Values | None = None,
    errors: object = None,
) -> Response[str]:
    today = civil_day(now)
    point = point_to_change(session, request.user.actor, point_id, today)
    devices = devices_of(session, point_id)
    address = f"{settings.effective_public_url}{PATH}/pair"
    return render(
        request,
        "units/devices.html",
        status=status,
        point=point,
        unit=unit_by_id(session, point.unit_id, today),
        devices=[(one, one.state(now)) for one in devices],
        people=names_of_people(session, devices),
        made=made[0] if made else None,
        code=shown_code(made[1]) if made else "",
        picture=code_svg(f"{address}?code={made[1]}") if made else "",
        address=address,
        minutes=int(CODE_LASTS.total_seconds() // 60),
        longest=LONGEST_DAYS,
        values=values or OFFERED,
        errors=errors or {},
    )


@get("/points/{point_id:int}/devices", include_in_schema=False, sync_to_thread=True)
def devices_page(
    request: PageRequest, db: Database, settings: Settings, point_id: RowId
) -> Response[str]:
    with db.reader() as session:
        return _page(request, settings, session, point_id, utcnow())


@post(
    "/points/{point_id:int}/devices",
    include_in_schema=False,
    sync_to_thread=True,
    status_code=HTTP_200_OK,
)
def new_device(
    request: PageRequest, form: FormMultiDict, db: Database, settings: Settings, point_id: RowId
) -> Response[str]:
    """Make a device; the answer shows its code, and nothing shows it again."""
    now = utcnow()
    values = {name: text_of(form, name).strip() for name in OFFERED}
    try:
        days = read_number(values["days"])
        if days is None:
            raise FieldInvalid("days", "not_a_number" if values["days"] else "missing")
        with db.transaction() as session:
            made = add_device(
                session, request.user.actor, point_id, values["name"], days, now, civil_day(now)
            )
            session.flush()
            return _page(request, settings, session, point_id, now, made=made)
    except DomainError as wrong:
        told = FormErrors.of(wrong)
        with db.reader() as session:
            return _page(
                request,
                settings,
                session,
                point_id,
                now,
                status=told.status,
                values=values,
                errors=told.fields,
            )


@post(
    "/devices/{device_id:int}/code",
    include_in_schema=False,
    sync_to_thread=True,
    status_code=HTTP_200_OK,
)
def new_code(
    request: PageRequest, db: Database, settings: Settings, device_id: RowId
) -> Response[str]:
    """Another code for a device; shown once."""
    now = utcnow()
    with db.transaction() as session:
        made = renew_code(session, request.user.actor, device_id, now, civil_day(now))
        session.flush()
        return _page(request, settings, session, made[0].point_id, now, made=made)


@post("/devices/{device_id:int}/revoke", include_in_schema=False, sync_to_thread=True)
def end_device(request: PageRequest, db: Database, device_id: RowId) -> Response[None]:
    now = utcnow()
    with db.transaction() as session:
        device = revoke_device(session, request.user.actor, device_id, now, civil_day(now))
        point_id = device.point_id
    return see_other(f"/points/{point_id}/devices", "device_revoked")


HANDLERS: list[Any] = [devices_page, new_device, new_code, end_device]
