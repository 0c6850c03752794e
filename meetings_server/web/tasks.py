"""Tasks that meetings gave: the list by unit and state, and the follow-up of each."""

from datetime import date
from typing import Any
from urllib.parse import urlencode

from litestar import Response, get, post
from litestar.datastructures import FormMultiDict
from litestar.status_codes import HTTP_200_OK
from sqlalchemy.orm import Session

from meetings_server.database import Database
from meetings_server.errors import sentence, status_of
from meetings_server.reading import read_day, read_number
from meetings_server.web.pages import PageRequest, render, see_other, text_of
from minutes.tasks import FollowUp, TaskFilter, TaskState, follow_up, tasks_for
from rooms.kernel import DomainError, FieldInvalid, civil_day, utcnow
from rooms.lineage import found_unit

PAGE_ROWS = 50
LONGEST_TEXT = 100
SHOWN_STATES = (TaskState.OPEN, TaskState.OVERDUE, TaskState.DONE)


@get("/tasks", include_in_schema=False, sync_to_thread=True)
def tasks_page(request: PageRequest, db: Database) -> Response[str]:
    with db.reader() as session:
        return _page(request, session, civil_day(utcnow()))


def _page(
    request: PageRequest, session: Session, today: date, *, status: int = 200, **refused: Any
) -> Response[str]:
    """The list as the address asks for it; a filter that makes no sense shows nothing."""
    asked = {key: value[:LONGEST_TEXT] for key, value in request.query_params.items()}
    state = asked["state"] if asked.get("state") in set(SHOWN_STATES) else ""
    code = asked.get("unit", "").strip()
    unit, below = found_unit(session, code, today)
    wanted = TaskFilter(
        within=below if code else None,
        state=TaskState(state) if state else None,
        minutes_id=read_number(asked.get("minutes", "")),
        after=_after(asked.get("after", "")),
    )
    rows = tasks_for(session, request.user.actor, wanted, today, PAGE_ROWS + 1)
    shown = rows[:PAGE_ROWS]
    filters = {"unit": code, "state": state, "minutes": asked.get("minutes", "")}

    def address(**changes: Any) -> str:
        values = filters | changes
        return "/tasks?" + urlencode({name: value for name, value in values.items() if value})

    more = len(rows) > PAGE_ROWS
    return render(
        request,
        "minutes/tasks.html",
        status=status,
        rows=shown,
        today=today,
        state=state,
        unit_code=code,
        unit_name=unit.name if unit else code,
        address=address,
        next_href=address(after=f"{shown[-1].deadline}.{shown[-1].id}") if more else None,
        refused=refused,
    )


def _after(text: str) -> tuple[date, int] | None:
    day, _, number = text.partition(".")
    read, task_id = read_day(day), read_number(number)
    return (read, task_id) if read and task_id is not None else None


@post(
    "/tasks/{task_id:int}",
    include_in_schema=False,
    sync_to_thread=True,
    status_code=HTTP_200_OK,
)
def follow(request: PageRequest, db: Database, form: FormMultiDict, task_id: int) -> Response[Any]:
    """Write a line of the follow-up; `done` with a day says that it is done, `reopen` that not."""
    now = utcnow()
    note, done_on = text_of(form, "note"), text_of(form, "done_on")
    try:
        day = None
        if text_of(form, "done"):
            day = read_day(done_on)
            if day is None:
                raise FieldInvalid("done_on", "not_a_date" if done_on else "missing")
        said = FollowUp(note, day, bool(text_of(form, "reopen")))
        with db.transaction() as session:
            follow_up(session, request.user.actor, task_id, said, now)
    except DomainError as refusal:
        field = refusal.field if isinstance(refusal, FieldInvalid) else ""
        with db.reader() as session:
            return _page(
                request,
                session,
                civil_day(now),
                status=status_of(refusal),
                task_id=task_id,
                errors={field: [sentence(refusal)]},
                values={"note": note, "done_on": done_on},
            )
    return see_other(
        "/tasks" + (f"?{request.url.query}" if request.url.query else ""), "task_followed_up"
    )


HANDLERS = [tasks_page, follow]
