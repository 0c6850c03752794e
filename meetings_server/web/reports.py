"""Báo cáo: a few figures that matter, each with its trend, its definition, and the list behind it."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from litestar import Response, get
from sqlalchemy.orm import Session

from meetings_server.database import Database
from meetings_server.errors import sentence
from meetings_server.reading import read_page
from meetings_server.web import charts
from meetings_server.web.meeting_words import LEVELS, words
from meetings_server.web.pages import PageRequest, render
from meetings_server.web.report_words import (
    FILTER_WORDS,
    REPORT_WORDS,
    SPANS,
    Asked,
    asked_for,
    number,
    percent,
    unit_key,
)
from rooms.attendance_reports import (
    FILTERS,
    Order,
    attendance_report,
    invitations,
    ranked,
)
from rooms.coverage import TARGETS, Share, coverage, meetings_counted
from rooms.hierarchy import load_tree
from rooms.kernel import civil_day, utcnow
from rooms.periods import Period, Span, months_later
from rooms.punctuality import Tally

UNIT_ROWS = 50
LIST_ROWS = 100
LAST_PAGE = 10_000
RECENT = 8


def shared(asked: Asked, session: Session, path: str, now: datetime) -> dict[str, Any]:
    """What the head of each report needs: filters, links that keep them, words."""
    today = civil_day(now)
    before, after = asked.period.beside(-1), asked.period.beside(1)
    spans = [
        (span, name, asked.query(span=span, on=_day_within(asked.period, today), to="", **_NO_DAYS))
        for span, name in words(SPANS)
    ]
    return {
        "asked": asked,
        "path": path,
        "today": today,
        "unit": asked.unit,
        "period": asked.period,
        "levels": [
            (level, name)
            for level, name in words(LEVELS)
            if level in load_tree(session, min(asked.period.last, today)).level_counts
        ],
        "spans": spans,
        "before": _step(asked, before),
        "after": _step(asked, after) if after and after.first <= today else None,
        "errors": {name: [sentence(refusal)] for name, refusal in asked.errors.items()},
        "key_of": lambda unit: unit_key(unit, today),
        **REPORT_WORDS,
    }


_NO_DAYS = {"from": ""}


def _day_within(period: Period, today: Any) -> str:
    """Today where the period holds it, else its last day: what another span is then taken around."""
    return str(today if period.first <= today < period.after else period.last)


def _step(asked: Asked, period: Period | None) -> str | None:
    return asked.query(on=str(period.first)) if period else None


def trend_of(
    trend: list[tuple[Any, Tally]], share: Callable[[Tally], float | None]
) -> charts.Columns:
    """Twelve months of a share."""
    return charts.columns(
        [(f"{day:%m/%y}", share(tally)) for day, tally in trend], short_percent, most=1.0
    )


def short_percent(share: float) -> str:
    """Without decimals and blank: there is little room above a column."""
    return percent(round(share, 2)).replace(" ", "") if 0 < share < 1 else f"{round(100 * share)}%"


@get("/reports", include_in_schema=False, sync_to_thread=True)
def overview_page(request: PageRequest, db: Database) -> Response[str]:
    """The figures of the plan and of attendance, with the meetings last held."""
    now = utcnow()
    with db.reader() as session:
        asked = asked_for(session, request.user.actor, request.query_params, now)
        report = attendance_report(session, asked.units, asked.period, _level(asked))
        year = _twelve_months(asked.period)
        share = coverage(session, asked.units, asked.period, now)
        trend = coverage(session, asked.units, year, now)
        recent, _total = meetings_counted(session, asked.units, asked.period, now, RECENT)
        return render(
            request,
            "reports/overview.html",
            report=report,
            share=share,
            targets=TARGETS,
            share_trend={level: share_columns(trend.months, level) for level in TARGETS},
            attendance_trend=trend_of(report.trend, lambda tally: tally.attendance_share),
            punctuality_trend=trend_of(report.trend, lambda tally: tally.punctuality),
            missed_trend=charts.columns(
                [(f"{day:%m/%y}", _hours(tally)) for day, tally in report.trend],
                lambda hours: number(round(hours)),
            ),
            recent=recent,
            **shared(asked, session, "/reports", now),
        )


def share_columns(months: dict[Any, dict[str, Share]], level: str) -> charts.Columns:
    """The share of the meetings run here, month by month, against the target of the level."""
    return charts.columns(
        [(f"{day:%m/%y}", levels.get(level, Share()).share) for day, levels in months.items()],
        short_percent,
        most=1.0,
        target=TARGETS.get(level),
    )


def _twelve_months(period: Period) -> Period:
    first = months_later(period.last, -11)
    return Period(Span.DAYS, first, months_later(period.last, 1))


def _hours(tally: Tally) -> float | None:
    return tally.missed.total_seconds() / 3600 if tally.present else None


def _level(asked: Asked) -> str:
    return asked.level if asked.level in LEVELS else ""


@get("/reports/attendance", include_in_schema=False, sync_to_thread=True)
def attendance_page(request: PageRequest, db: Database) -> Response[str]:
    """Attendance of a unit and everything below it in a period, ranked as asked."""
    now = utcnow()
    with db.reader() as session:
        asked = asked_for(session, request.user.actor, request.query_params, now, "order")
        order = Order(asked.typed["order"]) if asked.typed["order"] in set(Order) else Order.MISSED
        report = attendance_report(session, asked.units, asked.period, _level(asked))
        page = read_page(request.query_params.get("page", ""), LAST_PAGE)
        lines = ranked(report.units, order)
        shown = lines[UNIT_ROWS * (page - 1) : UNIT_ROWS * page]
        return render(
            request,
            "reports/attendance.html",
            report=report,
            order=order,
            lines=shown,
            first=UNIT_ROWS * (page - 1) + 1,
            page=page,
            more=len(lines) > UNIT_ROWS * page,
            attendance_trend=trend_of(report.trend, lambda tally: tally.attendance_share),
            punctuality_trend=trend_of(report.trend, lambda tally: tally.punctuality),
            **shared(asked, session, "/reports/attendance", now),
        )


@get("/reports/attendance/list", include_in_schema=False, sync_to_thread=True)
def attendance_list_page(request: PageRequest, db: Database) -> Response[str]:
    """The invitations that a figure counts."""
    now = utcnow()
    with db.reader() as session:
        asked = asked_for(session, request.user.actor, request.query_params, now, "which")
        only = asked.typed["which"] if asked.typed["which"] in FILTERS else ""
        page = read_page(request.query_params.get("page", ""), LAST_PAGE)
        lines = invitations(
            session,
            asked.units,
            asked.period,
            level=_level(asked),
            only=only,
            limit=LIST_ROWS + 1,
            offset=LIST_ROWS * (page - 1),
        )
        return render(
            request,
            "reports/list.html",
            lines=lines[:LIST_ROWS],
            more=len(lines) > LIST_ROWS,
            page=page,
            which=only,
            filters_links=[
                {
                    "href": f"/reports/attendance/list{asked.query(which=name)}",
                    "label": label,
                    "active": name == only,
                }
                for name, label in words(FILTER_WORDS)
            ],
            seconds=lambda number_of: timedelta(seconds=number_of),
            **shared(asked, session, "/reports/attendance/list", now),
        )


HANDLERS = [overview_page, attendance_page, attendance_list_page]
