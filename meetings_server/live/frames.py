"""The frames of a live line, ready to send: JSON, rows instead of objects.

Ten thousand points are 180 KB.
"""

from typing import Any

import msgspec

from meetings_server.live.picture import (
    COLUMNS,
    LEVEL_COLUMNS,
    ROLLUP_COLUMNS,
    Feed,
    Picture,
)
from meetings_server.live.wire import text_frame
from rooms.kernel import utcnow
from rooms.notices import MeetingNotice

_encode = msgspec.json.Encoder().encode

MOST_KEPT = 20
"""Answers to clients that come back to a scope, each up to the size of a snapshot."""
WORTH_KEEPING = 20
"""Points. Scopes with fewer are many, and watched by one or two lines each."""


def _frame(message: dict[str, Any]) -> bytes:
    return text_frame(_encode(message))


def snapshot(picture: Picture, feed: Feed) -> bytes:
    """Everything of a scope. Built once for each revision, but where it is next to nothing."""
    if feed.snapshot is None or feed.snapshot[0] != picture.revision:
        frame = _frame(
            {
                "type": "snapshot",
                "revision": picture.revision,
                "scope": feed.scope.code,
                "meeting": picture.meeting,
                "columns": COLUMNS,
                "points": [point.row for point in feed.points.values()],
                "rollup_columns": ROLLUP_COLUMNS,
                "rollup": _units(picture, feed, feed.units),
                "level_columns": LEVEL_COLUMNS,
                "levels": _levels(feed, feed.levels),
            }
        )
        if len(feed.points) < WORTH_KEEPING:
            return frame
        feed.snapshot = (picture.revision, frame)
    return feed.snapshot[1]


def changes(picture: Picture, feed: Feed) -> bytes:
    """What changed in a scope since its last frame."""
    return _frame(
        {
            "type": "changes",
            "revision": picture.revision,
            "points": [point.row for point in feed.changed_points.values()],
            "rollup": _units(picture, feed, feed.changed_units),
            "levels": _levels(feed, feed.changed_levels),
        }
    )


def changes_after(picture: Picture, feed: Feed, revision: int) -> bytes:
    """What a client that has seen a revision missed; the counts are sent whole.

    Those who come back together have mostly seen the same: built once for all of them.
    """
    if feed.resumed[0] != picture.revision or len(feed.resumed[1]) >= MOST_KEPT:
        feed.resumed = (picture.revision, {})
    kept = feed.resumed[1]
    frame = kept.get(revision)
    if frame is None:
        frame = _frame(
            {
                "type": "changes",
                "revision": picture.revision,
                "points": [p.row for p in feed.points.values() if p.revision > revision],
                "rollup": _units(picture, feed, feed.units),
                "levels": _levels(feed, feed.levels),
            }
        )
        if len(feed.points) >= WORTH_KEEPING:
            kept[revision] = frame
    return frame


def meeting(picture: Picture) -> bytes:
    return _frame({"type": "meeting", "revision": picture.revision, "meeting": picture.meeting})


def heartbeat(picture: Picture, every: float) -> bytes:
    """`every`: seconds until the next one at the latest."""
    return text_frame(b'{"type":"heartbeat","revision":%d,"every":%d}' % (picture.revision, every))


def passing(granted: str | None, every: float) -> bytes:
    """What a client shows when it comes back (None: nothing any more), and how long lines are silent."""
    return _frame({"type": "pass", "pass": granted, "every": round(every)})


def notice(told: MeetingNotice, wait: float) -> bytes:
    """`wait`: over how many seconds those who get it should spread what they fetch because of it."""
    return _frame({**told.facts, "type": "notice", "kind": told.kind, "wait": round(wait, 1)})


def ack(message_id: bytes, revision: int) -> bytes:
    """`message_id` is the client's own, as JSON."""
    return text_frame(b'{"type":"ack","id":%b,"revision":%d}' % (message_id, revision))


def receipted(message_id: bytes, kept: list[int]) -> bytes:
    """The messages of the host whose receipts were kept, and when."""
    return text_frame(
        b'{"type":"receipted","id":%b,"messages":%b,"at":%b}'
        % (message_id, _encode(kept), _encode(utcnow()))
    )


def error(message_id: bytes, code: str, detail: str, *, again: bool = False) -> bytes:
    """`again`: it holds for the moment, and the same message may be sent later."""
    return text_frame(
        b'{"type":"error","id":%b,"code":%b,"detail":%b%b}'
        % (message_id, _encode(code), _encode(detail), b',"again":true' if again else b"")
    )


def _units(picture: Picture, feed: Feed, unit_ids: Any) -> list[list[Any]]:
    by_id = picture.tree.by_id
    return [[by_id[unit_id].code, *feed.units[unit_id].row()] for unit_id in unit_ids]


def _levels(feed: Feed, levels: Any) -> list[list[Any]]:
    return [[level, *feed.levels[level].row()] for level in levels]
