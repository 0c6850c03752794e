"""On whose behalf a login acts: what every page shows of it, looked up anew with each request."""

from dataclasses import dataclass
from datetime import date, timedelta

from sqlalchemy.orm import Session

from rooms.entrustment import entrusted_to
from rooms.lending import Act
from rooms.people import Role
from rooms.policies import Actor, Permission, permissions_of, permissions_of_acts, roles_of


ENTRUSTABLE = frozenset({Role.OFFICIAL, Role.SECRETARY})


@dataclass(frozen=True, slots=True)
class Acting:
    """The official for whom a secretary acts, and how far."""

    official_id: int
    name: str
    title: str
    unit_id: int
    unit_name: str
    unit_code: str
    acts: tuple[Act, ...]
    last_day: date
    roles: frozenset[Role]
    """Of the official's those in which anything can be entrusted."""

    @property
    def rights(self) -> frozenset[Permission]:
        return permissions_of(self.roles) & permissions_of_acts(self.acts)


def acting_of(session: Session, secretary: Actor, official_id: int, on: date) -> Acting | None:
    """None where nothing is entrusted any more: then the login stands for its owner again."""
    found = entrusted_to(session, secretary.person_id, official_id, on)
    if found is None:
        return None
    official = found.official
    for_them = Actor(secretary.person_id, secretary.name, official.unit_id, official_id)
    return Acting(
        official.id,
        official.name,
        official.title,
        official.unit_id,
        official.unit.name,
        official.unit.code,
        tuple(Act(entrusted.act) for entrusted in found.acts),
        found.valid_until - timedelta(days=1),
        frozenset(roles_of(session, for_them, on)) & ENTRUSTABLE,
    )
