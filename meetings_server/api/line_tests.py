"""Line tests before a meeting, the readiness that follows from them, and go or no-go."""

from dataclasses import asdict
from datetime import datetime
from typing import Annotated

import msgspec
from litestar import get, post, put
from litestar.params import JSONBody, QueryParameter
from litestar.status_codes import HTTP_200_OK
from sqlalchemy.orm import Session

from meetings_server.api.calls import ApiRequest, Id
from meetings_server.api.paging import Cursor, Limit, Page, after, page_of
from meetings_server.database import Database
from meetings_server.live.roster import Scoped
from rooms.attendance import Source
from rooms.go_decisions import LONGEST_REASON, Go, GoDecision, decide, decisions
from rooms.hierarchy import Tree, load_tree
from rooms.kernel import LARGEST_ID, civil_day, utcnow
from rooms.line_tests import (
    LONGEST_NOTE,
    LineItem,
    LineTest,
    LineTested,
    Outcome,
    Result,
    Said,
    history,
    read_test,
    report_line_test,
)
from rooms.meetings import Meeting, visible_meeting
from rooms.policies import Actor
from rooms.readiness import Narrowed, PointReadiness, lines_of, readiness
from rooms.rollup import Scope, visible_scope


class ItemIn(msgspec.Struct, forbid_unknown_fields=True):
    """One statement. `none` is said of the backup line only: there is none."""

    result: Result
    note: Annotated[str, msgspec.Meta(max_length=LONGEST_NOTE)] | None = None
    """What is wrong; what was said before holds where it is left out and the result is the same."""


class LineTestIn(msgspec.Struct, forbid_unknown_fields=True):
    """What was tested; an item that is left out stays as it is."""

    picture: ItemIn | None = None
    sound: ItemIn | None = None
    camera: ItemIn | None = None
    network: ItemIn | None = None
    backup_line: ItemIn | None = None


class ItemOut(msgspec.Struct):
    """How it stands with one item. `fault`: the fault of the equipment that was opened for it."""

    result: Result
    note: str
    fault: int | None


class LineTestOut(msgspec.Struct):
    """A point. `partial`: something was tested, nothing is wrong, something is still to be tested."""

    point: int
    unit: str
    outcome: Outcome
    tested_at: datetime | None
    items: dict[str, ItemOut]


class StatementOut(msgspec.Struct):
    """A row of the log. `counts` is false where it was said for another time of the meeting."""

    number: int
    item: LineItem
    result: Result
    note: str
    fault: int | None
    recorded_at: datetime
    recorded_by: str
    source: str
    counts: bool


class LineTestHistory(msgspec.Struct):
    """A point with everything that was said of it, the newest first."""

    point: int
    outcome: Outcome
    items: dict[str, ItemOut]
    history: list[StatementOut]


class ReadinessCounts(msgspec.Struct):
    """Points by what their line test says."""

    points: int
    ready: int
    problem: int
    partial: int
    untested: int


class UnitReadiness(ReadinessCounts):
    """A unit with everything below it."""

    unit: str


class LevelReadiness(ReadinessCounts):
    """All units of a level in the scope."""

    level: str


class DecisionOut(msgspec.Struct):
    """A decision with the figures of its instant; `stands` while it is the last for this time."""

    number: int
    verdict: Go
    reason: str
    decided_at: datetime
    decided_by: str
    on_behalf_of: str | None
    figures: ReadinessCounts
    stands: bool


class ReadinessOut(msgspec.Struct):
    """How ready a scope is, and what was decided."""

    meeting: int
    scope: str
    total: ReadinessCounts
    levels: list[LevelReadiness]
    units: list[UnitReadiness]
    decision: DecisionOut | None


class DecisionIn(msgspec.Struct, forbid_unknown_fields=True):
    """Go or no-go. A no-go needs a reason, and so does a go after one."""

    verdict: Go
    reason: Annotated[str, msgspec.Meta(max_length=LONGEST_REASON)] = ""
    after: Annotated[int, msgspec.Meta(ge=0, le=LARGEST_ID)] = 0
    """The number of the decision that one knows; 0 where there was none."""


@get(
    "/meetings/{meeting_id:int}/line-tests",
    sync_to_thread=True,
    summary="The line tests of a meeting, problems first",
)
def list_line_tests(
    request: ApiRequest,
    db: Database,
    meeting_id: Id,
    unit: Scoped = None,
    outcome: Annotated[Outcome | None, QueryParameter(description="Only points like this")] = None,
    item: Annotated[
        LineItem | None, QueryParameter(description="Only points with a problem of this item")
    ] = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Page[LineTestOut]:
    """Every invited point that the caller may see, tested or not."""
    skipped = after(cursor)
    with db.reader() as session:
        meeting, _tree, scope = _admit(session, request.user.actor, meeting_id, unit)
        wanted = Narrowed(outcome=outcome or "", item=item or "")
        lines, _total = lines_of(
            session, meeting, scope, wanted, min(skipped, LARGEST_ID), limit + 1
        )
        numbered = list(enumerate(lines, start=skipped + 1))
        return page_of(numbered, limit, lambda row: row[0], lambda row: _line(row[1]))


@get(
    "/meetings/{meeting_id:int}/line-tests/{point_id:int}",
    sync_to_thread=True,
    summary="The line test of a point, with its history",
)
def read_line_test(
    request: ApiRequest, db: Database, meeting_id: Id, point_id: Id
) -> LineTestHistory:
    """For whoever may fill it in."""
    with db.reader() as session:
        meeting, standing = read_test(session, request.user.actor, meeting_id, point_id, utcnow())
        return _with_history(session, meeting, point_id, standing)


@put(
    "/meetings/{meeting_id:int}/line-tests/{point_id:int}",
    sync_to_thread=True,
    status_code=HTTP_200_OK,
    summary="Fill in the line test of a point",
)
def fill_in(
    request: ApiRequest,
    db: Database,
    meeting_id: Id,
    point_id: Id,
    data: JSONBody[LineTestIn],
) -> LineTestHistory:
    """What says nothing new writes nothing, so the same again is harmless.

    Open from the invitation until the end of the meeting, before check-in opens, too.
    """
    named = {item: getattr(data, item.value) for item in LineItem}
    said = {item.value: Said(each.result.value, each.note) for item, each in named.items() if each}
    with db.transaction() as session:
        tested = LineTested(meeting_id, point_id, said, Source.API)
        standing = report_line_test(session, request.user.actor, tested, utcnow())
        meeting = session.get_one(Meeting, meeting_id)
        return _with_history(session, meeting, point_id, standing)


@get(
    "/meetings/{meeting_id:int}/readiness",
    sync_to_thread=True,
    summary="How ready a meeting is, by level and unit",
)
def read_readiness(
    request: ApiRequest, db: Database, meeting_id: Id, unit: Scoped = None
) -> ReadinessOut:
    """Counts for the scope, and for every unit at or above one of its points."""
    with db.reader() as session:
        meeting, tree, scope = _admit(session, request.user.actor, meeting_id, unit)
        counted = readiness(session, meeting, scope, tree)
        made = decisions(session, meeting.id)
        shaped = _decision(made[0], meeting, made[0].number) if made else None
        return ReadinessOut(
            meeting=meeting.id,
            scope=scope.code,
            total=ReadinessCounts(**asdict(counted.total)),
            levels=[
                LevelReadiness(**asdict(counts), level=level)
                for level, counts in counted.levels.items()
            ],
            units=[
                UnitReadiness(**asdict(counts), unit=tree.by_id[unit_id].code)
                for unit_id, counts in counted.units.items()
            ],
            decision=shaped if shaped and shaped.stands else None,
        )


@get(
    "/meetings/{meeting_id:int}/decisions",
    sync_to_thread=True,
    summary="Every go and no-go of a meeting",
)
def list_decisions(request: ApiRequest, db: Database, meeting_id: Id) -> list[DecisionOut]:
    """The newest first; none is ever changed."""
    with db.reader() as session:
        meeting = visible_meeting(session, request.user.actor, meeting_id, civil_day(utcnow()))
        made = decisions(session, meeting.id)
        return [_decision(each, meeting, made[0].number) for each in made]


@post(
    "/meetings/{meeting_id:int}/decisions",
    sync_to_thread=True,
    summary="Decide go or no-go",
)
def make_decision(
    request: ApiRequest, db: Database, meeting_id: Id, data: JSONBody[DecisionIn]
) -> DecisionOut:
    """By the chair, a secretary or a technician of the host unit. 409 where somebody decided since.

    The same again by the same person gives the first one.
    """
    with db.transaction() as session:
        made = decide(
            session,
            request.user.actor,
            meeting_id,
            data.verdict.value,
            data.reason,
            utcnow(),
            after=data.after,
        )
        session.refresh(made, ["decider", "on_behalf_of"])
        return _decision(made, session.get_one(Meeting, meeting_id), made.number)


def _admit(
    session: Session, actor: Actor, meeting_id: int, code: str | None
) -> tuple[Meeting, Tree, Scope]:
    today = civil_day(utcnow())
    meeting = visible_meeting(session, actor, meeting_id, today)
    tree = load_tree(session, meeting.day)
    return meeting, tree, visible_scope(session, actor, meeting, tree, today, code)


def _line(line: PointReadiness) -> LineTestOut:
    return LineTestOut(
        point=line.point_id,
        unit=line.unit_code,
        outcome=Outcome(line.outcome),
        tested_at=line.tested_at,
        items={
            item.value: ItemOut(
                Result(line.results[item.value]), line.notes.get(item, ""), line.faults.get(item)
            )
            for item in LineItem
        },
    )


def _with_history(
    session: Session, meeting: Meeting, point_id: int, standing: LineTest | None
) -> LineTestHistory:
    return LineTestHistory(
        point=point_id,
        outcome=Outcome(standing.outcome) if standing else Outcome.UNTESTED,
        items={
            item.value: ItemOut(
                standing.result_of(item), standing.notes.get(item, ""), standing.faults.get(item)
            )
            if standing
            else ItemOut(Result.UNTESTED, "", None)
            for item in LineItem
        },
        history=[
            StatementOut(
                number=line.number,
                item=LineItem(line.item),
                result=Result(line.result),
                note=line.note,
                fault=line.fault_id,
                recorded_at=line.at,
                recorded_by=line.by,
                source=line.source,
                counts=line.counts,
            )
            for line in history(session, meeting, point_id)
        ],
    )


def _decision(made: GoDecision, meeting: Meeting, last: int) -> DecisionOut:
    return DecisionOut(
        number=made.number,
        verdict=Go(made.verdict),
        reason=made.reason,
        decided_at=made.decided_at,
        decided_by=made.decider.name,
        on_behalf_of=made.on_behalf_of.name if made.on_behalf_of else None,
        figures=ReadinessCounts(made.points, made.ready, made.problem, made.partial, made.untested),
        stands=made.number == last and made.decided_for == meeting.starts_at,
    )


HANDLERS = [
    fill_in,
    list_decisions,
    list_line_tests,
    make_decision,
    read_line_test,
    read_readiness,
]
