"""Simulated operators: one for each department and district, with a token each."""

from collections.abc import Mapping
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from meetings_server.identity.sessions import create_token
from rooms.folding import fold
from rooms.hierarchy import Node, Tree
from rooms.kernel import civil_day
from rooms.people import NewPerson, Person, Role, add_person, grant_role


def tokens_for(
    session: Session, points: Mapping[int, int], tree: Tree, name: str, now: datetime
) -> dict[int, str]:
    """A token for each point (id → id of its unit) of the operator who reports it."""
    known = dict(
        session.execute(
            select(Person.username, Person.id).where(Person.username.like("mophong.%"))
        ).all()
    )
    secrets: dict[int, str] = {}
    tokens: dict[int, str] = {}
    for point_id, unit_id in points.items():
        area = _area(tree, unit_id)
        if area.id not in secrets:
            person_id = known.get(_username(area)) or _bring_in(session, area, now)
            secrets[area.id] = create_token(session, person_id, name, now, 2)
        tokens[point_id] = secrets[area.id]
    return tokens


def _area(tree: Tree, unit_id: int) -> Node:
    """The unit right below the top in which a unit lies: its operator reports for all of it."""
    chain = tree.ancestry(unit_id)
    return chain[max(0, len(chain) - 2)]


def _username(area: Node) -> str:
    return f"mophong.{fold(area.code)}"


def _bring_in(session: Session, area: Node, now: datetime) -> int:
    """An operator without a password: nobody can log in as one."""
    today = civil_day(now)
    new = NewPerson(_username(area), f"Mô phỏng {area.name}", "Cán bộ trực (mô phỏng)")
    person = add_person(session, new, area.id, today)
    grant_role(session, person.id, Role.OPERATOR, area.id, today)
    return person.id
