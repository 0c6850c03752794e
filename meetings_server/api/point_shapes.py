"""The JSON of bridge points, their equipment, technicians, outages and faults."""

from datetime import date, datetime
from typing import Annotated

import msgspec

from meetings_server.api.calls import Code
from rooms.bridge_points import LARGEST_ROOM, BridgePoint
from rooms.endpoints import EndpointKind
from rooms.equipment import Condition, Equipment, EquipmentFacts
from rooms.fault_lists import FaultLine
from rooms.faults import FaultKind
from rooms.kernel import LARGEST_ID
from rooms.outage_reach import Touched
from rooms.outages import Outage
from rooms.technicians import Technician

Name = Annotated[str, msgspec.Meta(min_length=1, max_length=120)]
Short = Annotated[str, msgspec.Meta(max_length=120)]
Line = Annotated[str, msgspec.Meta(max_length=200)]
Phone = Annotated[str, msgspec.Meta(max_length=40)]
Seats = Annotated[int, msgspec.Meta(ge=1, le=LARGEST_ROOM)]
RowNumber = Annotated[int, msgspec.Meta(ge=1, le=LARGEST_ID)]
Moment = Annotated[
    datetime, msgspec.Meta(tz=True, description="An instant with its offset from UTC")
]
Words = Annotated[str, msgspec.Meta(min_length=1, max_length=1_000)]


class EquipmentIn(msgspec.Struct, forbid_unknown_fields=True):
    """A piece of equipment. With its `id` it is changed, without one it is new."""

    kind: Annotated[
        str,
        msgspec.Meta(
            min_length=1,
            max_length=60,
            description="camera, microphone, speaker, codec, display, computer, line, backup_line, "
            "power, other, or a word of your own",
        ),
    ]
    id: RowNumber | None = None
    model: Short = ""
    serial: Annotated[str, msgspec.Meta(max_length=80)] = ""
    since: date | None = None
    note: Annotated[str, msgspec.Meta(max_length=500)] = ""
    condition: Condition = Condition.WORKS

    def facts(self) -> EquipmentFacts:
        return EquipmentFacts(
            self.kind, self.model, self.serial, self.since, self.note, self.condition.value
        )


class PointIn(msgspec.Struct, forbid_unknown_fields=True):
    """What makes a bridge point."""

    unit: Code
    name: Name
    capacity: Seats | None = None
    endpoint_kind: EndpointKind = EndpointKind.NONE
    endpoint_address: Line = ""
    technician_name: Short = ""
    technician_phone: Phone = ""
    address: Line = ""
    equipment: Annotated[list[EquipmentIn], msgspec.Meta(max_length=200)] = []
    technicians: Annotated[list[RowNumber], msgspec.Meta(max_length=20)] = []
    """Ids of people, the one on duty first."""


class PointChange(msgspec.Struct, forbid_unknown_fields=True):
    """The fields to change; what is left out stays. A list replaces the one there is."""

    name: Name | msgspec.UnsetType = msgspec.UNSET
    capacity: Seats | msgspec.UnsetType | None = msgspec.UNSET
    endpoint_kind: EndpointKind | msgspec.UnsetType = msgspec.UNSET
    endpoint_address: Line | msgspec.UnsetType = msgspec.UNSET
    technician_name: Short | msgspec.UnsetType = msgspec.UNSET
    technician_phone: Phone | msgspec.UnsetType = msgspec.UNSET
    address: Line | msgspec.UnsetType = msgspec.UNSET
    equipment: Annotated[list[EquipmentIn], msgspec.Meta(max_length=200)] | msgspec.UnsetType = (
        msgspec.UNSET
    )
    technicians: Annotated[list[RowNumber], msgspec.Meta(max_length=20)] | msgspec.UnsetType = (
        msgspec.UNSET
    )
    place: Annotated[int, msgspec.Meta(ge=1, le=10_000)] | msgspec.UnsetType = msgspec.UNSET
    """Among the open points of the unit, counted from 1; the first is invited by default."""
    closed_on: date | msgspec.UnsetType | None = msgspec.UNSET
    """The first day on which it no longer exists; null takes the closing back."""


class EquipmentOut(msgspec.Struct):
    id: int
    kind: str
    model: str
    serial: str
    since: date | None
    note: str
    condition: str


class TechnicianOut(msgspec.Struct):
    person: int
    name: str
    phone: str


class PointOut(msgspec.Struct):
    """A bridge point. Technicians and equipment are told only to those who govern the unit."""

    id: int
    unit: str
    name: str
    capacity: int | None
    endpoint_kind: str
    endpoint_address: str
    technician_name: str | None
    technician_phone: str | None
    address: str
    closed_on: date | None
    technicians: list[TechnicianOut] | None
    equipment: list[EquipmentOut] | None


def point_out(
    point: BridgePoint,
    unit: str,
    technicians: list[Technician] | None,
    equipment: list[Equipment] | None,
) -> PointOut:
    """`technicians` and `equipment` are None where the caller may not know them."""
    inside = technicians is not None
    return PointOut(
        point.id,
        unit,
        point.name,
        point.capacity,
        point.endpoint_kind,
        point.endpoint_address,
        point.technician_name if inside else None,
        point.technician_phone if inside else None,
        point.address,
        point.closed_on,
        [TechnicianOut(one.person_id, one.name, one.phone) for one in technicians]
        if technicians is not None
        else None,
        [
            EquipmentOut(
                piece.id,
                piece.kind,
                piece.model,
                piece.serial,
                piece.since,
                piece.note,
                piece.condition,
            )
            for piece in equipment
        ]
        if equipment is not None
        else None,
    )


class OutageIn(msgspec.Struct, forbid_unknown_fields=True):
    """When a point is out of service; without an end, until further notice."""

    starts_at: Moment
    reason: Annotated[str, msgspec.Meta(min_length=1, max_length=500)]
    ends_at: Moment | None = None


class OutageChange(msgspec.Struct, forbid_unknown_fields=True):
    ends_at: Moment | msgspec.UnsetType | None = msgspec.UNSET
    reason: Annotated[str, msgspec.Meta(min_length=1, max_length=500)] | msgspec.UnsetType = (
        msgspec.UNSET
    )


class TouchedOut(msgspec.Struct):
    """A coming meeting that invites the point; without a title where the caller may not see it."""

    meeting: int
    title: str | None
    starts_at: datetime
    ends_at: datetime


class OutageOut(msgspec.Struct):
    """An outage; the first answer tells the coming meetings that invite the point then."""

    id: int
    bridge_point: int
    starts_at: datetime
    ends_at: datetime | None
    reason: str
    reported_at: datetime | None
    meetings: list[TouchedOut] | None = None


def outage_out(outage: Outage, touched: list[Touched] | None = None) -> OutageOut:
    return OutageOut(
        outage.id,
        outage.point_id,
        outage.starts_at,
        outage.ends_at,
        outage.reason,
        outage.reported_at,
        [TouchedOut(one.meeting_id, one.title, one.starts_at, one.ends_at) for one in touched]
        if touched is not None
        else None,
    )


class FaultIn(msgspec.Struct, forbid_unknown_fields=True):
    """What went wrong, noticed now unless told otherwise."""

    kind: FaultKind
    text: Words
    noticed_at: Moment | None = None
    meeting: RowNumber | None = None
    out_of_service: bool = False
    """Takes the point out of service from now on, until `out_until`."""
    out_until: Moment | None = None


class FaultSolution(msgspec.Struct, forbid_unknown_fields=True):
    """What was done; works again since now unless told otherwise."""

    remedy: Words
    solved_at: Moment | None = None
    in_service: bool = False
    """Ends the outage that the fault led to."""


class FaultOut(msgspec.Struct):
    id: int
    bridge_point: int
    unit: str
    kind: str
    text: str
    noticed_at: datetime
    reported_by: str
    meeting: int | None
    outage: int | None
    solved_at: datetime | None
    solved_by: str | None
    remedy: str


def fault_out(line: FaultLine) -> FaultOut:
    fault = line.fault
    return FaultOut(
        fault.id,
        fault.point_id,
        line.unit.code,
        fault.kind,
        fault.text,
        fault.noticed_at,
        line.reporter,
        fault.meeting_id,
        fault.outage_id,
        fault.solved_at,
        line.solver,
        fault.remedy,
    )
