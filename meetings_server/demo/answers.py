"""What invited units of the demonstration have answered, in bulk and believable."""

import random
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from meetings_server.demo.people import ACCOUNTS
from rooms.hierarchy import Unit
from rooms.meetings import Participation, Reply, invited

ACCEPTED, SUBSTITUTES, DECLINED = 0.6, 0.72, 0.77
"""Upper bounds of the shares that come, send somebody in another's place, and cannot come."""

FAMILY = ("Nguyễn", "Trần", "Lê", "Phạm", "Hoàng", "Vũ", "Đặng", "Bùi", "Đỗ", "Ngô", "Dương")
MIDDLE = ("Văn", "Thị", "Minh", "Thu", "Đức", "Quang", "Ngọc", "Hồng", "Thanh", "Xuân")
GIVEN = ("An", "Bình", "Chi", "Dũng", "Hà", "Hiếu", "Lan", "Long", "Mai", "Nam", "Phương", "Tú")
OFFICES = {
    "department": ("Phó Giám đốc Sở", "Chánh Văn phòng"),
    "district": ("Phó Chủ tịch UBND", "Chánh Văn phòng HĐND và UBND"),
    "ward": ("Chủ tịch UBND", "Phó Chủ tịch UBND"),
}
SUBSTITUTE = {
    "department": "Trưởng phòng",
    "district": "Trưởng phòng",
    "ward": "Công chức Văn phòng",
}
REASONS = (
    "Trùng lịch tiếp công dân định kỳ",
    "Trùng lịch họp Ban Thường vụ",
    "Lãnh đạo đi công tác, đề nghị gửi tài liệu",
    "Điểm cầu đang sửa chữa đường truyền",
)


def person_name(chance: random.Random) -> str:
    return f"{chance.choice(FAMILY)} {chance.choice(MIDDLE)} {chance.choice(GIVEN)}"


def answer_invitations(
    session: Session, meeting_id: int, replied_by: int, invited_at: datetime, now: datetime
) -> None:
    """Let two of three units come and some decline, within the days since they were invited.

    The units of the demonstration's accounts are left to visitors. Two statements, not one verb for
    each unit: the demonstration starts in seconds.
    """
    left_alone = {account.unit for account in ACCOUNTS}
    asked = session.execute(
        select(Participation.id, Unit.level)
        .join(Unit, Unit.id == Participation.unit_id)
        .where(
            invited(meeting_id),
            Participation.is_main.is_(False),
            Unit.code.not_in(left_alone),
        )
        .order_by(Participation.id)
    ).all()
    chance = random.Random(meeting_id)  # noqa: S311 -- a play, not a secret
    span = max(now - invited_at, timedelta(minutes=1)) / 2
    rows: Sequence[dict[str, Any]] = [
        answer | {"id": participation_id, "replied_at": invited_at + span * chance.random()}
        for participation_id, level in asked
        if (answer := _answer(level, chance))
    ]
    if rows:
        session.execute(update(Participation), [row | {"replied_by": replied_by} for row in rows])


def _answer(level: str, chance: random.Random) -> dict[str, Any]:
    """The columns of one answer; nothing for who has not answered."""
    lot = chance.random()
    if lot >= DECLINED:
        return {}
    if lot >= SUBSTITUTES:
        return {
            "reply": Reply.DECLINED.value,
            "reply_reason": chance.choice(REASONS),
            "delegate_name": "",
            "delegate_title": "",
            "is_substitute": False,
        }
    is_substitute = lot >= ACCEPTED
    office = SUBSTITUTE if is_substitute else {k: chance.choice(v) for k, v in OFFICES.items()}
    return {
        "reply": Reply.ACCEPTED.value,
        "reply_reason": "",
        "delegate_name": person_name(chance),
        "delegate_title": office.get(level, "Đại biểu"),
        "is_substitute": is_substitute,
    }
