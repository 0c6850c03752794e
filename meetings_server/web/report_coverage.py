"""Which share of the meetings was run through this system, and what units state of the others."""

from datetime import date, datetime
from typing import Any

from litestar import Response, get, post
from litestar.datastructures import FormMultiDict
from litestar.status_codes import HTTP_200_OK

from meetings_server.database import Database
from meetings_server.reading import read_number, read_page
from meetings_server.web.pages import FormErrors, PageRequest, render, see_other, text_of
from meetings_server.web.report_words import asked_for, month
from meetings_server.web.reports import LAST_PAGE, LIST_ROWS, share_columns, shared
from rooms.coverage import TARGETS, coverage, meetings_counted, state_elsewhere, statements_of
from rooms.hierarchy import unit_by_id
from rooms.kernel import Denied, DomainError, FieldInvalid, Invalid, NotFound, civil_day, utcnow
from rooms.periods import month_after, months_before
from rooms.policies import Permission, holds

STATED_MONTHS = 12


def _page(
    request: PageRequest,
    db: Database,
    now: datetime,
    typed: dict[str, str] | None = None,
    wrong: FormErrors | None = None,
) -> Response[str]:
    with db.reader() as session:
        asked = asked_for(session, request.user.actor, request.query_params, now)
        found = coverage(session, asked.units, asked.period, now)
        today = civil_day(now)
        unit = asked.unit
        may_state = unit is not None and holds(
            session, request.user.actor, Permission.MEETING_WRITE, unit.id, today
        )
        months = list(months_before(month_after(today), STATED_MONTHS))[::-1]
        return render(
            request,
            "reports/coverage.html",
            status=wrong.status if wrong else HTTP_200_OK,
            found=found,
            targets=TARGETS,
            trends={level: share_columns(found.months, level) for level in found.levels},
            may_state=may_state,
            months=months,
            month_options=[(f"{day:%Y-%m}", month(day)) for day in months],
            stated=statements_of(session, unit.id, months) if unit and may_state else {},
            form_errors=dict(wrong.fields) if wrong else {},
            values=typed or {},
            **shared(asked, session, "/reports/coverage", now),
        )


@get("/reports/coverage", include_in_schema=False, sync_to_thread=True)
def coverage_page(request: PageRequest, db: Database) -> Response[str]:
    return _page(request, db, utcnow())


@post("/reports/coverage", include_in_schema=False, sync_to_thread=True)
def state(request: PageRequest, db: Database, form: FormMultiDict) -> Response[Any]:
    """State for a month how many meetings of the unit were run elsewhere."""
    now = utcnow()
    typed = {name: text_of(form, name)[:600] for name in ("unit_id", "month", "meetings", "note")}
    try:
        with db.transaction() as session:
            unit_id = read_number(typed["unit_id"])
            unit = unit_by_id(session, unit_id or 0, civil_day(now))
            meetings = read_number(typed["meetings"].strip())
            if meetings is None:
                raise FieldInvalid("meetings", "not_a_number" if typed["meetings"] else "missing")
            state_elsewhere(
                session,
                request.user.actor,
                unit.id,
                _month(typed["month"]),
                meetings,
                typed["note"],
                now,
            )
    except (Denied, NotFound):
        raise
    except (Invalid, DomainError) as refusal:
        return _page(request, db, now, typed, FormErrors.of(refusal, {"unit_ended": "month"}))
    query = f"?{request.url.query}" if request.url.query else ""
    return see_other(f"/reports/coverage{query}", "saved")


def _month(text: str) -> date:
    try:
        return date.fromisoformat(f"{text[:7]}-01")
    except ValueError:
        raise FieldInvalid("month", "not_a_date") from None


@get("/reports/coverage/list", include_in_schema=False, sync_to_thread=True)
def coverage_list_page(request: PageRequest, db: Database) -> Response[str]:
    """The meetings that the share counts, each with its report."""
    now = utcnow()
    with db.reader() as session:
        asked = asked_for(session, request.user.actor, request.query_params, now)
        page = read_page(request.query_params.get("page", ""), LAST_PAGE)
        rows, total = meetings_counted(
            session, asked.units, asked.period, now, LIST_ROWS, LIST_ROWS * (page - 1)
        )
        return render(
            request,
            "reports/coverage_list.html",
            rows=rows,
            total=total,
            page=page,
            first=LIST_ROWS * (page - 1) + 1,
            last=LIST_ROWS * (page - 1) + len(rows),
            **shared(asked, session, "/reports/coverage/list", now),
        )


HANDLERS = [coverage_page, state, coverage_list_page]
