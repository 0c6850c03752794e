"""The clock: reminders go out once, in time or not at all."""

import asyncio
import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from litestar.testing import TestClient
from sqlalchemy import func, select

from meetings_server import jobs
from meetings_server.app import create_app
from meetings_server.database import Database
from meetings_server.identity.sessions import LoginSession, open_session
from meetings_server.jobs import Clock, run_long_sweep, run_sweep
from meetings_server.mail.outbox import OutboxDelivery, OutboxMessage
from meetings_server.settings import Settings
from meetings_server.sweeps import logins, meeting_reminders, receipts
from minutes.circulation import acknowledge, recall
from rooms.attendance import CheckIn, Source
from rooms.check_ins import record_check_in
from rooms.kernel import utcnow
from rooms.meetings import Meeting, Reply
from rooms.people import Person
from rooms.replies import Answer, reply
from rooms.scheduling import cancel, change, request_of, start
from tests.documents import ALL_WARDS, circulated
from tests.factories import ALL, City, make_city, participation_of, scheduled_meeting

DAY, HOUR, MINUTE = timedelta(days=1), timedelta(hours=1), timedelta(minutes=1)


@pytest.fixture
def invited(db: Database) -> tuple[City, Meeting]:
    """A meeting on the fifth working day: nine units, eight of them invited by mail."""
    with db.transaction() as session:
        city = make_city(session, utcnow())
        return city, scheduled_meeting(session, city, utcnow())


def sweep_at(db: Database, now: datetime) -> None:
    run_long_sweep(db, "meeting reminders", meeting_reminders.sweep, now)


def at_once(act: Callable[[], object]) -> None:
    """Four threads at the same moment."""
    together = threading.Barrier(4)

    def one() -> None:
        together.wait()
        act()

    threads = [threading.Thread(target=one) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def reminders(db: Database) -> dict[str, list[str]]:
    """Addresses by kind of letter, without what is sent at once."""
    found: dict[str, list[str]] = {}
    with db.reader() as session:
        for kind, address in session.execute(
            select(OutboxMessage.kind, OutboxDelivery.address)
            .join(OutboxDelivery, OutboxDelivery.message_id == OutboxMessage.id)
            .where(
                OutboxMessage.kind.not_in(
                    ["invitation", "change", "cancellation", "directive_sent"]
                )
            )
            .order_by(OutboxDelivery.id)
        ):
            found.setdefault(kind, []).append(address)
    return found


def mail(*codes: str) -> list[str]:
    return [f"vanthu.{code.lower()}@hanoi.example" for code in codes]


EVERYBODY = mail("01-SNV", "01-STC", "001", "006", "00001", "00178", "00181", "00226")


def answer(db: Database, city: City, meeting: Meeting, code: str, said: Answer) -> None:
    with db.transaction() as session:
        participation = participation_of(session, meeting.id, city.units[code])
        reply(session, city.secretary, participation.id, said, utcnow())


def check_in(db: Database, city: City, meeting: Meeting, code: str, state: str) -> None:
    with db.connection() as connection:
        record_check_in(
            connection,
            CheckIn(meeting.id, city.points[code], state, city.secretary.person_id, Source.PAGE),
            meeting.starts_at - HOUR,
        )


def test_a_day_before_only_those_are_reminded_who_have_not_replied(
    db: Database, invited: tuple[City, Meeting]
) -> None:
    city, meeting = invited
    answer(db, city, meeting, "00181", Answer(Reply.ACCEPTED))
    answer(db, city, meeting, "00178", Answer(Reply.DECLINED, "Trùng lịch"))
    sweep_at(db, meeting.starts_at - DAY - MINUTE)
    assert reminders(db) == {}
    sweep_at(db, meeting.starts_at - DAY)
    assert reminders(db) == {
        "reminder_day": mail("01-SNV", "01-STC", "001", "006", "00001", "00226")
    }


def test_an_hour_before_all_are_reminded_who_have_not_declined(
    db: Database, invited: tuple[City, Meeting]
) -> None:
    city, meeting = invited
    answer(db, city, meeting, "00181", Answer(Reply.ACCEPTED))
    answer(db, city, meeting, "00178", Answer(Reply.DECLINED, "Trùng lịch"))
    sweep_at(db, meeting.starts_at - HOUR)
    assert reminders(db) == {
        "reminder_hour": [address for address in EVERYBODY if address not in mail("00178")]
    }


def test_silent_points_are_reminded_and_their_parents_told(
    db: Database, invited: tuple[City, Meeting]
) -> None:
    city, meeting = invited
    for code in ("01", "01-SNV", "01-STC", "001", "006", "00178"):
        check_in(db, city, meeting, code, "ready")
    sweep_at(db, meeting.starts_at - 30 * MINUTE)
    assert reminders(db)["silent_point"] == mail("00001", "00181", "00226")
    check_in(db, city, meeting, "00226", "present")
    sweep_at(db, meeting.starts_at - 10 * MINUTE)
    assert reminders(db)["silent_children"] == mail("001", "006")
    with db.reader() as session:
        told = session.scalars(
            select(OutboxDelivery.own).where(OutboxDelivery.unit_id == city.units["006"])
        ).all()[-1]
    assert told == {
        "items": [
            "Phường Văn Miếu: Phòng họp Phường Văn Miếu; Cán bộ kỹ thuật, điện thoại 0912 345 678"
        ]
    }


def test_nobody_is_bothered_where_all_have_checked_in(
    db: Database, invited: tuple[City, Meeting]
) -> None:
    city, meeting = invited
    for code in city.points:
        check_in(db, city, meeting, code, "present")
    sweep_at(db, meeting.starts_at - 5 * MINUTE)
    assert list(reminders(db)) == ["reminder_hour"]


@pytest.mark.parametrize("before", [DAY, HOUR, 30 * MINUTE, 10 * MINUTE])
def test_running_twice_sends_nothing_twice(
    db: Database, invited: tuple[City, Meeting], before: timedelta
) -> None:
    _, meeting = invited
    sweep_at(db, meeting.starts_at - before)
    once = reminders(db)
    assert once
    sweep_at(db, meeting.starts_at - before + MINUTE)
    sweep_at(db, meeting.starts_at - before + MINUTE)
    assert reminders(db) == once


def test_two_at_the_same_moment_send_it_once(db: Database, invited: tuple[City, Meeting]) -> None:
    _, meeting = invited
    at_once(lambda: sweep_at(db, meeting.starts_at - HOUR))
    assert reminders(db) == {"reminder_hour": EVERYBODY}


def test_late_by_three_hours_only_what_still_makes_sense_is_sent(
    db: Database, invited: tuple[City, Meeting]
) -> None:
    _, meeting = invited
    sweep_at(db, meeting.starts_at - DAY + 3 * HOUR)
    assert list(reminders(db)) == ["reminder_day"]
    sweep_at(db, meeting.starts_at - HOUR + 3 * HOUR)
    assert list(reminders(db)) == ["reminder_day"]


def test_who_has_just_been_invited_is_not_reminded(db: Database) -> None:
    now = utcnow()
    with db.transaction() as session:
        city = make_city(session, now)
        scheduled_meeting(session, city, now, starts_at=now + 40 * MINUTE)
    sweep_at(db, now + MINUTE)
    with db.reader() as session:
        assert (
            session.scalar(
                select(func.count())
                .select_from(OutboxDelivery)
                .join(OutboxMessage, OutboxMessage.id == OutboxDelivery.message_id)
                .where(OutboxMessage.kind != "invitation")
            )
            == 0
        )


def test_rescheduling_arms_the_reminders_again(db: Database, invited: tuple[City, Meeting]) -> None:
    city, meeting = invited
    sweep_at(db, meeting.starts_at - HOUR)
    with db.transaction() as session:
        request = request_of(session, session.get_one(Meeting, meeting.id), list(ALL))
        later = replace(request, starts_at=request.starts_at + DAY, ends_at=request.ends_at + DAY)
        change(session, city.secretary, meeting.id, later, utcnow(), reason="Dời")
    sweep_at(db, meeting.starts_at - HOUR)
    assert reminders(db)["reminder_hour"] == EVERYBODY
    sweep_at(db, meeting.starts_at + DAY - HOUR)
    assert reminders(db)["reminder_hour"] == EVERYBODY * 2


def test_who_had_replied_for_another_time_is_reminded_even_of_a_time_it_had_before(
    db: Database, invited: tuple[City, Meeting]
) -> None:
    city, meeting = invited
    answer(db, city, meeting, "00181", Answer(Reply.ACCEPTED))
    sweep_at(db, meeting.starts_at - DAY)
    for by in (HOUR, -HOUR):
        with db.transaction() as session:
            request = request_of(session, session.get_one(Meeting, meeting.id), list(ALL))
            request = replace(
                request, starts_at=request.starts_at + by, ends_at=request.ends_at + by
            )
            change(session, city.secretary, meeting.id, request, utcnow(), reason="Trùng lịch")
    with db.reader() as session:
        held = session.get_one(Meeting, meeting.id)
        assert held.starts_at == meeting.starts_at
    sweep_at(db, meeting.starts_at - DAY + MINUTE)
    everybody = [one for one in EVERYBODY if one not in mail("00181")] + EVERYBODY
    assert sorted(reminders(db)["reminder_day"]) == sorted(everybody)


@pytest.mark.parametrize("act", ["cancel", "start"])
def test_a_meeting_that_is_off_or_open_is_not_reminded_of(
    db: Database, invited: tuple[City, Meeting], act: str
) -> None:
    city, meeting = invited
    with db.transaction() as session:
        if act == "cancel":
            cancel(session, city.secretary, meeting.id, "Bão", utcnow())
        else:
            start(session, city.secretary, meeting.id, meeting.starts_at - 20 * MINUTE)
    sweep_at(db, meeting.starts_at - 5 * MINUTE)
    assert reminders(db) == {}


def remind_of_receipts(db: Database, now: datetime) -> int:
    return run_sweep(db, "receipt reminders", receipts.sweep, now)


def test_receipts_are_asked_for_once_when_near_and_once_when_overdue(
    db: Database, tmp_path: Path
) -> None:
    now = utcnow()
    with db.transaction() as session:
        city = make_city(session, now)
        directive = circulated(session, city, tmp_path, now, [ALL_WARDS])
        acknowledge(session, city.secretary, directive.id, city.units["00178"], now)
    deadline = now + 3 * DAY
    assert remind_of_receipts(db, deadline - DAY - HOUR) == 0
    assert remind_of_receipts(db, deadline - DAY) == 3
    assert remind_of_receipts(db, deadline - HOUR) == 0
    assert reminders(db) == {"directive_due": mail("00001", "00181", "00226")}
    with db.transaction() as session:
        acknowledge(session, city.secretary, directive.id, city.units["00181"], deadline - HOUR)
    assert remind_of_receipts(db, deadline + HOUR) == 2
    assert remind_of_receipts(db, deadline + 2 * HOUR) == 0
    assert reminders(db)["directive_overdue"] == mail("00001", "00226")
    with db.reader() as session:
        facts = session.scalars(
            select(OutboxMessage.facts).where(OutboxMessage.kind == "directive_due")
        ).one()
    assert (facts["symbol"], facts["host"]) == ("01/KH-UBND", "Thành phố Hà Nội")
    assert facts["path"] == f"/directives/{directive.id}"


def test_an_old_or_recalled_directive_is_not_reminded_of(db: Database, tmp_path: Path) -> None:
    now = utcnow()
    with db.transaction() as session:
        city = make_city(session, now)
        directive = circulated(session, city, tmp_path, now, [ALL_WARDS])
    assert remind_of_receipts(db, now + 3 * DAY + receipts.TOO_LATE) == 0
    with db.transaction() as session:
        recall(session, city.secretary, directive.id, "Ban hành nhầm", now)
    assert remind_of_receipts(db, now + 3 * DAY) == 0


def test_receipts_are_asked_for_once_by_two_at_the_same_moment(
    db: Database, tmp_path: Path
) -> None:
    now = utcnow()
    with db.transaction() as session:
        city = make_city(session, now)
        circulated(session, city, tmp_path, now, [ALL_WARDS])
    at_once(lambda: remind_of_receipts(db, now + 2 * DAY))
    assert reminders(db) == {"directive_due": mail("00001", "00178", "00181", "00226")}


def test_ended_sessions_are_deleted(db: Database, invited: tuple[City, Meeting]) -> None:
    city, _ = invited
    now = utcnow()
    with db.transaction() as session:
        person = session.get_one(Person, city.secretary.person_id)
        open_session(session, person, now, 1)
        open_session(session, person, now, 12)
    assert run_sweep(db, "ended sessions", logins.sweep, now + 2 * HOUR) == 1
    with db.reader() as session:
        assert session.scalar(select(func.count()).select_from(LoginSession)) == 1


def test_the_running_server_runs_the_sweeps(
    db: Database, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran = threading.Event()

    def look(session: object, now: datetime) -> int:
        del session
        assert now.tzinfo is not None
        ran.set()
        return 0

    monkeypatch.setattr(jobs, "SWEEPS", (("test", look, 3600),))
    monkeypatch.setattr(jobs, "FIRST_RUN_AFTER", timedelta(0))

    with TestClient(create_app(settings, db)):
        assert ran.wait(10)


async def _running(clock: Clock) -> None:
    for _ in range(6000):
        if clock.is_running:
            return
        await asyncio.sleep(0.01)
    pytest.fail("it did not take over")


def test_one_process_runs_the_sweeps_and_another_takes_over(db: Database) -> None:
    alone = not db.is_postgresql  # a SQLite file is one process's own

    async def two() -> list[tuple[bool, bool]]:
        seen = []
        first, second = (Clock(db, take_over_seconds=0.05) for _ in range(2))
        one = asyncio.create_task(first.run())
        await _running(first)
        two = asyncio.create_task(second.run())
        # Long enough to ask some times whether it may take over.
        await asyncio.sleep(0.3)
        if alone:
            await _running(second)
        seen.append((first.is_running, second.is_running))
        first.stop()
        await one
        await _running(second)
        seen.append((first.is_running, second.is_running))
        second.stop()
        await two
        seen.append((first.is_running, second.is_running))
        return seen

    assert asyncio.run(two()) == [(True, alone), (False, True), (False, False)]
