"""What points of the demonstration have tested before a meeting, in bulk and believable."""

import random
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from meetings_server.demo.people import ACCOUNTS
from rooms.attendance import Source
from rooms.hierarchy import Unit
from rooms.line_tests import LineItem, LineTest, LineTestEntry, Result, outcome_of
from rooms.meetings import Meeting, Participation, standing_invitation

TROUBLES = (
    (LineItem.SOUND, "Tiếng bị rè, đang thay micro"),
    (LineItem.PICTURE, "Hình đứng từng lúc"),
    (LineItem.CAMERA, "Camera không quay được"),
    (LineItem.NETWORK, "Đường truyền chập chờn, đã báo nhà mạng"),
    (LineItem.BACKUP_LINE, "Chưa chuyển được sang đường dự phòng"),
)


def seed_line_tests(
    session: Session, meeting_id: int, tested_by: int, now: datetime, share: float
) -> None:
    """Let a share of the points have tested, most with success; two statements write it all.

    The units of the demonstration's accounts are left to visitors.
    """
    meeting = session.get_one(Meeting, meeting_id)
    points = session.scalars(
        select(Participation.point_id)
        .join(Unit, Unit.id == Participation.unit_id)
        .where(
            Participation.meeting_id == meeting_id,
            standing_invitation(),
            Unit.code.not_in({account.unit for account in ACCOUNTS}),
        )
        .order_by(Participation.id)
    ).all()
    chance = random.Random(meeting_id)  # noqa: S311 -- a play, not a secret
    begun = now - timedelta(minutes=40)
    tests: list[dict[str, Any]] = []
    entries: list[dict[str, Any]] = []
    for point_id in points:
        if chance.random() >= share:
            continue
        results, notes = _found(chance)
        at = begun + timedelta(seconds=chance.randrange(35 * 60))
        key = {"meeting_id": meeting_id, "point_id": point_id, "tested_for": meeting.starts_at}
        said = [item for item in LineItem if results[item] is not Result.UNTESTED]
        tests.append(
            key
            | {item.value: results[item].value for item in LineItem}
            | {
                "notes": {item.value: note for item, note in notes.items()},
                "faults": {},
                "outcome": outcome_of(results.values()).value,
                "number": len(said),
                "tested_at": at + timedelta(seconds=20 * (len(said) - 1)),
                "tested_by": tested_by,
            }
        )
        entries += [
            key
            | {
                "number": number,
                "item": item.value,
                "result": results[item].value,
                "note": notes.get(item, ""),
                "recorded_at": at + timedelta(seconds=20 * (number - 1)),
                "recorded_by": tested_by,
                "address": "",
                "source": Source.PAGE.value,
            }
            for number, item in enumerate(said, start=1)
        ]
    if tests:
        session.execute(insert(LineTest), tests)
        session.execute(insert(LineTestEntry), entries)


def _found(chance: random.Random) -> tuple[dict[LineItem, Result], dict[LineItem, str]]:
    """Five results and what is wrong: of ten points eight are ready."""
    results = dict.fromkeys(LineItem, Result.OK)
    notes: dict[LineItem, str] = {}
    if chance.random() < 0.3:  # noqa: PLR2004 -- shares of a play
        results[LineItem.BACKUP_LINE] = Result.NONE
    lot = chance.random()
    if lot < 0.09:  # noqa: PLR2004
        item, note = chance.choice(TROUBLES)
        results[item], notes[item] = Result.PROBLEM, note
    elif lot < 0.2:  # noqa: PLR2004
        results[LineItem.BACKUP_LINE] = Result.UNTESTED
        results[LineItem.CAMERA] = Result.UNTESTED
    return results, notes
