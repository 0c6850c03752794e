"""What has ended on the way in leaves the database: sessions, half logins, unfinished enrolments."""

from datetime import datetime

from sqlalchemy import delete
from sqlalchemy.orm import Session

from meetings_server.identity.oidc_flows import sweep_flows
from meetings_server.identity.pending import sweep_pending
from meetings_server.identity.second_factor import forget_unfinished
from meetings_server.identity.sessions import LoginSession


def sweep(session: Session, now: datetime) -> int:
    """Delete what has expired. Returns how many."""
    gone = session.execute(
        delete(LoginSession)
        .where(LoginSession.expires_at <= now)
        .returning(LoginSession.secret_hash)
    )
    return (
        len(gone.all())
        + sweep_pending(session, now)
        + sweep_flows(session, now)
        + forget_unfinished(session, now)
    )
