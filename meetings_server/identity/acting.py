"""Acting on behalf of an official, chosen in a login: kept with the session, left with one click."""

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from meetings_server.identity.sessions import LoginSession, SignedIn
from rooms.entrustment import UnknownEntrustment, entrusted_to
from rooms.kernel import civil_day


def act_for(session: Session, user: SignedIn, official_id: int, now: datetime) -> None:
    """From now on this login acts for an official. Raises `UnknownEntrustment`."""
    if entrusted_to(session, user.person_id, official_id, civil_day(now)) is None:
        raise UnknownEntrustment(official_id)
    _set(session, user, official_id)


def act_for_oneself(session: Session, user: SignedIn) -> None:
    """From now on this login stands for its owner again."""
    _set(session, user, None)


def _set(session: Session, user: SignedIn, official_id: int | None) -> None:
    # By the row itself, so that the record of changes has it.
    login = session.scalar(select(LoginSession).where(LoginSession.secret_hash == user.login))
    if login is not None:
        login.acting_for_id = official_id
