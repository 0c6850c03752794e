"""Which state the tree of units is in: what was read of it is kept until the state is another.

The state is a token in one row. Triggers of the database renew it with every change of a unit or of a
place in the tree, whoever makes it and with whatever statement; the tokens are random, so that one of
a transaction that was rolled back never comes again. Asking for it costs a tenth of a millisecond.
"""

from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Callable
from datetime import date
from threading import Lock

from sqlalchemy import select
from sqlalchemy.orm import Mapped, Session, mapped_column

from rooms.kernel import Base
from rooms.trees import Tree

MOST_TREES = 8
"""A nation's tree takes about 10 MB."""
MOST_STATES = 8


class TreeState(Base):
    """The one row with the token."""

    __tablename__ = "tree_state"

    id: Mapped[int] = mapped_column(primary_key=True)
    token: Mapped[str]


class KeptTrees:
    """The trees that were asked for last, and the days on which the tree changes, by token."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._trees: OrderedDict[tuple[str, date], Tree] = OrderedDict()
        self._days: OrderedDict[str, list[date]] = OrderedDict()

    def tree(
        self,
        session: Session,
        on: date,
        read: Callable[[], Tree],
        read_days: Callable[[], list[date]],
    ) -> Tree:
        """The tree as of a day; `read` and `read_days` are asked where it is not kept."""
        token = session.scalar(select(TreeState.token))
        if token is None:
            return read()
        shape = (token, self._shape(token, on, read_days))
        with self._lock:
            kept = self._trees.get(shape)
            if kept is not None:
                self._trees.move_to_end(shape)
                return kept.as_of(on)
        tree = read()
        with self._lock:
            self._trees[shape] = tree
            while len(self._trees) > MOST_TREES:
                self._trees.popitem(last=False)
        return tree

    def _shape(self, token: str, on: date, read_days: Callable[[], list[date]]) -> date:
        """The first day of the span of days that share one tree with this day."""
        with self._lock:
            days = self._days.get(token)
        if days is None:
            days = read_days()
            with self._lock:
                self._days[token] = days
                while len(self._days) > MOST_STATES:
                    self._days.popitem(last=False)
        place = bisect_right(days, on)
        return days[place - 1] if place else date.min


KEPT = KeptTrees()
