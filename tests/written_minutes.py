"""A meeting that has ended, and minutes of it in each state."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy.orm import Session

from meetings_server.database import Database
from minutes.content import Content, TaskRow
from minutes.drafting import open_draft, save, submit
from minutes.meeting_minutes import Minutes
from minutes.signing import issue
from minutes.storage import FolderStore
from rooms.attendance import CheckIn, Presence, Source
from rooms.check_ins import record_check_in
from rooms.kernel import utcnow
from rooms.meetings import Meeting, Reply
from rooms.replies import Answer, reply
from rooms.scheduling import end, start
from tests.factories import City, make_city, participation_of, scheduled_meeting


@dataclass
class Held:
    """A meeting that was held: Đống Đa and Văn Miếu were there, Trung Tự declined."""

    city: City
    meeting_id: int
    now: datetime
    """Ten minutes after its end."""
    store: FolderStore


def held_meeting(db: Database, folder: Path, **changes: Any) -> Held:
    now = utcnow()
    with db.transaction() as session:
        city = make_city(session, now)
    return hold(db, city, folder, now, **changes)


def hold(db: Database, city: City, folder: Path, now: datetime, **changes: Any) -> Held:
    """Schedule a meeting in this city, and let it take place."""
    with db.transaction() as session:
        meeting = scheduled_meeting(session, city, now, **changes)
        declined = participation_of(session, meeting.id, city.units["00226"])
        actor = city.secretary
        reply(session, actor, declined.id, Answer(Reply.DECLINED, "Trùng lịch tiếp dân"), now)
        begun = meeting.starts_at
        start(session, actor, meeting.id, begun)
        for code, head, people in (("006", "Lê Ngọc Bích", 12), ("00181", "Bùi Thị Lan", 5)):
            record_check_in(
                session.connection(),
                CheckIn(
                    meeting.id,
                    city.points[code],
                    Presence.PRESENT.value,
                    city.secretary.person_id,
                    Source.API,
                    people,
                    head,
                ),
                begun,
            )
        end(session, actor, meeting.id, begun + timedelta(hours=2))
    over = begun + timedelta(hours=2, minutes=10)
    return Held(city, meeting.id, over, FolderStore(folder / "files"))


def content_for(held: Held, minutes: Minutes) -> Content:
    """What makes a draft complete."""
    written = minutes.written
    return replace(
        written,
        place="Phòng họp 302, 12 Lê Lai",
        items=tuple(replace(item, said=f"Đã nghe {item.title}.") for item in written.items),
        conclusions="Thống nhất với báo cáo.",
        tasks=(
            TaskRow(
                "Rà soát trang thiết bị điểm cầu",
                held.city.units["01-SNV"],
                (held.city.units["006"], held.city.units["00181"]),
                deadline=f"{(held.now + timedelta(days=10)).date()}",
            ),
            TaskRow(
                "Báo cáo kết quả",
                held.city.units["006"],
                alone=True,
                deadline=f"{(held.now + timedelta(days=20)).date()}",
            ),
        ),
    )


def drafted(session: Session, held: Held) -> Minutes:
    minutes = open_draft(session, held.city.secretary, held.meeting_id, held.now)
    return save(session, held.city.secretary, minutes.id, content_for(held, minutes), 1, held.now)


def submitted(session: Session, held: Held) -> Minutes:
    return submit(session, held.city.secretary, drafted(session, held).id, held.now)


def issued(session: Session, held: Held) -> Minutes:
    minutes = submitted(session, held)
    return issue(session, held.city.chair, minutes.id, held.store, held.now)


def meeting_of(session: Session, held: Held) -> Meeting:
    return session.get_one(Meeting, held.meeting_id)
