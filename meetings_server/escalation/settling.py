"""Notes what has been done since people were told of it, so that nobody is left with a notice that is over."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, and_, func, select, update
from sqlalchemy.orm import Session

from meetings_server.database import Database
from meetings_server.escalation.rules import About, Step, Whom
from meetings_server.escalation.steps import people_of, undone
from meetings_server.push.notices import Notice, NoticeReader
from meetings_server.push.telling import TELLING, units_of_readers
from meetings_server.sweeps.giving_way import giving_way
from rooms.kernel import record
from rooms.meetings import AWAITED, Meeting, Participation
from rooms.notices import MeetingNotice

SETTLED_AT_ONCE = 2_000
"""People of one transaction."""


def settle(db: Database, now: datetime) -> None:
    """Mark what has been done since people were told of it.

    Whoever would not be told any more sees it settled: the unit's own people without another word,
    parents and hosts as news that they have not read. Who that is, is asked before anything is locked.
    """
    with db.reader() as session:
        open_notices = session.execute(
            select(Notice.id, Notice.facts, Meeting)
            .join(Meeting, Meeting.id == Notice.meeting_id)
            .where(
                Notice.moment != "",
                Meeting.state.in_(AWAITED),
                Meeting.ends_at > now,
                select(NoticeReader.person_id)
                .where(NoticeReader.notice_id == Notice.id, NoticeReader.settled_at.is_(None))
                .exists(),
            )
            .order_by(Notice.id)
        ).all()
        done = [
            (
                notice_id,
                meeting.id,
                whom,
                _who_is_done(session, notice_id, whom, about, meeting, now),
            )
            for notice_id, facts, meeting in open_notices
            for whom, about in [(Whom(facts["step"][0]), About(facts["step"][1]))]
        ]
    for notice_id, meeting_id, whom, people in done:
        for first in range(0, len(people), SETTLED_AT_ONCE):
            some = people[first : first + SETTLED_AT_ONCE]
            _settle(db, notice_id, meeting_id, whom, some, now)


def _who_is_done(
    session: Session, notice_id: int, whom: Whom, about: About, meeting: Meeting, now: datetime
) -> Sequence[int]:
    points = undone(meeting, about)
    if whom in {Whom.POINT, Whom.PARENT}:
        step = Step(0, 0, whom, about, frozenset())
        people = people_of(step, meeting, points, 0, now).subquery("people")
        done: ColumnElement[bool] = NoticeReader.person_id.not_in(select(people.c.person_id))
    else:
        done = ~select(Participation.id).where(points).exists()
    return session.scalars(
        select(NoticeReader.person_id)
        .where(NoticeReader.notice_id == notice_id, NoticeReader.settled_at.is_(None), done)
        .order_by(NoticeReader.person_id)
    ).all()


def _settle(
    db: Database, notice_id: int, meeting_id: int, whom: Whom, people: Sequence[int], now: datetime
) -> None:
    # Who did it knows; for the others it is news.
    read_at = func.coalesce(NoticeReader.read_at, now) if whom is Whom.POINT else None
    with giving_way(db) as session:
        changed: int = session.execute(
            update(NoticeReader)
            .where(
                NoticeReader.notice_id == notice_id,
                NoticeReader.settled_at.is_(None),
                NoticeReader.person_id.in_(people),
            )
            .values(settled_at=now, read_at=read_at)
            .execution_options(synchronize_session=False)
        ).rowcount  # type: ignore[attr-defined]  # an UPDATE has a row count
        if changed and whom is not Whom.POINT:
            now_settled = and_(NoticeReader.notice_id == notice_id, NoticeReader.settled_at == now)
            units = units_of_readers(session, now_settled)
            record(session, MeetingNotice(meeting_id, TELLING, units))
