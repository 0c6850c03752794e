"""What a check-in does to the calls for help, within its commit.

Calls follow from the states of points by one rule, whichever way a state came: a point that comes to need
help opens a call; other words for it change the call; a point that no longer does ends it. A call that
nobody had taken is withdrawn by that, one that was taken is solved, one that was solved is confirmed.
Batches of check-ins that touch nobody's need for help cost no statement here.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, and_, bindparam, insert, or_, select, tuple_, update

from rooms.attendance import CheckIn, Presence
from rooms.help_calls import RUNNING, Act, HelpAct, HelpCall, HelpState, Trouble
from rooms.kernel import FieldInvalid
from rooms.standings import Standing

_Key = tuple[int, int]
_NEEDED = Presence.NEEDS_HELP.value
_FACTS = (
    "trouble",
    "words",
    "state",
    "asked_at",
    "asked_by",
    "taken_by",
    "taken_at",
    "solved_at",
    "solved_by",
    "confirmed_at",
    "withdrawn_at",
)


def require_trouble(said: CheckIn) -> None:
    """Raises `FieldInvalid` for a word that is none of `Trouble`, or one without need for help."""
    if said.trouble and said.trouble not in set(Trouble):
        raise FieldInvalid("trouble", "unknown", said.trouble[:40])
    if said.trouble and said.state != _NEEDED:
        raise FieldInvalid("trouble", "only_with_needs_help")


@dataclass(slots=True)
class _Change:
    """A check-in that brought a point into need for help, changed its words, or took it out."""

    key: _Key
    needed: bool
    needs: bool
    words: str
    at: datetime
    said: CheckIn


@dataclass(slots=True)
class _Call:
    """A call that is not over, as this batch leaves it."""

    facts: dict[str, Any]
    id: int | None = None
    acts: list[dict[str, Any]] = field(default_factory=list)
    changed: bool = False


class HelpBook:
    """Gathers what a batch of check-ins means for the calls, and writes it once."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._changes: list[_Change] = []

    def note(
        self, before: str | None, after: Standing | None, said: CheckIn, observed: datetime
    ) -> None:
        """A check-in that was put into the log: the point's present state before and after it."""
        needs = after is not None and after.state == _NEEDED
        if not needs and before != _NEEDED:
            return
        key = said.meeting_id, said.point_id
        words = after.note if after is not None and needs else ""
        self._changes.append(_Change(key, before == _NEEDED, needs, words, observed, said))

    def write(self) -> None:
        """Three statements at most for what was read, four for what is new; none for nothing."""
        if not self._changes:
            return
        running = self._read(sorted({change.key for change in self._changes}))
        touched: dict[int, _Call] = {}
        for change in self._changes:
            call = running.get(change.key)
            if change.needs:
                if call is None:
                    call = running[change.key] = _opened(change)
                else:
                    _described(call, change)
            elif call is not None:
                _ended(call, change)
                del running[change.key]
            if call is not None:
                touched[id(call)] = call
        self._changes.clear()
        self._put([call for call in touched.values() if call.changed])

    def _read(self, keys: Sequence[_Key]) -> dict[_Key, _Call]:
        rows = self._connection.execute(
            select(HelpCall.__table__)
            .where(
                tuple_(HelpCall.meeting_id, HelpCall.point_id).in_(keys),
                or_(
                    HelpCall.state.in_(RUNNING),
                    and_(HelpCall.state == HelpState.SOLVED.value, HelpCall.confirmed_at.is_(None)),
                ),
            )
            .order_by(HelpCall.id)
            .with_for_update()
        ).mappings()
        return {
            (row["meeting_id"], row["point_id"]): _Call({n: row[n] for n in _FACTS}, row["id"])
            for row in rows
        }

    def _put(self, calls: list[_Call]) -> None:
        new = [call for call in calls if call.id is None]
        known = [call for call in calls if call.id is not None]
        if new:
            made = self._connection.scalars(
                insert(HelpCall).returning(HelpCall.id, sort_by_parameter_order=True),
                [call.facts | {"remedy": ""} for call in new],
            )
            for call, call_id in zip(new, made.all(), strict=True):
                call.id = call_id
        if known:
            self._connection.execute(
                _UPDATE, [{"of_call": c.id} | {n: c.facts[n] for n in _FACTS} for c in known]
            )
        acts = [act | {"call_id": call.id} for call in calls for act in call.acts]
        if acts:
            self._connection.execute(insert(HelpAct), acts)


_UPDATE = (
    update(HelpCall)
    .where(HelpCall.id == bindparam("of_call"))
    .values({name: bindparam(name) for name in _FACTS})
)


def _opened(change: _Change) -> _Call:
    meeting_id, point_id = change.key
    facts = dict.fromkeys(_FACTS) | {
        "meeting_id": meeting_id,
        "point_id": point_id,
        "trouble": change.said.trouble or Trouble.OTHER.value,
        "words": change.words,
        "state": HelpState.OPEN.value,
        "asked_at": change.at,
        "asked_by": change.said.recorded_by,
    }
    call = _Call(facts)
    _act(call, change, Act.ASKED, change.words)
    return call


def _described(call: _Call, change: _Change) -> None:
    """The point says more, or something else, of the trouble it has."""
    if call.facts["state"] == HelpState.SOLVED.value:
        call.facts.update(state=HelpState.TAKEN.value, solved_at=None, solved_by=None)
        _act(call, change, Act.REOPENED, change.words)
    trouble = change.said.trouble or call.facts["trouble"]
    if (trouble, change.words) != (call.facts["trouble"], call.facts["words"]):
        call.facts.update(trouble=trouble, words=change.words)
        _act(call, change, Act.SAID, change.words)


def _ended(call: _Call, change: _Change) -> None:
    at = max(change.at, call.facts["asked_at"])
    state = call.facts["state"]
    if state == HelpState.SOLVED.value:
        call.facts["confirmed_at"] = at
        _act(call, change, Act.CONFIRMED)
    elif state == HelpState.TAKEN.value:
        call.facts.update(
            state=HelpState.SOLVED.value,
            solved_at=at,
            solved_by=change.said.recorded_by,
            confirmed_at=at,
        )
        _act(call, change, Act.SOLVED)
    else:
        call.facts.update(state=HelpState.WITHDRAWN.value, withdrawn_at=at)
        _act(call, change, Act.WITHDRAWN)


def _act(call: _Call, change: _Change, act: Act, words: str = "") -> None:
    call.changed = True
    call.acts.append(
        {
            "at": change.at,
            "act": act.value,
            "person_id": change.said.recorded_by,
            "on_behalf_of_id": change.said.on_behalf_of_id,
            "to_id": None,
            "words": words,
        }
    )
