"""The bell: what one has been told, what of it is unread, and the browsers that may ring."""

from datetime import timedelta

from litestar import Response, get, post
from litestar.datastructures import FormMultiDict
from litestar.status_codes import HTTP_200_OK

from meetings_server.database import Database
from meetings_server.i18n import mark
from meetings_server.push.devices import (
    PushOff,
    Subscription,
    add_device,
    device_of,
    devices_of,
    remove_device,
)
from meetings_server.push.notices import PAGE, mark_read, notices_of, path_of, unread
from meetings_server.push.telling import By, Telling, tell
from meetings_server.push.vapid import own_key
from meetings_server.reading import RowId, read_number
from meetings_server.settings import Settings
from meetings_server.web.account import browser_text, session_only
from meetings_server.web.pages import PageRequest, render, see_other, text_of
from rooms.kernel import utcnow

DEVICES = "/account/push"
TEST_LASTS = timedelta(minutes=10)


@get("/notices", include_in_schema=False, sync_to_thread=True)
def notices_page(request: PageRequest, db: Database) -> Response[str]:
    """What this person was told, the newest first."""
    before = read_number(request.query_params.get("before", "")) or None
    me = request.user.person_id
    with db.reader() as session:
        found = notices_of(session, me, before)
        return render(
            request,
            "notices.html",
            notices=found[:PAGE],
            unread=unread(session, me),
            next_href=f"/notices?before={found[PAGE - 1].id}" if len(found) > PAGE else None,
            first_href="/notices" if before else None,
        )


@get("/notices/count", include_in_schema=False, sync_to_thread=True)
def unread_count(request: PageRequest, db: Database) -> Response[dict[str, int]]:
    """For the bell; a person's own number is nobody else's."""
    with db.reader() as session:
        count = unread(session, request.user.person_id)
    return Response({"unread": count}, headers={"cache-control": "no-store"})


@get("/notices/{notice_id:int}", include_in_schema=False, sync_to_thread=True)
def open_notice(request: PageRequest, db: Database, notice_id: RowId) -> Response[None]:
    """On to what the notice is about; it is read."""
    me = request.user.person_id
    with db.transaction() as session:
        path = path_of(session, me, notice_id)
        mark_read(session, me, utcnow(), notice_id)
    return see_other(path or "/notices")


@post("/notices/read", include_in_schema=False, sync_to_thread=True)
def read_all(request: PageRequest, db: Database) -> Response[None]:
    with db.transaction() as session:
        mark_read(session, request.user.person_id, utcnow())
    return see_other("/notices", "notices_read")


@get(DEVICES, guards=[session_only], include_in_schema=False, sync_to_thread=True)
def devices_page(request: PageRequest, db: Database, settings: Settings) -> Response[str]:
    """The browsers in which this person has allowed notices."""
    key = own_key(db, settings, utcnow()).public if settings.push else ""
    with db.reader() as session:
        return render(
            request,
            "account_push.html",
            devices=devices_of(session, request.user.person_id),
            browser_text=browser_text,
            push_on=settings.push,
            key=key,
        )


@post(
    DEVICES,
    guards=[session_only],
    include_in_schema=False,
    sync_to_thread=True,
    status_code=HTTP_200_OK,
)
def allow_browser(
    request: PageRequest, form: FormMultiDict, db: Database, settings: Settings
) -> Response[dict[str, int]]:
    """The browser has asked its person, and tells how it is pushed to."""
    if not settings.push:
        raise PushOff
    told = Subscription(*(text_of(form, name) for name in ("endpoint", "p256dh", "auth")))
    agent = request.headers.get("user-agent", "")
    with db.transaction() as session:
        device = add_device(
            session, request.user.person_id, told, agent, settings.push_services, utcnow()
        )
        return Response({"device": device.id})


@post(
    f"{DEVICES}/{{device_id:int}}/remove",
    guards=[session_only],
    include_in_schema=False,
    sync_to_thread=True,
)
def remove_browser(request: PageRequest, db: Database, device_id: RowId) -> Response[None]:
    with db.transaction() as session:
        remove_device(session, request.user.person_id, device_id)
    return see_other(DEVICES, "browser_removed")


@post(
    f"{DEVICES}/{{device_id:int}}/test",
    guards=[session_only],
    include_in_schema=False,
    sync_to_thread=True,
)
def try_browser(
    request: PageRequest, db: Database, settings: Settings, device_id: RowId
) -> Response[None]:
    """Push something to see whether it arrives."""
    if not settings.push:
        raise PushOff
    now = utcnow()
    me = request.user
    with db.transaction() as session:
        device = device_of(session, me.person_id, device_id)
        tell(
            session,
            Telling(
                key=f"trial:{device.id}:{now.isoformat()}",
                kind="trial",
                unit_id=me.unit_id,
                title=mark("This browser shows notices"),
                text=mark("Sent at {sent_at} to try it out."),
                facts={"sent_at": now.isoformat()},
                path=DEVICES,
                at=now,
                person_ids=[me.person_id],
                channels=[By.PUSH],
                expires_at=now + TEST_LASTS,
                urgent=True,
                device_id=device.id,
            ),
        )
    return see_other(DEVICES, "trial_sent")


HANDLERS = [
    notices_page,
    unread_count,
    open_notice,
    read_all,
    devices_page,
    allow_browser,
    remove_browser,
    try_browser,
]
