"""Notices that nobody will look for any more leave the database; the mail ledger keeps its own lines."""

from datetime import datetime, timedelta

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from meetings_server.push.notices import Notice, NoticeReader

KEPT = timedelta(days=90)


def sweep(session: Session, now: datetime) -> int:
    """Delete what was told so long ago. Returns how many notices."""
    old = select(Notice.id).where(Notice.created_at < now - KEPT)
    session.execute(
        delete(NoticeReader)
        .where(NoticeReader.notice_id.in_(old))
        .execution_options(synchronize_session=False)
    )
    gone = session.execute(
        delete(Notice)
        .where(Notice.created_at < now - KEPT)
        .returning(Notice.id)
        .execution_options(synchronize_session=False)
    )
    return len(gone.all())
