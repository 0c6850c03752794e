"""The chair's list of a meeting: who is not there, with telephone, and who came late."""

from litestar import Response, get
from sqlalchemy.orm import joinedload

from meetings_server.database import Database
from meetings_server.escalation.missing import MOST_ROWS, chairs_list
from meetings_server.web.meeting_words import LEVELS, word
from meetings_server.web.pages import PageRequest, render
from rooms.attendance import start_of
from rooms.kernel import civil_day, utcnow
from rooms.meetings import Meeting, visible_meeting


@get("/meetings/{meeting_id:int}/missing", include_in_schema=False, sync_to_thread=True)
def missing_page(request: PageRequest, db: Database, meeting_id: int) -> Response[str]:
    """Who of the invited is not there now."""
    now = utcnow()
    today = civil_day(now)
    actor = request.user.actor
    with db.reader() as session:
        meeting = visible_meeting(
            session, actor, meeting_id, today, [joinedload(Meeting.host_unit)]
        )
        return render(
            request,
            "meetings/missing.html",
            meeting=meeting,
            start=start_of(meeting.starts_at, meeting.started_at),
            found=chairs_list(session, actor, meeting, today),
            level_word=lambda level: word(LEVELS, level),
            most=MOST_ROWS,
            has_begun=now >= start_of(meeting.starts_at, meeting.started_at),
        )


HANDLERS = [missing_page]
