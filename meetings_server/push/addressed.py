"""Whom a rule means: the people of silent points, of their parents, of the host.

Each function gives one SELECT of `person_id` and `count`, the number of points it is about for them, so
that a nation is told by one INSERT … SELECT. Somebody's substitute is meant with them; accounts that
are closed are nobody.
"""

from collections.abc import Collection
from datetime import date

from sqlalchemy import ColumnElement, Select, Subquery, and_, func, literal, select, union_all
from sqlalchemy.orm import Session

from rooms.attendance import PointState
from rooms.hierarchy import UnitAncestry, valid_on
from rooms.lending import SubstitutedRole, Substitution, lent_on
from rooms.meetings import Meeting, Participation, Reply, invited
from rooms.people import Person, Role, RoleGrant
from rooms.policies import holding
from rooms.technicians import PointTechnician

AT_THE_POINT = (Role.OPERATOR, Role.SECRETARY, Role.TECHNICIAN)
"""Who checks a point in, or finds out why nobody does."""

People = Select[int, int]


def silent(meeting: Meeting) -> ColumnElement[bool]:
    """The invitations whose points have said nothing; the host's own main point is where the chair sits."""
    said = select(PointState.point_id).where(PointState.meeting_id == meeting.id)
    return and_(
        invited(meeting.id),
        Participation.invited_at.is_not(None),
        Participation.reply != Reply.DECLINED.value,
        Participation.point_id.not_in(said),
        ~and_(
            Participation.point_id == meeting.main_point_id,
            Participation.unit_id == meeting.host_unit_id,
        ),
    )


def count_silent(session: Session, meeting: Meeting) -> int:
    return (
        session.scalar(select(func.count()).select_from(Participation).where(silent(meeting))) or 0
    )


def of_points(points: ColumnElement[bool], on: date) -> People:
    """The people at the units of invited points, and who looks after these points.

    `points`: a condition on `Participation`. `on`: the day whose roles hold.
    """
    asked = select(Participation.unit_id, Participation.point_id).where(points).subquery("asked")
    technicians = select(PointTechnician.person_id, asked.c.point_id).join(
        asked, asked.c.point_id == PointTechnician.point_id
    )
    return _counted([*_at_units(asked, AT_THE_POINT, on), technicians])


def of_helpers(points: ColumnElement[bool], meeting: Meeting, on: date) -> People:
    """The technicians of invited points, of the units above them, and of the host.

    `points`: a condition on `Participation`.
    """
    at_points = (
        select(Participation.unit_id, Participation.point_id)
        .where(invited(meeting.id), points)
        .subquery("at_points")
    )
    above = (
        select(UnitAncestry.ancestor_id.label("unit_id"), at_points.c.point_id)
        .join(UnitAncestry, UnitAncestry.unit_id == at_points.c.unit_id)
        .where(valid_on(UnitAncestry, meeting.day))
        .subquery("above")
    )
    hosted = select(literal(meeting.host_unit_id).label("unit_id"), at_points.c.point_id).subquery(
        "hosted"
    )
    looked_after = select(PointTechnician.person_id, at_points.c.point_id).join(
        at_points, at_points.c.point_id == PointTechnician.point_id
    )
    technicians = (Role.TECHNICIAN,)
    return _counted(
        [
            *_at_units(above, technicians, on),
            *_at_units(hosted, technicians, on),
            looked_after,
        ]
    )


def of_parents(points: ColumnElement[bool], meeting: Meeting, on: date) -> People:
    """The people of the units above invited points, by the tree of the meeting's day."""
    asked = (
        select(UnitAncestry.ancestor_id.label("unit_id"), Participation.point_id)
        .join(UnitAncestry, UnitAncestry.unit_id == Participation.unit_id)
        .where(points, UnitAncestry.depth == 1, valid_on(UnitAncestry, meeting.day))
        .subquery("asked")
    )
    return _counted(_at_units(asked, AT_THE_POINT, on))


def of_chair(meeting: Meeting, count: int, on: date) -> People:
    """The chair, and who stands in for the chair."""
    return _known(
        [
            select(Person.id.label("person_id")).where(Person.id == meeting.chair_id),
            select(Substitution.substitute_id).where(
                Substitution.absent_id == meeting.chair_id, lent_on(Substitution, on)
            ),
        ],
        count,
    )


def of_secretaries(meeting: Meeting, count: int, on: date) -> People:
    """The host's secretaries, and who made the meeting."""
    return _known(
        [
            *_people_at([meeting.host_unit_id], (Role.SECRETARY,), on),
            select(Person.id).where(Person.id == meeting.created_by),
        ],
        count,
    )


def of_technicians(meeting: Meeting, count: int, on: date) -> People:
    """The host's technicians, and who looks after the main point."""
    return _known(
        [
            *_people_at([meeting.host_unit_id], (Role.TECHNICIAN,), on),
            select(PointTechnician.person_id).where(
                PointTechnician.point_id == meeting.main_point_id
            ),
        ],
        count,
    )


def named(
    person_ids: Collection[int], unit_ids: Collection[int], roles: Collection[Role], on: date
) -> People:
    """People named one by one, and those who hold one of the roles at one of the units."""
    return _known(
        [
            select(Person.id.label("person_id")).where(Person.id.in_(person_ids)),
            *_people_at(unit_ids, roles, on),
        ],
        0,
    )


def _at_units(asked: Subquery, roles: Collection[Role], on: date) -> list[Select[int, int]]:
    """(person, point) of those whose roles stand at `asked.unit_id` itself, and of their substitutes."""
    here = and_(
        RoleGrant.unit_id == asked.c.unit_id, RoleGrant.role.in_(_words(roles)), holding(on)
    )
    return [
        select(RoleGrant.person_id, asked.c.point_id).join(asked, here),
        _substitutes(on).add_columns(asked.c.point_id).join(asked, here),
    ]


def _people_at(unit_ids: Collection[int], roles: Collection[Role], on: date) -> list[Select[int]]:
    here = and_(RoleGrant.unit_id.in_(unit_ids), RoleGrant.role.in_(_words(roles)), holding(on))
    return [select(RoleGrant.person_id).where(here), _substitutes(on).where(here)]


def _substitutes(on: date) -> Select[int]:
    return (
        select(Substitution.substitute_id.label("person_id"))
        .select_from(RoleGrant)
        .join(Substitution, Substitution.absent_id == RoleGrant.person_id)
        .join(
            SubstitutedRole,
            and_(
                SubstitutedRole.substitution_id == Substitution.id,
                SubstitutedRole.role == RoleGrant.role,
            ),
        )
        .where(lent_on(Substitution, on))
    )


def _words(roles: Collection[Role]) -> list[str]:
    return [role.value for role in roles]


def _counted(ways: list[Select[int, int]]) -> People:
    found = union_all(*ways).subquery("found")
    return (
        select(found.c.person_id, func.count(found.c.point_id.distinct()).label("count"))
        .join(Person, Person.id == found.c.person_id)
        .where(Person.active)
        .group_by(found.c.person_id)
    )


def _known(ways: list[Select[int]], count: int) -> People:
    found = union_all(*ways).subquery("found")
    return (
        select(found.c.person_id, literal(count).label("count"))
        .join(Person, Person.id == found.c.person_id)
        .where(Person.active)
        .group_by(found.c.person_id)
    )
