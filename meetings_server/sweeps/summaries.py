"""Closed meetings are summed up soon after they end, for reports over many meetings.

The log of a nation takes a second to fold; that is read, and only the result is written, so that no
check-in of another meeting waits for it.
"""

from datetime import datetime

from meetings_server.database import Database
from rooms.summaries import sum_up, unsummed, write_summary


def sweep(db: Database, now: datetime) -> int:
    """Sum up what is not yet, or whose log has grown; returns how many meetings that were."""
    with db.reader() as session:
        waiting = unsummed(session)
    done = 0
    for meeting_id in waiting:
        with db.reader() as session:
            summary = sum_up(session, meeting_id, now)
        with db.transaction() as session:
            done += write_summary(session, summary, now)
    return done
