"""The page of one bridge point, which every act on it leads back to."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from litestar import Response
from litestar.datastructures import FormMultiDict
from litestar.status_codes import HTTP_200_OK
from sqlalchemy.orm import Session

from meetings_server.reading import read_clock, read_day
from meetings_server.web.meeting_words import words
from meetings_server.web.pages import FormErrors, PageRequest, render, text_of
from meetings_server.web.point_words import CONDITIONS, POINT_WORDS, equipment_options
from meetings_server.web.unit_words import ENDPOINTS
from meetings_server.web.units import WORDS
from rooms.bridge_points import BridgePoint, point_by_id, points_of
from rooms.directory import paths
from rooms.equipment import equipment_at
from rooms.fault_lists import history_of
from rooms.hierarchy import unit_by_id
from rooms.kernel import CIVIL_ZONE, DomainError, FieldInvalid, civil_day
from rooms.outage_reach import Reach
from rooms.outages import outages_since
from rooms.policies import Permission, permissions_at
from rooms.technicians import candidates, technicians_of

TEXTS = (
    "name",
    "address",
    "capacity",
    "endpoint_kind",
    "endpoint_address",
    "technician_name",
    "technician_phone",
)

Values = dict[str, str]
Page = Response[str] | Response[None]


@dataclass(frozen=True, slots=True)
class Refused:
    """A form of the page that was refused: which one, what was typed, what is wrong with it."""

    form: str = ""
    values: Values = field(default_factory=dict)
    errors: Mapping[str, list[str]] = field(default_factory=dict)
    status: int = HTTP_200_OK
    reach: Reach | None = None
    """What an outage or a closing touches, told before it is done."""

    @classmethod
    def of(
        cls,
        form: str,
        values: Values,
        error: DomainError,
        places: Mapping[str, str] | None = None,
    ) -> "Refused":
        """From a refusal; `places` says at which field a field or a code of the domain stands."""
        told = FormErrors.of(error, places)
        placed = {(places or {}).get(name, name): said for name, said in told.fields.items()}
        return cls(form, values, placed, told.status)


def typed(form: FormMultiDict, names: tuple[str, ...]) -> Values:
    return {name: text_of(form, name).strip() for name in names}


def facts_typed(point: BridgePoint) -> Values:
    return {name: str(getattr(point, name) or "") for name in TEXTS}


def read_moment(values: Mapping[str, str], which: str) -> datetime | None:
    """Day and clock of a form in civil time; None where both are empty. Raises `FieldInvalid`."""
    day_text, clock_text = values.get(f"{which}_day", ""), values.get(f"{which}_clock", "")
    if not day_text and not clock_text:
        return None
    day, clock = read_day(day_text), read_clock(clock_text or "00:00")
    if day is None:
        raise FieldInvalid(f"{which}_day", "not_a_date" if day_text else "missing")
    if clock is None:
        raise FieldInvalid(f"{which}_clock", "not_a_time")
    return datetime.combine(day, clock, CIVIL_ZONE)


def moment_typed(instant: datetime | None, which: str) -> Values:
    """An instant as the two fields of a form show it."""
    if instant is None:
        return {f"{which}_day": "", f"{which}_clock": ""}
    local = instant.astimezone(CIVIL_ZONE)
    return {f"{which}_day": f"{local:%Y-%m-%d}", f"{which}_clock": f"{local:%H:%M}"}


def point_view(
    request: PageRequest,
    session: Session,
    point_id: int,
    now: datetime,
    refused: Refused | None = None,
) -> Response[str]:
    """The page; after a refused act with what was typed and what is wrong in its form."""
    refused = refused or Refused()
    today = civil_day(now)
    point = point_by_id(session, point_id)
    unit = unit_by_id(session, point.unit_id, today)
    rights = permissions_at(session, request.user.actor, unit.id, today)
    may_write = Permission.POINT_WRITE in rights
    inside = bool({Permission.ATTENDANCE_READ, Permission.POINT_WRITE} & rights)
    shown: dict[str, Any] = {"equipment": [], "technicians": [], "history": [], "candidates": []}
    if inside:
        shown["equipment"] = equipment_at(session, [point.id])
        shown["technicians"] = technicians_of(session, [point.id]).get(point.id, [])
        shown["history"] = history_of(session, point.id, now)
    if may_write:
        shown["candidates"] = [
            (person.person_id, f"{person.name} – {person.title}" if person.title else person.name)
            for person in candidates(session, point, today)
        ]
    return render(
        request,
        "units/point.html",
        status=refused.status,
        point=point,
        unit=unit,
        today=today,
        closed=point.closed_on is not None and point.closed_on <= today,
        siblings=points_of(session, unit.id),
        above=paths(session, [unit.id], today).get(unit.id, []),
        rights=rights,
        may_write=may_write,
        may_report=may_write or Permission.ATTENDANCE_WRITE in rights,
        inside=inside,
        outages=outages_since(session, [point.id], now),
        kinds=words(ENDPOINTS),
        conditions=words(CONDITIONS),
        equipment_options=equipment_options,
        moment_typed=moment_typed,
        values=facts_typed(point),
        outage_values=moment_typed(now, "from"),
        refused=refused,
        **shown,
        **WORDS,
        **POINT_WORDS,
    )
