"""What is sent again after a lost answer, comes out of order, or from a clock that is wrong."""

from datetime import datetime, timedelta
from random import Random

import pytest

from meetings_server.database import Database
from rooms.attendance import CheckIn, PointState, Source, log_after, note_meeting_change
from rooms.check_ins import record_check_in, record_check_ins
from rooms.kernel import civil_day, utcnow
from rooms.known_states import Memory
from rooms.meetings import Meeting, Participation
from rooms.rollup import PointNow, state_at
from rooms.scheduling import end, start
from tests.factories import City, make_city, scheduled_meeting

MINUTE = timedelta(minutes=1)


class Day:
    """A meeting's day: times are minutes after the planned start."""

    def __init__(self, db: Database) -> None:
        self.db = db
        with db.transaction() as session:
            self.city: City = make_city(session, utcnow())
            self.meeting: Meeting = scheduled_meeting(session, self.city, utcnow())

    def at(self, minutes: float) -> datetime:
        return self.meeting.starts_at + minutes * MINUTE

    def said(
        self,
        state: str,
        observed: float | None = None,
        headcount: int | None = None,
        code: str = "00181",
        source: Source = Source.API,
    ) -> CheckIn:
        return CheckIn(
            self.meeting.id,
            self.city.points[code],
            state,
            self.city.secretary.person_id,
            source,
            headcount,
            observed_at=None if observed is None else self.at(observed),
        )

    def send(self, minutes: float, *said: CheckIn, memory: Memory | None = None) -> list[int]:
        with self.db.connection() as connection:
            outcomes = record_check_ins(connection, said, self.at(minutes), memory)
        assert all(isinstance(outcome, int) for outcome in outcomes), outcomes
        return [outcome for outcome in outcomes if isinstance(outcome, int)]

    def log(self) -> list[tuple[int, str]]:
        with self.db.reader() as session:
            return [(r.revision, r.state) for r in log_after(session, self.meeting.id, 0)]

    def states(self, minutes: float | None = None) -> dict[int, PointNow]:
        at = None if minutes is None else self.at(minutes)
        with self.db.reader() as session:
            return {p.point_id: p for p in state_at(session, self.meeting.id, at)}

    def shown(self, code: str = "00181") -> str:
        return self.states()[self.city.points[code]].state


@pytest.fixture
def day(db: Database) -> Day:
    return Day(db)


def test_the_same_again_gets_the_first_revision_whatever_came_between(day: Day) -> None:
    first = day.said("present", -9, 12)
    other = day.said("needs_help", -9)
    last = day.said("lost", -5)
    assert day.send(-4, first, other, first) == [1, 2, 1]
    assert day.send(-3, last) == [3]
    # One by one, together, in another order, and said with less.
    assert [day.send(-2, again)[0] for again in (first, other, last)] == [1, 2, 3]
    assert day.send(-1, last, first, other, day.said("present", -9)) == [3, 1, 2, 1]
    assert day.log() == [(1, "present"), (2, "needs_help"), (3, "lost")]
    assert day.shown() == "lost"
    # Over the same instant something else is a correction.
    assert day.send(0, day.said("present", -9, 13)) == [4]
    assert day.send(0, first) == [1]
    # An answer that was lost is given also when the doors are closed.
    with day.db.transaction() as session:
        start(session, day.city.secretary, day.meeting.id, day.at(0))
    with day.db.transaction() as session:
        end(session, day.city.secretary, day.meeting.id, day.at(1))
    assert day.send(2, first, last) == [1, 3]


def test_a_queue_that_is_sent_twice_and_shuffled_is_written_once(day: Day) -> None:
    chance = Random(4)  # noqa: S311 -- the same every time
    states = ("ready", "present", "lost", "needs_help", "present", "left")
    queue = [day.said(state, -30 + 3 * place) for place, state in enumerate(states)]
    told = dict(zip(queue, day.send(0, *queue), strict=True))
    assert sorted(told.values()) == [1, 2, 3, 4, 5, 6]
    for memory in (None, Memory()):
        chance.shuffle(queue)
        assert day.send(1, *queue, memory=memory) == [told[said] for said in queue]
    assert len(day.log()) == 6
    assert day.shown() == "left"


def test_a_repetition_is_known_by_what_a_fast_clock_claimed(day: Day) -> None:
    fast = day.said("present", 1)
    assert day.send(0, fast) == [1]
    # The room's second device has the right time.
    assert day.send(0.5, day.said("lost", 0.5)) == [2]
    assert day.send(0.7, fast) == [1]
    assert day.send(5, fast) == [1]
    assert day.shown() == "lost"
    with day.db.reader() as session:
        row = log_after(session, day.meeting.id, 0)[0]
        assert (row.observed_at, row.device_at) == (day.at(0), day.at(1))


def test_a_clock_that_is_set_back_does_not_turn_the_log_round(day: Day) -> None:
    assert day.send(0, day.said("present")) == [1]
    # An hour earlier by the clock, a moment later in the room; the check-in was not open then.
    assert day.send(-180, day.said("lost")) == [2]
    assert day.shown() == "lost"
    with day.db.transaction() as session:
        note_meeting_change(session, day.meeting.id, day.at(-180))
    with day.db.reader() as session:
        times = [row.recorded_at for row in log_after(session, day.meeting.id, 0)]
    assert times == [day.at(0)] * 3


def test_what_the_video_system_repeats_is_written_once_and_a_person_confirms(day: Day) -> None:
    joined = day.said("present", source=Source.VIDEO)
    gone = day.said("lost", source=Source.VIDEO)
    # Of a point that was never there: kept, without effect, and not every time.
    assert [day.send(t, gone)[0] for t in (-9, -8)] == [1, 1]
    assert day.shown() == "invited"
    assert [day.send(t, joined)[0] for t in (-7, -6)] == [2, 2]
    assert [day.send(t, day.said("present", headcount=9))[0] for t in (-5, -4)] == [3, 3]
    assert day.send(-3, day.said("needs_help")) == [4]
    assert [day.send(t, joined)[0] for t in (-2.5, -2)] == [2, 2]
    assert [day.send(t, gone)[0] for t in (-1.5, -1)] == [5, 5]
    assert day.shown() == "needs_help"
    assert day.send(0, day.said("lost")) == [6]
    assert day.send(1, joined) == [7]
    now = day.states()[day.city.points["00181"]]
    assert (now.state, now.headcount, now.source) == ("present", 9, "video")


def test_what_a_writer_remembers_is_what_the_database_says(day: Day) -> None:
    """Two by turns, changes of the meeting, a withdrawn point, a batch that is rolled back."""
    chance = Random(9)  # noqa: S311 -- the same every time
    codes = [code for code in day.city.points if code != "01"]
    memories = [Memory(), Memory()]
    states = ("ready", "present", "lost", "needs_help", "left")
    for turn in range(60):
        minutes = turn / 4
        said = []
        for _ in range(chance.randint(1, 5)):
            observed = None if chance.random() < 0.5 else minutes - chance.randint(0, 5)
            made = day.said(chance.choice(states), observed, chance.choice((None, 5, 6)))
            point = day.city.points[chance.choice(codes)]
            source = Source.VIDEO if chance.random() < 0.2 else Source.LIVE
            state = chance.choice(("present", "lost")) if source is Source.VIDEO else made.state
            said.append(
                CheckIn(day.meeting.id, point, state, 1, source, made.headcount, None, None,
                        made.observed_at)
            )  # fmt: skip
        memory = chance.choice(memories)
        if turn % 10 == 7:
            with day.db.engine.connect() as connection:
                record_check_ins(connection, said, day.at(minutes), memory)
                connection.rollback()
            memory.forget()
        elif turn % 10 == 9:
            with day.db.transaction() as session:
                note_meeting_change(session, day.meeting.id, day.at(minutes))
        else:
            day.send(minutes, *said, memory=memory)
    revisions = [revision for revision, _ in day.log()]
    assert revisions == list(range(1, len(revisions) + 1))
    assert day.states() == day.states(60)
    with day.db.transaction() as session:
        gone = session.query(Participation).filter_by(point_id=day.city.points["00226"]).one()
        gone.withdrawn_at = day.at(30)
        note_meeting_change(session, day.meeting.id, day.at(30))
    for memory in memories:
        with day.db.connection() as connection:
            refused = record_check_ins(
                connection, [day.said("lost", code="00226")], day.at(31), memory
            )
        assert not isinstance(refused[0], int)
    assert civil_day(day.at(0)) == day.meeting.day


def test_a_point_without_a_state_has_no_row_of_states(day: Day) -> None:
    with day.db.connection() as connection:
        record_check_in(connection, day.said("lost", source=Source.VIDEO), day.at(0))
    with day.db.reader() as session:
        assert session.query(PointState).count() == 0
