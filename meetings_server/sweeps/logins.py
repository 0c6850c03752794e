"""Sessions of browsers that have ended leave the database."""

from datetime import datetime

from sqlalchemy import delete
from sqlalchemy.orm import Session

from meetings_server.identity.sessions import LoginSession


def sweep(session: Session, now: datetime) -> int:
    """Delete what has expired. Returns how many."""
    gone = session.execute(
        delete(LoginSession)
        .where(LoginSession.expires_at <= now)
        .returning(LoginSession.secret_hash)
    )
    return len(gone.all())
