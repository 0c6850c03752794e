"""What happens around the meeting of the demonstration that runs: calls for help, a message, the video room.

The points of the accounts are left to visitors, and the play leaves these points alone.
"""

from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from meetings_server.database import Database
from meetings_server.settings import Settings
from meetings_server.video.receiving import seal_of
from rooms.attendance import CheckIn, Source
from rooms.check_ins import record_check_ins
from rooms.help_calls import HelpCall, solve, take
from rooms.hierarchy import Unit
from rooms.host_messages import HostMessage, NewMessage, send
from rooms.kernel import civil_day
from rooms.meetings import Meeting, Participation, standing_invitation
from rooms.message_receipts import Receipts, record_receipts
from rooms.people import Person
from rooms.policies import Actor
from rooms.video_events import hear, settle
from rooms.video_rooms import VideoSaid
from rooms.video_systems import NewConnection, VideoConnection, connect, new_secret

HELPED, CALLING, IN_THE_ROOM = "001", "01-STC", "00001"
SHARE_SHOWN, SHARE_CONFIRMED = 8, 6
"""Of ten points."""


def seed_under_way(database: Database, settings: Settings, meeting_id: int, now: datetime) -> None:
    """Once for a meeting; nothing where the units of another catalogue are shown."""
    with database.reader() as session:
        known = session.scalar(
            select(HostMessage.id).where(HostMessage.meeting_id == meeting_id).limit(1)
        )
        points = dict(
            session.execute(
                select(Unit.code, Participation.point_id)
                .join(Unit, Unit.id == Participation.unit_id)
                .where(Participation.meeting_id == meeting_id, standing_invitation())
            ).all()
        )
        people = {
            person.username: Actor(person.id, person.name, person.unit_id)
            for person in session.scalars(select(Person))
            if person.username
        }
    if known is not None or not {HELPED, CALLING, IN_THE_ROOM} <= points.keys():
        return
    _calls(database, meeting_id, points, people, now)
    with database.transaction() as session:
        _message(session, meeting_id, sorted(points.values()), people, now)
    _video_room(database, settings, meeting_id, people, now)


def _calls(
    database: Database,
    meeting_id: int,
    points: dict[str, int],
    people: dict[str, Actor],
    now: datetime,
) -> None:
    """One call that was solved, one that waits."""

    def says(code: str, state: str, minutes: float, note: str = "", trouble: str = "") -> None:
        moment = now + timedelta(minutes=minutes)
        said = CheckIn(
            meeting_id,
            points[code],
            state,
            people["thuky"].person_id,
            Source.PAGE,
            note=note,
            trouble=trouble,
        )
        with database.connection() as connection:
            record_check_ins(connection, [said], moment)

    says(HELPED, "ready", -9)
    says(HELPED, "needs_help", -8, "Loa không có tiếng", "no_sound")
    with database.transaction() as session:
        call = session.scalars(select(HelpCall).where(HelpCall.meeting_id == meeting_id)).one()
        today = civil_day(now)
        take(session, people["kythuat"], call.id, now - timedelta(minutes=7), today)
        remedy = "Chọn lại loa phòng họp trong phần âm thanh"
        solve(session, people["kythuat"], call.id, remedy, now - timedelta(minutes=4), today)
    says(HELPED, "ready", -4)
    says(CALLING, "needs_help", -2, "Hình đứng từ 2 phút nay", "no_picture")


def _message(
    session: Session,
    meeting_id: int,
    points: list[int],
    people: dict[str, Actor],
    now: datetime,
) -> None:
    sent_at = now - timedelta(minutes=3)
    text = "Đề nghị các điểm cầu vào phòng họp trước giờ khai mạc và tắt micro khi chưa phát biểu."
    sent = send(session, people["thuky"], meeting_id, NewMessage(text), sent_at, civil_day(now))
    operator = people["thuky"].person_id
    this = frozenset({sent.id})
    receipts = [
        Receipts(
            meeting_id,
            point,
            operator,
            shown=this,
            acknowledged=this if number % 10 < SHARE_CONFIRMED else frozenset(),
        )
        for number, point in enumerate(points)
        if number % 10 < SHARE_SHOWN
    ]
    record_receipts(session, receipts, sent_at + timedelta(seconds=20))


def _video_room(
    database: Database,
    settings: Settings,
    meeting_id: int,
    people: dict[str, Actor],
    now: datetime,
) -> None:
    """A connection, a room that it knows by its address, and a machine that nobody knows."""
    today = civil_day(now)
    with database.transaction() as session:
        meeting = session.get_one(Meeting, meeting_id)
        connection = session.scalars(select(VideoConnection)).first() or connect(
            session,
            people["quantri"],
            NewConnection(
                "Hệ thống họp trực tuyến Thành phố",
                meeting.host_unit_id,
                "neutral",
                by_name=True,
                secret=seal_of(settings).close(new_secret()),
            ),
            now,
            today,
        )
        joined_at = now - timedelta(minutes=1)
        room = meeting.join_url
        said = [
            VideoSaid(f"{meeting_id}-1", True, room, "p1", "Phường Phúc Xá", "", joined_at),
            VideoSaid(f"{meeting_id}-2", True, room, "p2", "May hop P.204", "", joined_at),
        ]
        heard = hear(session, connection, said, now, today)
        check_ins = [one.check_in for one in heard if one.check_in is not None]
        settle(session, {one.event.id: "taken" for one in heard if one.check_in is not None})
    with database.connection() as connection_of_writer:
        record_check_ins(connection_of_writer, check_ins, now)
