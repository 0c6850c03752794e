"""What a meeting's form chooses from: host units, main points, chairs, the tree of the audience."""

from datetime import date
from typing import Any

import msgspec
from litestar import MediaType, Response, get
from litestar.exceptions import NotFoundException
from litestar.status_codes import HTTP_200_OK
from sqlalchemy import ColumnElement, case, select
from sqlalchemy.orm import Session

from meetings_server.database import Database
from meetings_server.i18n import _, current_language, ngettext, short_day
from meetings_server.reading import read_day
from meetings_server.web.meeting_words import LEVELS, word
from meetings_server.web.pages import PageRequest
from rooms.bridge_points import IN_ORDER, BridgePoint, open_on
from rooms.folding import fold, has_words
from rooms.hierarchy import Tree, Unit, load_tree, valid_on
from rooms.kernel import FieldInvalid, civil_day, utcnow
from rooms.lineage import days_of_change, former_units
from rooms.people import Person, Role, RoleGrant
from rooms.policies import Actor, Permission, governed, holding, top_units

MOST_CHOICES = 20
MOST_TYPED = 100

Choice = dict[str, Any]


def host_units(
    session: Session, actor: Actor, query: str, on: date, day: date | None = None
) -> list[Choice]:
    """Units of the day of the meeting for which the actor may make meetings, one's own first."""
    first = [unit.id for unit in top_units(session, actor, Permission.MEETING_WRITE, on)]
    rows = session.execute(
        select(Unit.id, Unit.name, Unit.level)
        .where(
            valid_on(Unit, max(on, day or on)),
            governed(actor, Permission.MEETING_WRITE, Unit.id, on),
            *has_words(Unit.folded.expression, query),
        )
        .order_by(case((Unit.id.in_(first), 0), else_=1), Unit.position, Unit.id)
        .limit(MOST_CHOICES)
    )
    return [_choice(unit_id, name, word(LEVELS, level)) for unit_id, name, level in rows]


def all_units(session: Session, actor: Actor, query: str, on: date) -> list[Choice]:
    """Any unit, by its code: what lists are filtered by; then those of the past, with their day."""
    rows = session.execute(
        select(Unit.code, Unit.name, Unit.level)
        .where(valid_on(Unit, on), *has_words(Unit.folded.expression, query))
        .order_by(case((Unit.id == actor.unit_id, 0), else_=1), Unit.position, Unit.id)
        .limit(MOST_CHOICES)
    )
    found = [_choice(code, name, word(LEVELS, level)) for code, name, level in rows]
    former = former_units(session, query, on, MOST_CHOICES - len(found))
    return found + [
        _choice(unit.key, unit.name, _("until {day}").format(day=short_day(unit.last_day)))
        for unit in former
    ]


def main_points(session: Session, actor: Actor, query: str, on: date) -> list[Choice]:
    """Bridge points by the name of the point or of its unit, those of the actor's unit first."""
    rows = session.execute(
        select(BridgePoint.id, BridgePoint.name, Unit.name, BridgePoint.capacity)
        .join(Unit, Unit.id == BridgePoint.unit_id)
        .where(valid_on(Unit, on), open_on(on), *has_words(Unit.folded.expression, query))
        .order_by(
            case((BridgePoint.unit_id == actor.unit_id, 0), else_=1), Unit.position, *IN_ORDER
        )
        .limit(MOST_CHOICES)
    )
    return [
        _choice(
            point_id,
            name,
            " · ".join(
                [unit]
                + (
                    [ngettext("%(num)s seat", "%(num)s seats", seats) % {"num": seats}]
                    if seats
                    else []
                )
            ),
        )
        for point_id, name, unit, seats in rows
    ]


def officials(session: Session, actor: Actor, query: str, on: date) -> list[Choice]:
    """Officials by name, those of the actor's own unit first."""
    return _people(session, actor, query, _holding(Role.OFFICIAL, on))


def secretaries(session: Session, actor: Actor, query: str, on: date) -> list[Choice]:
    """Secretaries by name, those of the actor's own unit first."""
    return _people(session, actor, query, _holding(Role.SECRETARY, on))


def everybody(session: Session, actor: Actor, query: str, on: date) -> list[Choice]:
    """People whose account is open by name, those of the actor's own unit first."""
    del on  # whoever has no role today may have one tomorrow
    return _people(session, actor, query)


def present_units(session: Session, actor: Actor, query: str, on: date) -> list[Choice]:
    """Units of today by their code, the actor's own first: where people and roles belong."""
    rows = session.execute(
        select(Unit.code, Unit.name, Unit.level)
        .where(valid_on(Unit, on), *has_words(Unit.folded.expression, query))
        .order_by(case((Unit.id == actor.unit_id, 0), else_=1), Unit.position, Unit.id)
        .limit(MOST_CHOICES)
    )
    return [_choice(code, name, f"{word(LEVELS, level)} · {code}") for code, name, level in rows]


def _holding(role: Role, on: date) -> ColumnElement[bool]:
    return Person.id.in_(
        select(RoleGrant.person_id).where(RoleGrant.role == role.value, holding(on))
    )


def _people(
    session: Session, actor: Actor, query: str, *wanted: ColumnElement[bool]
) -> list[Choice]:
    rows = session.execute(
        select(Person.id, Person.name, Person.title, Unit.name)
        .join(Unit, Unit.id == Person.unit_id)
        .where(Person.active, *wanted, *has_words(Person.folded.expression, query))
        .order_by(case((Person.unit_id == actor.unit_id, 0), else_=1), Person.name, Person.id)
        .limit(MOST_CHOICES)
    )
    return [
        _choice(person_id, name, ", ".join(part for part in (title, unit) if part))
        for person_id, name, title, unit in rows
    ]


def _choice(key: int | str, label: str, note: str) -> Choice:
    return {"id": key, "label": label, "note": note}


SOURCES = {
    "units": all_units,
    "points": main_points,
    "chairs": officials,
    "secretaries": secretaries,
    "present-units": present_units,
    "people": everybody,
}


@get("/meetings/choices/{what:str}", include_in_schema=False, sync_to_thread=True)
def choices(request: PageRequest, db: Database, what: str) -> Response[list[Choice]]:
    """At most twenty choices that fit what has been typed; hosts of a day to come with `?on=`."""
    if what != "hosts" and what not in SOURCES:
        raise NotFoundException
    query = request.query_params.get("q", "")[:MOST_TYPED]
    today, day = civil_day(utcnow()), read_day(request.query_params.get("on", ""))
    with db.reader() as session:
        if what == "hosts":
            found = host_units(session, request.user.actor, query, today, day)
        else:
            found = SOURCES[what](session, request.user.actor, query, today)
    return Response(found, status_code=HTTP_200_OK, headers={"cache-control": "no-store"})


@get("/meetings/tree", include_in_schema=False, sync_to_thread=True)
def audience_tree(request: PageRequest, db: Database) -> Response[bytes]:
    """The units of a day (`?on=`, today without) for the audience's boxes, parents first.

    Rows are `[code, index of the parent or -1, index of the level, name, folded name]`. The header
    `x-tree-changes` names the days to come on which the tree changes. Raises `FieldInvalid`.
    """
    today = civil_day(utcnow())
    text = request.query_params.get("on", "")
    on = read_day(text) if text else today
    if on is None:
        raise FieldInvalid("on", "not_a_date")
    with db.reader() as session:
        tree = load_tree(session, on)
        coming = [day.isoformat() for day in days_of_change(session) if day > today]
    packed = tree.once(("audience", current_language.get()), lambda: _packed(tree))
    return Response(
        packed,
        media_type=MediaType.JSON,
        headers={
            # The header counts as much as the tree: it tells of a plan that was applied just now.
            "cache-control": "no-cache" if coming else "private, max-age=300",
            "x-tree-changes": ",".join(coming),
        },
    )


def _packed(tree: Tree) -> bytes:
    nodes = [node for root in tree.roots for node in tree.subtree(root.id)]
    place = {node.id: index for index, node in enumerate(nodes)}
    levels = tree.levels
    rank = {level: index for index, level in enumerate(levels)}
    body = {
        "levels": [[level, word(LEVELS, level)] for level in levels],
        "units": [
            [
                node.code,
                place.get(node.parent_id or 0, -1),
                rank[node.level],
                node.name,
                fold(node.name),
            ]
            for node in nodes
        ],
    }
    return msgspec.json.encode(body)


HANDLERS = [choices, audience_tree]
