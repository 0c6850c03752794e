"""What a browser has measured of its own room: camera, microphone, speakers, the line to this server.

A measurement is attached to the line test of a point and stays as it was; what follows from it for the
list (`suggested`) is said like anything else, with a reference to the measurement.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sqlalchemy import JSON, ForeignKey, Index, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from rooms.attendance import Source, require_check_in
from rooms.kernel import Base, FieldInvalid, bounded_text, civil_day
from rooms.line_tests import (
    LineItem,
    LineTest,
    LineTested,
    Result,
    Said,
    open_for_test,
    report_line_test,
)
from rooms.policies import Actor


class Device(StrEnum):
    """What is measured, in the order of the page."""

    CAMERA = "camera"
    MICROPHONE = "microphone"
    SPEAKERS = "speakers"
    NETWORK = "network"


class Verdict(StrEnum):
    """How it went."""

    GOOD = "good"
    WEAK = "weak"
    """It works, and somebody should look at it."""
    BAD = "bad"
    SKIPPED = "skipped"
    """It was not tried, or could not be: a browser without a camera is no broken room."""


FIGURES: Mapping[str, float] = {
    "download_mbits": 100_000,
    "upload_mbits": 100_000,
    "round_trip_ms": 600_000,
    "jitter_ms": 600_000,
    "live_line_ms": 600_000,
    "width": 100_000,
    "height": 100_000,
    "frames_a_second": 1_000,
    "level_db": 0,
}
"""What may be told, with the largest value that is no slip; the level is 0 dB or less."""
LOWEST = -200
LONGEST_BROWSER = 300


class SelfTest(Base):
    """One measurement. Never changed."""

    __tablename__ = "self_test"

    id: Mapped[int] = mapped_column(primary_key=True)
    meeting_id: Mapped[int] = mapped_column(ForeignKey("meeting.id"))
    point_id: Mapped[int] = mapped_column(ForeignKey("bridge_point.id"))
    taken_at: Mapped[datetime]
    taken_by: Mapped[int] = mapped_column(ForeignKey("person.id"))
    camera: Mapped[str]
    microphone: Mapped[str]
    speakers: Mapped[str]
    network: Mapped[str]
    figures: Mapped[dict[str, float]] = mapped_column(JSON)
    """See `FIGURES`; what could not be measured is not there."""
    browser: Mapped[str]

    __table_args__ = (Index(None, "meeting_id", "point_id"),)


@dataclass(frozen=True, slots=True)
class Measured:
    """What the browser says."""

    verdicts: Mapping[str, str]
    figures: Mapping[str, float]
    browser: str = ""


def attach(
    session: Session,
    actor: Actor,
    meeting_id: int,
    point_id: int,
    measured: Measured,
    notes: Mapping[str, str],
    now: datetime,
) -> tuple[SelfTest, LineTest]:
    """Keep a measurement with the point's line test, and say there what follows from it.

    `notes`: what to say of an item that has a problem, in the words of whoever attaches it. Raises as
    `report_line_test`; `FieldInvalid` names a device or a figure.
    """
    require_check_in(session, actor, meeting_id, point_id, civil_day(now))
    meeting = open_for_test(session, meeting_id, now)
    verdicts = {device: _verdict(device, measured.verdicts.get(device, "")) for device in Device}
    kept = SelfTest(
        meeting_id=meeting.id,
        point_id=point_id,
        taken_at=now,
        taken_by=actor.person_id,
        **{device.value: verdict.value for device, verdict in verdicts.items()},
        figures=_figures(measured.figures),
        browser=bounded_text("browser", measured.browser, LONGEST_BROWSER),
    )
    found = suggested(verdicts)
    if not found:
        raise FieldInvalid("verdicts", "missing")
    session.add(kept)
    session.flush()
    said = {
        item.value: Said(result.value, notes.get(item, "") if result is Result.PROBLEM else "")
        for item, result in found.items()
    }
    tested = LineTested(meeting.id, point_id, said, Source.PAGE, kept.id)
    return kept, report_line_test(session, actor, tested, now)


def suggested(verdicts: Mapping[Device, Verdict]) -> dict[LineItem, Result]:
    """What a measurement says of the list: nothing of what was skipped.

    The microphone and the speakers are both sound; whether the far end hears and sees, a browser alone
    does not know, so it never says anything of the picture.
    """
    found: dict[LineItem, Result] = {}
    for item, devices in (
        (LineItem.CAMERA, (Device.CAMERA,)),
        (LineItem.SOUND, (Device.MICROPHONE, Device.SPEAKERS)),
        (LineItem.NETWORK, (Device.NETWORK,)),
    ):
        told = [verdicts[device] for device in devices]
        if Verdict.BAD in told:
            found[item] = Result.PROBLEM
        elif Verdict.SKIPPED not in told:
            found[item] = Result.OK
    return found


def latest_of(session: Session, meeting_id: int, point_id: int) -> SelfTest | None:
    """The newest measurement of a point for a meeting."""
    return session.scalars(
        select(SelfTest)
        .where(SelfTest.meeting_id == meeting_id, SelfTest.point_id == point_id)
        .order_by(SelfTest.id.desc())
        .limit(1)
    ).first()


def _verdict(device: Device, said: str) -> Verdict:
    try:
        return Verdict(said)
    except ValueError:
        raise FieldInvalid(device.value, "unknown" if said else "missing", said[:40]) from None


def _figures(told: Mapping[str, float]) -> dict[str, float]:
    for name, value in told.items():
        if name not in FIGURES:
            raise FieldInvalid("figures", "unknown", name[:40])
        # The comparison refuses what is no number as well.
        least = LOWEST if name == "level_db" else 0
        if not least <= value <= FIGURES[name]:
            raise FieldInvalid(name, "out_of_range", f"{least}–{FIGURES[name]:g}")
    return {name: round(float(value), 2) for name, value in told.items()}
