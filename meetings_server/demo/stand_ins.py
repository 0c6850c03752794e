"""The three simulated operators who report for all units, each with a token."""

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from meetings_server.identity.tokens import create_token
from rooms.kernel import civil_day
from rooms.people import NewPerson, Person, Role, add_person, grant_role

OPERATORS = {
    "mophong.1": "Tổ trực điểm cầu số 1 (mô phỏng)",
    "mophong.2": "Tổ trực điểm cầu số 2 (mô phỏng)",
    "mophong.3": "Tổ trực điểm cầu số 3 (mô phỏng)",
}
"""Few, and named for what they are: lists of people are for people."""


def tokens_for(
    session: Session, points: Iterable[int], top_unit_id: int, name: str, now: datetime
) -> dict[int, str]:
    """A token for each point: that of the operator who reports it."""
    known = dict(
        session.execute(
            select(Person.username, Person.id).where(Person.username.in_(OPERATORS))
        ).all()
    )
    secrets = [
        create_token(
            session,
            known.get(username) or _bring_in(session, username, top_unit_id, now),
            name,
            now,
            2,
        )
        for username in OPERATORS
    ]
    return {point_id: secrets[point_id % len(secrets)] for point_id in points}


def _bring_in(session: Session, username: str, unit_id: int, now: datetime) -> int:
    """An operator without a password: nobody can log in as one."""
    today = civil_day(now)
    new = NewPerson(username, OPERATORS[username], "Tài khoản trình diễn, không đăng nhập được")
    person = add_person(session, new, unit_id, today)
    grant_role(session, person.id, Role.OPERATOR, unit_id, today)
    return person.id
