"""The page of calendar addresses: mine, my units', and those of their points."""

from litestar import Response, get, post
from litestar.datastructures import FormMultiDict

from meetings_server.database import Database
from meetings_server.reading import read_number
from meetings_server.settings import Settings
from meetings_server.web.pages import PageRequest, render, see_other, text_of
from rooms.feeds import FeedKind, UnknownFeed, renew, subscriptions
from rooms.kernel import utcnow


@get("/calendars", include_in_schema=False, sync_to_thread=True)
def calendars_page(request: PageRequest, db: Database, settings: Settings) -> Response[str]:
    """The calendars of this person with their addresses, made here where there were none."""
    with db.transaction() as session:
        found = subscriptions(session, request.user.actor, utcnow())
        return render(
            request,
            "mailbox_calendars.html",
            subscriptions=found,
            root=f"{settings.effective_public_url}/api/v1/calendars",
        )


@post("/calendars/renew", include_in_schema=False, sync_to_thread=True)
def renew_calendar(request: PageRequest, db: Database, form: FormMultiDict) -> Response[None]:
    """A new address for one calendar; the old one ends."""
    kind, of_id = text_of(form, "kind"), read_number(text_of(form, "of"))
    if kind not in set(FeedKind) or of_id is None:
        raise UnknownFeed
    with db.transaction() as session:
        renew(session, request.user.actor, FeedKind(kind), of_id, utcnow())
    return see_other("/calendars", "calendar_renewed")


HANDLERS = [calendars_page, renew_calendar]
