"""Rights against a second opinion: random trees, grants, substitutes, mandates and days.

The rules are written once more in plain Python below, without SQL, as one would tell them to a clerk;
whatever the database answers (lists, single checks, reasons) has to agree for every unit.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, create_engine, insert, select
from sqlalchemy.orm import Session
from sqlalchemy.pool import StaticPool

from meetings_server.tables import metadata
from rooms.grounds import rights_at
from rooms.hierarchy import Unit, UnitAncestry
from rooms.lending import Act, EntrustedAct, Entrustment, SubstitutedRole, Substitution
from rooms.people import Person, Role, RoleGrant
from rooms.policies import (
    ACT_PERMISSIONS,
    ROLE_PERMISSIONS,
    Actor,
    NotPermitted,
    Permission,
    governed,
    granted_units,
    holds,
    permissions_at,
    require,
    roles_of,
    top_units,
)
from rooms.reasons import explain, heritage_of

LONG_AGO = date(2021, 1, 1)
REFORM = date(2026, 11, 23)
NOON = datetime(2026, 11, 1, 5, tzinfo=UTC)
PEOPLE = (1, 2, 3)
DAYS = st.integers(-3, 3).map(lambda days: REFORM + timedelta(days=days))
READING = {
    Permission.MEETING_READ,
    Permission.ATTENDANCE_READ,
    Permission.PERSON_READ,
    Permission.DIRECTIVE_READ,
}


@dataclass(frozen=True)
class Grant:
    person: int
    role: Role
    unit: int
    first: date
    end: date | None


@dataclass(frozen=True)
class Lent:
    """Roles to a substitute, or acts to a secretary."""

    lender: int
    borrower: int
    what: frozenset[str]
    first: date
    end: date
    taken_back: bool


@dataclass(frozen=True)
class World:
    """`before`, `after`: the parent of each unit around the reform; `ended`: abolished by it."""

    before: dict[int, int | None]
    after: dict[int, int | None]
    ended: frozenset[int]
    grants: list[Grant]
    substitutions: list[Lent]
    mandates: list[Lent]
    active: frozenset[int]

    # ---- the second opinion ----------------------------------------------------------------------

    def chain(self, unit: int, day: date) -> list[int]:
        """The unit and everything above it; an abolished one hangs below its keeper."""
        parents = self.before if day < REFORM else self.after
        found = [unit]
        while (parent := parents[found[-1]]) is not None:
            found.append(parent)
        return found

    def roles_at(self, person: int, unit: int, day: date) -> set[Role]:
        """What somebody holds themselves."""
        above = self.chain(unit, day)
        return {
            grant.role
            for grant in self.grants
            if grant.person == person
            and grant.unit in above
            and grant.first <= day
            and (grant.end is None or day < grant.end)
        }

    def allowed(self, actor: Actor, permission: Permission, unit: int, day: date) -> bool:
        if actor.on_behalf_of is not None:
            official = actor.on_behalf_of
            acts = {
                Act(act)
                for lent in self.mandates
                if (lent.lender, lent.borrower) == (official, actor.person_id)
                and self.stands(lent, day)
                for act in lent.what
            }
            entrusted = set().union(READING, *(ACT_PERMISSIONS[act] for act in acts))
            roles = self.roles_at(official, unit, day) if acts else set()
            return permission in entrusted and any(permission in ROLE_PERMISSIONS[r] for r in roles)
        roles = self.roles_at(actor.person_id, unit, day)
        for lent in self.substitutions:
            if lent.borrower == actor.person_id and self.stands(lent, day):
                # Only what the absent person holds themselves: nothing that was lent to them.
                roles |= {r for r in self.roles_at(lent.lender, unit, day) if r.value in lent.what}
        return any(permission in ROLE_PERMISSIONS[role] for role in roles)

    def stands(self, lent: Lent, day: date) -> bool:
        return lent.first <= day < lent.end and not lent.taken_back and lent.lender in self.active


@st.composite
def lent_things(draw: st.DrawFn, kinds: type[Role] | type[Act], lenders: list[int]) -> Lent:
    lender = draw(st.sampled_from(lenders))
    borrower = draw(st.sampled_from([person for person in PEOPLE if person != lender]))
    first = draw(DAYS)
    return Lent(
        lender,
        borrower,
        frozenset(kind.value for kind in draw(st.sets(st.sampled_from(list(kinds)), min_size=2))),
        first,
        first + timedelta(days=draw(st.integers(1, 4))),
        draw(st.sampled_from((False, False, False, True))),
    )


@st.composite
def worlds(draw: st.DrawFn) -> World:
    count = draw(st.integers(2, 5))
    units = range(1, count + 1)
    before = {unit: draw(st.integers(1, unit - 1)) if unit > 1 else None for unit in units}
    ended = draw(st.frozensets(st.integers(2, count), max_size=2))
    # Parents come before children in both shapes, so neither has a cycle; the keeper of an
    # abolished unit is any unit that stays, and what stood below it moves elsewhere.
    staying = [unit for unit in units if unit not in ended]
    after: dict[int, int | None] = {1: None}
    for unit in units:
        if unit in ended:
            after[unit] = draw(st.sampled_from(staying))
        elif unit > 1:
            old = before[unit]
            higher = [other for other in staying if other < unit]
            moves = old in ended or draw(st.booleans())
            after[unit] = draw(st.sampled_from(higher)) if moves else old
    grants = [
        Grant(person, role, unit, first, None if length is None else first + timedelta(days=length))
        for person, role, unit, first, length in draw(
            st.lists(
                st.tuples(
                    st.sampled_from(PEOPLE),
                    st.sampled_from(list(Role)),
                    st.sampled_from(list(units)),
                    DAYS,
                    st.none() | st.integers(1, 4),
                ),
                min_size=1,
                max_size=6,
            )
        )
    ]
    holders = [grant.person for grant in grants]
    return World(
        before,
        after,
        ended,
        grants,
        draw(st.lists(lent_things(Role, holders), min_size=1, max_size=3)),
        draw(st.lists(lent_things(Act, holders), max_size=2)),
        draw(st.sampled_from((frozenset(PEOPLE), frozenset(PEOPLE), frozenset({1, 2})))),
    )


def _write(session: Session, world: World) -> None:
    session.execute(
        insert(Unit),
        [
            {
                "id": unit,
                "code": f"c{unit}",
                "level": "unit",
                "kind": "Đơn vị",
                "name": f"Đơn vị {unit}",
                "folded": f"don vi {unit}",
                "position": unit,
                "valid_from": LONG_AGO,
                "valid_until": REFORM if unit in world.ended else None,
            }
            for unit in world.before
        ],
    )
    session.execute(
        insert(UnitAncestry),
        [
            {
                "unit_id": unit,
                "ancestor_id": ancestor,
                "valid_from": first,
                "valid_until": end,
                "depth": depth,
            }
            for unit in world.before
            for first, end in ((LONG_AGO, REFORM), (REFORM, None))
            for depth, ancestor in enumerate(world.chain(unit, first))
        ],
    )
    session.execute(
        insert(Person),
        [
            {
                "id": person,
                "username": f"p{person}",
                "name": f"P{person}",
                "folded": f"p{person}",
                "title": "",
                "unit_id": 1,
                "active": person in world.active,
                "locale": "vi",
            }
            for person in PEOPLE
        ],
    )
    session.execute(
        insert(RoleGrant),
        [
            {
                "person_id": grant.person,
                "role": grant.role.value,
                "unit_id": grant.unit,
                "valid_from": grant.first,
                "valid_until": grant.end,
            }
            for grant in world.grants
        ],
    )
    for lent in world.substitutions:
        session.add(
            Substitution(
                absent_id=lent.lender,
                substitute_id=lent.borrower,
                roles=[SubstitutedRole(role=role) for role in lent.what],
                **_terms(lent),
            )
        )
    for lent in world.mandates:
        session.add(
            Entrustment(
                official_id=lent.lender,
                secretary_id=lent.borrower,
                acts=[EntrustedAct(act=act) for act in lent.what],
                **_terms(lent),
            )
        )
    session.flush()


def _terms(lent: Lent) -> dict[str, object]:
    return {
        "valid_from": lent.first,
        "valid_until": lent.end,
        "made_by": lent.lender,
        "made_at": NOON,
        "ended_at": NOON if lent.taken_back else None,
    }


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    engine = create_engine("sqlite://", poolclass=StaticPool)
    metadata.create_all(engine)
    yield engine
    engine.dispose()


@contextmanager
def undone(engine: Engine) -> Iterator[Session]:
    with Session(engine) as session, session.begin() as transaction:
        yield session
        transaction.rollback()


@st.composite
def questions(draw: st.DrawFn) -> tuple[World, Actor, date]:
    """A world, and an actor and a day to whom something in it happens: at the edges of its time."""
    world = draw(worlds())
    lent = [*world.substitutions, *world.mandates]
    things: list[Lent | Grant] = [*lent, *lent, *world.grants]
    thing = draw(st.sampled_from(things))
    if isinstance(thing, Grant):
        person, on_behalf = thing.person, None
    else:
        person = thing.borrower
        on_behalf = thing.lender if thing in world.mandates else None
    end = thing.end or thing.first + timedelta(days=2)
    day = draw(
        st.sampled_from(
            (thing.first, end - timedelta(days=1), end, thing.first - timedelta(days=1), REFORM)
        )
    )
    return world, Actor(person, f"P{person}", 1, on_behalf), day


@settings(
    max_examples=45, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(question=questions(), permission=st.sampled_from(list(Permission)))
def test_every_answer_agrees_with_the_second_opinion(
    engine: Engine, question: tuple[World, Actor, date], permission: Permission
) -> None:
    world, actor, day = question
    with undone(engine) as session:
        _write(session, world)
        expected = {unit for unit in world.before if world.allowed(actor, permission, unit, day)}
        # A list and the single checks.
        listed = session.scalars(select(Unit.id).where(governed(actor, permission, Unit.id, day)))
        assert set(listed) == expected
        assert any(
            permission in ROLE_PERMISSIONS[role] for role in roles_of(session, actor, day)
        ) >= bool(expected)
        desks = set(session.scalars(granted_units(actor, permission, day)))
        assert {unit.id for unit in top_units(session, actor, permission, day)} == desks
        for unit in world.before:
            allowed = unit in expected
            assert holds(session, actor, permission, unit, day) == allowed
            if allowed:
                require(session, actor, permission, unit, day)
            else:
                with pytest.raises(NotPermitted):
                    require(session, actor, permission, unit, day)
            # What is explained is allowed, and from where the right is said to come, it comes.
            reasons = explain(session, actor, permission, unit, day)
            assert bool(reasons) == allowed
            assert {reason.unit_id for reason in reasons} <= set(world.chain(unit, day)) & desks
            everything = {p for p in Permission if world.allowed(actor, p, unit, day)}
            assert permissions_at(session, actor, unit, day) == everything
            assert {
                right.permission for right in rights_at(session, actor, unit, day)
            } == everything
        kept = heritage_of(session, list(world.before), day)
        assert {unit: heir.keeper_id for unit, heir in kept.items()} == {
            unit: world.after[unit] for unit in world.ended if day >= REFORM
        }
