"""How somebody gets in, for the administrators who look after them: logins, second factor, tokens.

Only over people whose every role lies where the administrator governs (`rooms/accounts.py`): to take
a second factor away is half of a way to their rights.
"""

from datetime import datetime
from typing import Any

from litestar import Response, get, post

from meetings_server.database import Database
from meetings_server.identity.external import identities_of, unlink
from meetings_server.identity.locking_out import remove_second_factor
from meetings_server.identity.recovery import codes_left
from meetings_server.identity.second_factor import confirmed_at
from meetings_server.identity.sessions import end_all_sessions, sessions_of
from meetings_server.identity.tokens import revoke_token, tokens_of
from meetings_server.reading import RowId
from meetings_server.settings import Settings
from meetings_server.web.account import browser_text
from meetings_server.web.pages import PageRequest, render, see_other
from meetings_server.web.scope_words import scope_word
from rooms.accounts import person_under
from rooms.kernel import civil_day, utcnow
from rooms.policies import Actor, roles_of


@get("/admin/people/{person_id:int}/logins", include_in_schema=False, sync_to_thread=True)
def logins_page(
    request: PageRequest, db: Database, settings: Settings, person_id: RowId
) -> Response[str]:
    now: datetime = utcnow()
    today = civil_day(now)
    with db.reader() as session:
        person = person_under(session, request.user.actor, person_id, today)
        roles = roles_of(session, Actor(person.id, person.name, person.unit_id), today)
        return render(
            request,
            "admin/person_logins.html",
            person=person,
            logins=sessions_of(session, person.id, now),
            tokens=tokens_of(session, person.id),
            identities=identities_of(session, person.id),
            since=confirmed_at(session, person.id),
            left=codes_left(session, person.id),
            demanded=bool(roles & settings.demanding_roles),
            browser_text=browser_text,
            scope_word=scope_word,
        )


@post("/admin/people/{person_id:int}/logins/end", include_in_schema=False, sync_to_thread=True)
def end_logins(request: PageRequest, db: Database, person_id: RowId) -> Response[None]:
    """Log a person out everywhere; open live lines end within half a minute."""
    with db.transaction() as session:
        person = person_under(session, request.user.actor, person_id, civil_day(utcnow()))
        end_all_sessions(session, person.id)
    return see_other(f"/admin/people/{person_id}/logins", "sessions_ended")


@post(
    "/admin/people/{person_id:int}/second-factor/reset",
    include_in_schema=False,
    sync_to_thread=True,
)
def reset_second_factor(request: PageRequest, db: Database, person_id: RowId) -> Response[None]:
    """For a lost telephone: the password alone opens again, or leads to a new second factor."""
    with db.transaction() as session:
        person = person_under(session, request.user.actor, person_id, civil_day(utcnow()))
        remove_second_factor(session, person.id)
        end_all_sessions(session, person.id)
    return see_other(f"/admin/people/{person_id}/logins", "second_factor_reset")


@post(
    "/admin/people/{person_id:int}/tokens/{token_id:int}/revoke",
    include_in_schema=False,
    sync_to_thread=True,
)
def revoke(request: PageRequest, db: Database, person_id: RowId, token_id: RowId) -> Response[None]:
    with db.transaction() as session:
        person = person_under(session, request.user.actor, person_id, civil_day(utcnow()))
        revoke_token(session, person.id, token_id)
    return see_other(f"/admin/people/{person_id}/logins", "token_revoked")


@post(
    "/admin/people/{person_id:int}/identities/{identity_id:int}/unlink",
    include_in_schema=False,
    sync_to_thread=True,
)
def unlink_identity(
    request: PageRequest, db: Database, person_id: RowId, identity_id: RowId
) -> Response[None]:
    """For a user name that changed hands at the provider. Logins that came through it end."""
    with db.transaction() as session:
        person = person_under(session, request.user.actor, person_id, civil_day(utcnow()))
        unlink(session, person.id, identity_id)
        end_all_sessions(session, person.id)
    return see_other(f"/admin/people/{person_id}/logins", "identity_unlinked")


HANDLERS: list[Any] = [
    end_logins,
    logins_page,
    reset_second_factor,
    revoke,
    unlink_identity,
]
