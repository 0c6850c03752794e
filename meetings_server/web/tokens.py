"""One's API tokens: made for some scopes and some days, shown once, revoked."""

from datetime import datetime
from typing import Any

from litestar import Response, get, post
from litestar.datastructures import FormMultiDict
from litestar.status_codes import HTTP_200_OK
from sqlalchemy.orm import Session

from meetings_server.database import Database
from meetings_server.identity.tokens import (
    EVERYTHING,
    LONGEST_DAYS,
    SCOPES,
    create_token,
    revoke_token,
    tokens_of,
)
from meetings_server.reading import RowId, read_number
from meetings_server.web.account import session_only
from meetings_server.web.pages import FormErrors, PageRequest, render, see_other, text_of
from meetings_server.web.scope_words import AREAS, scope_word
from rooms.kernel import FieldInvalid, utcnow

Values = dict[str, str]

PAGE = "/account/tokens"


def _days(text: str) -> int:
    days = read_number(text)
    if days is None:
        raise FieldInvalid("days", "not_a_number" if text else "missing")
    return days


def _page(
    request: PageRequest,
    session: Session,
    *,
    status: int = HTTP_200_OK,
    values: Values | None = None,
    chosen: list[str] | None = None,
    errors: object = None,
    token: str | None = None,
) -> Response[str]:
    return render(
        request,
        "tokens.html",
        status=status,
        tokens=tokens_of(session, request.user.person_id),
        values=values or {"days": "365"},
        chosen=chosen or [],
        errors=errors or {},
        token=token,
        areas=AREAS,
        scopes=SCOPES,
        everything=EVERYTHING,
        scope_word=scope_word,
        longest=LONGEST_DAYS,
    )


@get(PAGE, guards=[session_only], include_in_schema=False, sync_to_thread=True)
def tokens_page(request: PageRequest, db: Database) -> Response[str]:
    with db.reader() as session:
        return _page(request, session)


@post(
    PAGE,
    guards=[session_only],
    include_in_schema=False,
    sync_to_thread=True,
    status_code=HTTP_200_OK,
)
def new_token(request: PageRequest, form: FormMultiDict, db: Database) -> Response[str]:
    """Make a token for a program; the answer shows it, and nothing shows it again."""
    now: datetime = utcnow()
    values = {"name": text_of(form, "name").strip(), "days": text_of(form, "days").strip()}
    chosen = [scope for scope in form.getall("scopes", []) if isinstance(scope, str)]
    try:
        with db.transaction() as session:
            days = _days(values["days"])
            token = create_token(session, request.user.person_id, values["name"], now, days, chosen)
            session.flush()
            return _page(request, session, token=token)
    except FieldInvalid as wrong:
        told = FormErrors.of(wrong)
        with db.reader() as session:
            return _page(
                request,
                session,
                status=told.status,
                values=values,
                chosen=chosen,
                errors=told.fields,
            )


@post(
    f"{PAGE}/{{token_id:int}}/revoke",
    guards=[session_only],
    include_in_schema=False,
    sync_to_thread=True,
)
def end_token(request: PageRequest, db: Database, token_id: RowId) -> Response[None]:
    with db.transaction() as session:
        revoke_token(session, request.user.person_id, token_id)
    return see_other(PAGE, "token_revoked")


HANDLERS: list[Any] = [tokens_page, new_token, end_token]
