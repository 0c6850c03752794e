"""The frames of a live line as JSON: rows, not objects; ten thousand points are 180 KB."""

from typing import Any

import msgspec

from meetings_server.live.picture import (
    COLUMNS,
    LEVEL_COLUMNS,
    ROLLUP_COLUMNS,
    Feed,
    Picture,
)
from rooms.notices import MeetingNotice

_encode = msgspec.json.Encoder().encode


def snapshot(picture: Picture, feed: Feed) -> bytes:
    """Everything of a scope. Built once for each revision."""
    if feed.snapshot is None or feed.snapshot[0] != picture.revision:
        payload = _encode(
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
        feed.snapshot = (picture.revision, payload)
    return feed.snapshot[1]


def changes(picture: Picture, feed: Feed) -> bytes:
    """What changed in a scope since its last frame."""
    return _encode(
        {
            "type": "changes",
            "revision": picture.revision,
            "points": [point.row for point in feed.changed_points.values()],
            "rollup": _units(picture, feed, feed.changed_units),
            "levels": _levels(feed, feed.changed_levels),
        }
    )


def changes_after(picture: Picture, feed: Feed, revision: int) -> bytes:
    """What a client that has seen a revision missed; the counts are sent whole."""
    return _encode(
        {
            "type": "changes",
            "revision": picture.revision,
            "points": [p.row for p in feed.points.values() if p.revision > revision],
            "rollup": _units(picture, feed, feed.units),
            "levels": _levels(feed, feed.levels),
        }
    )


def meeting(picture: Picture) -> bytes:
    return _encode({"type": "meeting", "revision": picture.revision, "meeting": picture.meeting})


def heartbeat(picture: Picture) -> bytes:
    return b'{"type":"heartbeat","revision":%d}' % picture.revision


def notice(told: MeetingNotice, wait: float) -> bytes:
    """`wait`: over how many seconds those who get it should spread what they fetch because of it."""
    return _encode({**told.facts, "type": "notice", "kind": told.kind, "wait": round(wait, 1)})


def ack(message_id: bytes, revision: int) -> bytes:
    """`message_id` is the client's own, as JSON."""
    return b'{"type":"ack","id":%b,"revision":%d}' % (message_id, revision)


def error(message_id: bytes, code: str, detail: str) -> bytes:
    return b'{"type":"error","id":%b,"code":%b,"detail":%b}' % (
        message_id,
        _encode(code),
        _encode(detail),
    )


def _units(picture: Picture, feed: Feed, unit_ids: Any) -> list[list[Any]]:
    by_id = picture.tree.by_id
    return [[by_id[unit_id].code, *feed.units[unit_id].row()] for unit_id in unit_ids]


def _levels(feed: Feed, levels: Any) -> list[list[Any]]:
    return [[level, *feed.levels[level].row()] for level in levels]
