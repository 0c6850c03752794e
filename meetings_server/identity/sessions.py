"""Server-side sessions: what a request shows, and whom it stands for.

A cookie or a bearer token (`tokens`) is a random secret; the database keeps its SHA-256, so that a copy of the
database opens no door.
"""

import secrets
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from hashlib import sha256
from typing import Any

from sqlalchemy import ColumnElement, Connection, ForeignKey, delete, false, select, update
from sqlalchemy.orm import InstrumentedAttribute, Mapped, Session, mapped_column

from meetings_server.identity.mandates import NO_LOANS, Acting, Loans, acting_of, lends, loans_of
from meetings_server.identity.passwords import Credential
from meetings_server.identity.tokens import ALL_SCOPES, ApiToken
from rooms.devices import KioskDevice
from rooms.hierarchy import Unit
from rooms.kernel import Base, civil_day
from rooms.people import Person, Role
from rooms.policies import Actor, Permission, permissions_of, roles_of

COOKIE = "meetings_session"

PASSWORD, OIDC = "password", "oidc"
"""How somebody logged in: here, or at the OpenID Connect provider."""

LAST_SEEN_GRAIN = timedelta(minutes=10)
"""How old `last_seen_at` may grow before a request writes it: most requests only read."""

LONGEST_AGENT = 300


class LoginSession(Base):
    """One browser that is logged in, until `expires_at`."""

    __tablename__ = "login_session"

    id: Mapped[int] = mapped_column(primary_key=True)
    secret_hash: Mapped[str] = mapped_column(unique=True)
    person_id: Mapped[int] = mapped_column(ForeignKey("person.id"), index=True)
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    last_seen_at: Mapped[datetime]
    """To about ten minutes: see `LAST_SEEN_GRAIN`."""
    acting_for_id: Mapped[int | None] = mapped_column(ForeignKey("person.id"))
    """The official on whose behalf this browser acts until that is left or ends."""
    user_agent: Mapped[str] = mapped_column(default="")
    """What the browser calls itself, cut to 300 characters."""
    address: Mapped[str] = mapped_column(default="")
    method: Mapped[str] = mapped_column(default=PASSWORD, server_default=PASSWORD)
    second_factor: Mapped[bool] = mapped_column(default=False, server_default=false())
    """Whether a second factor was shown, here or at the provider."""
    id_token: Mapped[str | None]
    """What the provider said, sealed: it is shown to the provider again to log out there."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a login comes from, as far as the request tells."""

    address: str = ""
    user_agent: str = ""


NOWHERE = Origin()


@dataclass(frozen=True, slots=True)
class Proof:
    """What somebody has shown to be let in."""

    method: str = PASSWORD
    second_factor: bool = False
    id_token: str | None = None


BY_PASSWORD = Proof()


Column = InstrumentedAttribute[Any] | ColumnElement[Any]

Shown = type[LoginSession] | type[ApiToken]
"""What a request of a person can show: both are found by the hash of a secret."""


@dataclass(frozen=True, slots=True)
class SignedIn:
    """The person a request stands for, with what every page shows of them."""

    person_id: int
    username: str
    name: str
    title: str
    unit_id: int
    unit_name: str
    unit_code: str
    locale: str
    roles: frozenset[Role]
    seen_lately: bool = True
    """Whether `last_seen_at` is new enough to be left alone."""
    must_change: bool = False
    """Somebody else knows the password: it is replaced before anything else."""
    login: str = ""
    """The hash of the secret that was shown: `standing` says whether it still opens anything."""
    must_enrol: bool = False
    """A role asks for a second factor and there is none: it is set up before anything else."""
    scopes: frozenset[str] = ALL_SCOPES
    """What a token opens (`tokens`); a browser opens everything."""
    no_substitution_on: date | None = None
    """A day for which this person has been found to be nobody's substitute."""
    loans: Loans = NO_LOANS
    """Who stands in for whom today, and for whom one may act."""
    acting: Acting | None = None
    """The official for whom this person acts in this login: unit and roles are then theirs."""

    @property
    def held_back(self) -> bool:
        """Whether something has to be done about the login before anything else opens."""
        return self.must_change or self.must_enrol

    @property
    def actor(self) -> Actor:
        official = self.acting.official_id if self.acting else None
        return Actor(self.person_id, self.name, self.unit_id, official, self.no_substitution_on)

    @property
    def rights(self) -> frozenset[Permission]:
        """What this login may do somewhere; where, `governed()` says."""
        return permissions_of(self.roles) if self.acting is None else self.acting.rights


def digest(secret: str) -> str:
    return sha256(secret.encode()).hexdigest()


def open_session(
    session: Session,
    person: Person,
    now: datetime,
    hours: int,
    origin: Origin = NOWHERE,
    proof: Proof = BY_PASSWORD,
) -> str:
    """Log a person in; returns the secret for the cookie. Expired sessions are swept here."""
    session.execute(delete(LoginSession).where(LoginSession.expires_at <= now))
    secret = secrets.token_urlsafe(32)
    session.add(
        LoginSession(
            secret_hash=digest(secret),
            person_id=person.id,
            created_at=now,
            expires_at=now + timedelta(hours=hours),
            last_seen_at=now,
            user_agent=origin.user_agent[:LONGEST_AGENT],
            address=origin.address,
            method=proof.method,
            second_factor=proof.second_factor,
            id_token=proof.id_token,
        )
    )
    return secret


def close_session(session: Session, secret: str) -> None:
    login = login_of(session, secret)
    if login is not None:
        session.delete(login)
        session.flush()


def sessions_of(session: Session, person_id: int, now: datetime) -> list[LoginSession]:
    """Where a person is logged in, the latest seen first."""
    return list(
        session.scalars(
            select(LoginSession)
            .where(LoginSession.person_id == person_id, LoginSession.expires_at > now)
            .order_by(LoginSession.last_seen_at.desc(), LoginSession.id.desc())
        )
    )


def is_of_secret(login: LoginSession, secret: str) -> bool:
    """Whether this is the login that the cookie's secret opens."""
    return login.secret_hash == digest(secret)


def end_session(session: Session, person_id: int, session_id: int) -> None:
    """End one login of a person; one that is over already, or another's, stays as it is."""
    login = session.get(LoginSession, session_id)
    if login is not None and login.person_id == person_id:
        session.delete(login)
        session.flush()


def note_second_factor(session: Session, secret: str) -> None:
    """The login of this cookie has shown a second factor."""
    session.execute(
        update(LoginSession)
        .where(LoginSession.secret_hash == digest(secret))
        .values(second_factor=True)
    )


def login_of(session: Session, secret: str) -> LoginSession | None:
    """The login that a cookie's secret opens."""
    return session.scalar(select(LoginSession).where(LoginSession.secret_hash == digest(secret)))


def end_all_sessions(session: Session, person_id: int, keep: str = "") -> int:
    """End a person's logins but the one of the secret `keep`; returns how many there were."""
    ended = session.scalars(
        select(LoginSession).where(
            LoginSession.person_id == person_id, LoginSession.secret_hash != digest(keep)
        )
    ).all()
    for login in ended:
        session.delete(login)
    session.flush()
    return len(ended)


def by_cookie(
    session: Session, secret: str, now: datetime, demanding: AbstractSet[Role] = frozenset()
) -> SignedIn | None:
    """Whom a session cookie stands for; None where it is unknown or has expired.

    `demanding`: the roles that are let in with a second factor only.
    """
    found = _look_up(
        session,
        LoginSession,
        secret,
        now,
        LoginSession.method,
        LoginSession.second_factor,
        Credential.must_change,
        LoginSession.acting_for_id,
        lends(LoginSession.person_id, civil_day(now)),
    )
    if found is None:
        return None
    user, (method, second_factor, must_change, acting_for, has_loans) = found
    own_roles = user.roles
    today = civil_day(now)
    if has_loans:
        user = replace(user, loans=loans_of(session, user.person_id, today))
    else:
        user = replace(user, no_substitution_on=today)
    if acting_for is not None:
        user = _acting(user, acting_of(session, user.actor, acting_for, civil_day(now)))
    return replace(
        user,
        # Who comes through the provider has no use for the password.
        must_change=bool(must_change) and method == PASSWORD,
        must_enrol=not second_factor and bool(own_roles & demanding),
    )


def _acting(user: SignedIn, acting: Acting | None) -> SignedIn:
    if acting is None:
        return user
    return replace(
        user,
        unit_id=acting.unit_id,
        unit_name=acting.unit_name,
        unit_code=acting.unit_code,
        roles=acting.roles,
        acting=acting,
    )


def by_token(session: Session, secret: str, now: datetime) -> SignedIn | None:
    """Whom an API token stands for; None where it is unknown or has expired.

    Programs choose no passwords and have no second factor: a token stands for itself.
    """
    today = civil_day(now)
    found = _look_up(
        session, ApiToken, secret, now, ApiToken.scopes, lends(ApiToken.person_id, today)
    )
    if found is None:
        return None
    user, (scopes, has_loans) = found
    return replace(
        user,
        scopes=frozenset(scopes.split()),
        no_substitution_on=None if has_loans else today,
    )


LOOKED_UP_TOGETHER = 500
"""Fewer than the variables that a statement may have."""


def standing(session: Session, logins: Sequence[str], now: datetime) -> set[str]:
    """Those of the logins and tokens (hashes of their secrets) that have not ended."""
    found: set[str] = set()
    for kind in (LoginSession, ApiToken):
        for first in range(0, len(logins), LOOKED_UP_TOGETHER):
            found.update(
                session.scalars(
                    select(kind.secret_hash)
                    .join(Person, Person.id == kind.person_id)
                    .where(
                        kind.secret_hash.in_(logins[first : first + LOOKED_UP_TOGETHER]),
                        kind.expires_at > now,
                        Person.active,
                    )
                )
            )
    found.update(devices_standing(session, logins, now))
    return found


def devices_standing(session: Session, logins: Sequence[str], now: datetime) -> set[str]:
    """Those of the logins that are of tablets at doors and have neither ended nor been revoked."""
    found: set[str] = set()
    for first in range(0, len(logins), LOOKED_UP_TOGETHER):
        found.update(
            session.scalars(
                # A revoked device has no secret any more.
                select(KioskDevice.secret_hash).where(
                    KioskDevice.secret_hash.in_(logins[first : first + LOOKED_UP_TOGETHER]),
                    KioskDevice.expires_at > now,
                )
            )
        )
    return found


def note_seen(
    connection: Connection, kind: Shown | type[KioskDevice], secret: str, now: datetime
) -> None:
    """Remember that a login, a token or a device was used."""
    connection.execute(
        update(kind).where(kind.secret_hash == digest(secret)).values(last_seen_at=now)
    )


def _look_up(
    session: Session, kind: Shown, secret: str, now: datetime, *more: Column
) -> tuple[SignedIn, Sequence[Any]] | None:
    row: Sequence[Any] | None = session.execute(
        select(
            Person.id,
            Person.username,
            Person.name,
            Person.title,
            Person.unit_id,
            Unit.name,
            Unit.code,
            Person.locale,
            kind.last_seen_at,
            *more,
        )
        .outerjoin(Credential, Credential.person_id == Person.id)
        .join(kind, kind.person_id == Person.id)
        .join(Unit, Unit.id == Person.unit_id)
        .where(kind.secret_hash == digest(secret), kind.expires_at > now, Person.active)
    ).first()
    if row is None:
        return None
    seen, now_roles = row[8], roles_of(session, Actor(row[0], row[2], row[4]), civil_day(now))
    user = SignedIn(
        person_id=row[0],
        username=row[1],
        name=row[2],
        title=row[3],
        unit_id=row[4],
        unit_name=row[5],
        unit_code=row[6],
        locale=row[7],
        roles=frozenset(now_roles),
        seen_lately=seen is not None and now - seen < LAST_SEEN_GRAIN,
        login=digest(secret),
    )
    return user, row[9:]
