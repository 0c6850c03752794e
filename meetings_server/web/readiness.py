"""The readiness board of a meeting: how many points are ready, which are not, and whom to call."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from litestar import Response, get
from litestar.exceptions import NotFoundException
from litestar.status_codes import HTTP_200_OK
from sqlalchemy.orm import Session, joinedload

from meetings_server.database import Database
from meetings_server.i18n import _, daytime
from meetings_server.live.roster import Scoped
from meetings_server.reading import RowId, read_page
from meetings_server.web.downloads import note_download
from meetings_server.web.line_test_words import (
    ITEMS,
    LINE_TEST_WORDS,
    OUTCOMES,
    item_word,
    outcome_word,
    result_word,
)
from meetings_server.web.list_files import ENDINGS, file_of
from meetings_server.web.meeting_words import LEVELS, word, words
from meetings_server.web.pages import PageRequest, render
from rooms.go_decisions import decisions, may_decide
from rooms.hierarchy import Tree, load_tree
from rooms.kernel import civil_day, utcnow
from rooms.line_tests import LineItem, Outcome
from rooms.meetings import Meeting, MeetingState, visible_meeting
from rooms.policies import Actor, Permission, holds
from rooms.readiness import (
    Narrowed,
    PointReadiness,
    Readiness,
    ReadinessRollup,
    lines_of,
    readiness,
)
from rooms.rollup import Scope, visible_scope
from rooms.sheets.writing import write_csv, write_xlsx

PAGE_ROWS = 100
LAST_PAGE = 1_000
MOST_AREAS = 200
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


def _asked(request: PageRequest) -> tuple[Narrowed, str]:
    """The filters of the address, and the page; a value that is none of the list filters nothing."""
    asked = {key: value.strip()[:100] for key, value in request.query_params.items()}
    wanted = Narrowed(
        asked["outcome"] if asked.get("outcome") in set(Outcome) else "",
        asked["item"] if asked.get("item") in set(LineItem) else "",
        asked["level"] if asked.get("level") in LEVELS else "",
        asked.get("q", ""),
    )
    return wanted, asked.get("page", "")


def _admitted(
    session: Session, actor: Actor, meeting_id: int, code: str | None, now: datetime
) -> tuple[Meeting, Tree, Scope]:
    today = civil_day(now)
    joined = [joinedload(Meeting.host_unit), joinedload(Meeting.chair)]
    meeting = visible_meeting(session, actor, meeting_id, today, joined)
    tree = load_tree(session, meeting.day)
    return meeting, tree, visible_scope(session, actor, meeting, tree, today, code or None)


def readiness_view(
    request: PageRequest,
    session: Session,
    meeting_id: int,
    now: datetime,
    errors: Mapping[str, list[str]] | None = None,
    typed: Mapping[str, str] | None = None,
    status: int = HTTP_200_OK,
) -> Response[str]:
    """The board; after a refused decision with what was wrong."""
    actor = request.user.actor
    today = civil_day(now)
    code = request.query_params.get("scope", "")[:20]
    meeting, tree, scope = _admitted(session, actor, meeting_id, code, now)
    wanted, asked_page = _asked(request)
    page = read_page(asked_page, LAST_PAGE)
    counted = readiness(session, meeting, scope, tree)
    lines, total = lines_of(session, meeting, scope, wanted, PAGE_ROWS * (page - 1), PAGE_ROWS)
    made = decisions(session, meeting.id)
    standing = made[0] if made and made[0].decided_for == meeting.starts_at else None
    return render(
        request,
        "line_tests/readiness.html",
        status=status,
        meeting=meeting,
        scope=scope,
        code=code,
        total=counted.total,
        levels=_levels(counted, tree),
        areas=_areas(counted, tree, scope),
        wanted=wanted,
        lines=lines,
        found=total,
        page=page,
        first=PAGE_ROWS * (page - 1) + 1,
        last=PAGE_ROWS * (page - 1) + len(lines),
        outcomes=words(OUTCOMES),
        items=words(ITEMS),
        item_keys=[item.value for item in LineItem],
        level_options=[(level, word(LEVELS, level)) for level in counted.levels],
        address=lambda ending="", **changed: _address(
            meeting.id, ending, {"scope": code}, wanted, changed
        ),
        decision=standing,
        decisions=made,
        after=made[0].number if made else 0,
        may_decide=meeting.state == MeetingState.SCHEDULED.value
        and may_decide(session, actor, meeting.id, today),
        may_postpone=meeting.state == MeetingState.SCHEDULED.value
        and holds(session, actor, Permission.MEETING_WRITE, meeting.host_unit_id, today),
        decision_errors=errors or {},
        decision_typed=typed or {},
        **LINE_TEST_WORDS,
    )


def _levels(counted: ReadinessRollup, tree: Tree) -> list[tuple[str, str, Readiness]]:
    return [
        (level, word(LEVELS, level), counted.levels[level])
        for level in tree.levels
        if level in counted.levels
    ]


def _areas(counted: ReadinessRollup, tree: Tree, scope: Scope) -> list[tuple[str, str, Readiness]]:
    """The units below the top of the scope that have units below them, in the order of the tree."""
    tops = list(scope.roots or tree.roots)
    # A scope of one district shows the district itself by its wards in the list.
    below = [node for top in tops for node in tree.children.get(top.id, ())]
    return [
        (node.code, node.name, counted.units[node.id])
        for node in below
        if node.id in counted.units and tree.children.get(node.id)
    ][:MOST_AREAS]


def _address(
    meeting_id: int,
    ending: str,
    place: dict[str, str],
    wanted: Narrowed,
    changed: dict[str, Any],
) -> str:
    asked = place | {
        "outcome": wanted.outcome,
        "item": wanted.item,
        "level": wanted.level,
        "q": wanted.words,
    }
    told = urlencode({name: value for name, value in (asked | changed).items() if value})
    path = f"/meetings/{meeting_id}/readiness" + (f"/points.{ending}" if ending else "")
    return f"{path}?{told}" if told else path


@get("/meetings/{meeting_id:int}/readiness", include_in_schema=False, sync_to_thread=True)
def readiness_page(request: PageRequest, db: Database, meeting_id: RowId) -> Response[str]:
    """What is shown stands in the address: `?scope=&outcome=&item=&level=&q=&page=`."""
    with db.reader() as session:
        return readiness_view(request, session, meeting_id, utcnow())


@get(
    "/meetings/{meeting_id:int}/readiness/{filename:str}",
    include_in_schema=False,
    sync_to_thread=True,
)
def readiness_file(
    request: PageRequest, db: Database, meeting_id: RowId, filename: str, unit: Scoped = None
) -> Response[bytes]:
    """`points.xlsx` or `points.csv`: the list as it is filtered, every line of it."""
    stem, _dot, ending = filename.rpartition(".")
    if stem != "points" or ending not in ENDINGS:
        raise NotFoundException
    now = utcnow()
    wanted, _page = _asked(request)
    with db.reader() as session:
        meeting, _tree, scope = _admitted(session, request.user.actor, meeting_id, unit, now)
        lines, total = lines_of(session, meeting, scope, wanted)
        head, rows = _sheet(lines)
        host = meeting.host_unit_id
    if ending == "csv":
        content, media_type = write_csv(head, rows), "text/csv"
    else:
        content, media_type = write_xlsx(head, rows, _("Line tests")), XLSX
    name = f"line-tests-{meeting_id}.{ending}"
    # Telephone numbers leave the house.
    note_download(
        db,
        "meeting",
        meeting_id,
        name,
        record=("meeting", meeting_id),
        unit_id=host,
        facts={"rows": total},
    )
    return file_of(content, media_type, name)


def _sheet(lines: list[PointReadiness]) -> tuple[list[str], list[list[str]]]:
    head = [
        _("Unit code"),
        _("Unit"),
        _("Level"),
        _("Bridge point"),
        _("Line test"),
        *(item_word(item) for item in LineItem),
        _("What is wrong"),
        _("Last said at"),
        _("Technician"),
        _("Telephone"),
    ]
    rows = [
        [
            line.unit_code,
            line.unit,
            word(LEVELS, line.level),
            line.point,
            outcome_word(line.outcome),
            *(result_word(line.results[item.value]) for item in LineItem),
            "; ".join(
                f"{item_word(item)}: {line.notes[item]}" for item in LineItem if item in line.notes
            ),
            daytime(line.tested_at) if line.tested_at else "",
            line.technician,
            line.phone,
        ]
        for line in lines
    ]
    return head, rows


HANDLERS = [readiness_file, readiness_page]
