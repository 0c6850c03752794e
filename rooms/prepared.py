"""Questions that pages ask by the ten thousand, put together once: that costs ten times their answer.

The rule stays where it is; it is asked here for an actor, a day and a point that are named when the question
is put.
"""

from collections.abc import Callable
from datetime import date
from typing import Any

from sqlalchemy import Date, Integer, Select, bindparam

from rooms.meetings import Participation
from rooms.policies import Actor


class _Known:
    """Stands for the day on which an actor is known to be nobody's substitute."""

    def __init__(self, *, known: bool) -> None:
        self.known = known

    def __eq__(self, _day: object) -> bool:
        return self.known

    __hash__ = None  # type: ignore[assignment]  # it equals whatever it is compared with


def of_one_point(points: Callable[[Actor, date], Select[int]]) -> dict[bool, Select[int]]:
    """What selects points by an actor and a day, narrowed to `meeting` and `point`.

    By whether the login has found that the actor is nobody's substitute on the day; the parameters
    `actor` and `on` name both. For actors in their own name.
    """
    on: Any = bindparam("on", type_=Date)
    person: Any = bindparam("actor", type_=Integer)
    found = {}
    for known in (False, True):
        day: Any = _Known(known=known)
        found[known] = points(Actor(person, "", 0, no_substitution_on=day), on).where(
            Participation.meeting_id == bindparam("meeting"),
            Participation.point_id == bindparam("point"),
        )
    return found
