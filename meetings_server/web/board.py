"""The live board of a meeting: its first frame with the page, everything after it over the socket.

The page brings totals, levels and groups as they stand, so that something is there before a script
runs. What never changes during a meeting (names, telephones, coordinates) the script fetches once
from the live part, and the states come over the websocket. What the board asks beside that stands in
`board_day`.
"""

from typing import Any

from litestar import Response, get
from sqlalchemy.orm import joinedload

from meetings_server.database import Database
from meetings_server.i18n import _, mark
from meetings_server.live.roster import Scoped
from meetings_server.web.board_day import HANDLERS as WHILE_OPEN
from meetings_server.web.board_day import helps_of, notes_of, reminders_of
from meetings_server.web.meeting_words import LEVELS
from meetings_server.web.pages import PageRequest, render
from rooms.hierarchy import Node, Tree, load_tree
from rooms.kernel import civil_day, utcnow
from rooms.meetings import Meeting, visible_meeting
from rooms.reminders import may_remind
from rooms.rollup import Counts, Scope, visible_scope
from rooms.tally import Tally, tally

SHOWN_STATES: dict[str, str] = {
    "needs_help": mark("Needs help"),
    "lost": mark("Connection lost"),
    "late": mark("Late"),
    "present": mark("Present"),
    "ready": mark("Ready"),
    "left": mark("Left"),
    "invited": mark("Not checked in yet"),
}
"""In the order in which they ask for attention."""

REPLIES: dict[str, str] = {
    "accepted": mark("will attend"),
    "declined": mark("has declined"),
    "pending": mark("has not replied"),
}


@get("/meetings/{meeting_id:int}/board", include_in_schema=False, sync_to_thread=True)
def board_page(
    request: PageRequest, db: Database, meeting_id: int, unit: Scoped = None
) -> Response[str]:
    """The board of the widest scope that the person may see, or of the unit that `?scope=` names."""
    now = utcnow()
    today = civil_day(now)
    with db.reader() as session:
        actor = request.user.actor
        meeting = visible_meeting(
            session, actor, meeting_id, today, [joinedload(Meeting.host_unit)]
        )
        tree = load_tree(session, meeting.day)
        shown = visible_scope(session, actor, meeting, tree, today, unit or None)
        areas = Areas(tree, shown)
        found = tally(session, meeting, tree, shown, areas.groups)
        island = {
            "meeting": meeting.id,
            "state": meeting.state,
            # Without a scope in the address the live part finds the widest by the same rule.
            "scope": unit or "",
            "may_remind": may_remind(session, actor, meeting, now),
            "helps": helps_of(session, actor, meeting.id, today),
            "notes": notes_of(session, meeting, shown),
            "reminders": reminders_of(session, meeting, shown),
            **areas.words(found),
        }
        return render(
            request,
            "board.html",
            meeting=meeting,
            scope=shown,
            totals=_totals(found),
            levels=_levels(found, tree),
            groups=areas.rows(found),
            states=[(state, _(word)) for state, word in SHOWN_STATES.items()],
            replies=[(reply, _(word)) for reply, word in REPLIES.items()],
            island=island,
        )


class Areas:
    """The units one level below the tops of a scope; the script groups by the same rule.

    A unit with others below it is an area with all of them. Those without any stand together by
    level where there are areas beside them (the departments of a city), else each alone (the wards of
    a district). A top's own points stand by its level.
    """

    def __init__(self, tree: Tree, scope: Scope) -> None:
        self.tree = tree
        self.tops = {node.id: node for node in (scope.roots or tree.roots)}

    @property
    def groups(self) -> dict[int, str]:
        """By unit: the code of its area, or `level:` and a level."""
        return self.tree.once(("areas", tuple(self.tops)), self._groups)

    def _groups(self) -> dict[int, str]:
        children = self.tree.children
        mixed = {
            top_id: any(children.get(child.id) for child in children.get(top_id, ()))
            for top_id in self.tops
        }
        groups: dict[int, str] = {}
        # Parents come before their children.
        for node in self.tree.by_id.values():
            above = node.parent_id
            if node.id in self.tops or (above in self.tops and self._alone(node, mixed)):
                groups[node.id] = f"level:{node.level}"
            elif above in self.tops:
                groups[node.id] = node.code
            elif above in groups:
                groups[node.id] = groups[above]
        return groups

    def _alone(self, node: Node, mixed: dict[int, bool]) -> bool:
        return mixed[node.parent_id or 0] and not self.tree.children.get(node.id)

    def rows(self, found: Tally) -> list[tuple[str, str, Counts]]:
        """Key, name and counts, in the order of the tree."""
        order = {node.code: number for number, node in enumerate(self.tree.by_id.values())}
        keys = sorted(map(str, found.groups), key=lambda key: order.get(key, -1))
        return [(key, self._name(key), found.groups[key]) for key in keys]

    def _name(self, key: str) -> str:
        kind, _colon, level = key.partition(":")
        return _(LEVELS.get(level, level)) if kind == "level" else self.tree.by_code[key].name

    def words(self, found: Tally) -> dict[str, Any]:
        """Names that the script needs beside those of the roster."""
        inner = [node for node in self.tree.by_id.values() if self.tree.children.get(node.id)]
        tops = list(self.tops.values())
        return {
            "tops": [node.code for node in tops],
            "whole": tops[0].name if len(tops) == 1 else _("Everything"),
            "labels": {
                node.code: short for node in inner if (short := _without_kind(node)) != node.name
            },
            "levels": {level: _(LEVELS.get(level, level)) for level in found.levels},
        }


def _without_kind(unit: Node) -> str:
    """`Đống Đa` of `Quận Đống Đa`: there is little room on a map."""
    if unit.name.casefold().startswith(f"{unit.kind.casefold()} "):
        return unit.name[len(unit.kind) + 1 :]
    return unit.name


def _totals(found: Tally) -> dict[str, int]:
    """Points by shown state, in all, and the headcount of those who are there."""
    states = {state: found.states[state] for state in SHOWN_STATES}
    return states | {"people": found.people, "all": found.invited}


def _levels(found: Tally, tree: Tree) -> list[dict[str, Any]]:
    ordered = [level for level in tree.levels if level in found.levels]
    return [
        {"key": level, "name": _(LEVELS.get(level, level)), "counts": found.levels[level]}
        for level in ordered
    ]


HANDLERS = [board_page, *WHILE_OPEN]
