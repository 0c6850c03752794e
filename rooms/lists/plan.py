"""What a list would do: looked at before anything is written, compared when it is carried out."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import ClassVar, NamedTuple, TypeVar

from rooms.kernel import Conflict, FieldInvalid, Invalid
from rooms.lists.lost_zeros import LostZeros
from rooms.sheets import Fault, Row

T = TypeVar("T")


@dataclass
class ListNotSound(Invalid):
    """The list has faults; nothing was written."""

    code: ClassVar[str] = "list_not_sound"
    faults: list[Fault]


@dataclass
class PlanChanged(Conflict):
    """What the list would do is not what it would have done when it was looked at."""

    code: ClassVar[str] = "plan_changed"


class Difference(NamedTuple):
    column: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class Entry:
    """A row that is new, or one that changes what is there; then it says how."""

    line: int
    key: str
    """The code, the user name: what the row is known by."""
    name: str
    note: str = ""
    differences: tuple[Difference, ...] = ()


@dataclass
class Plan:
    """What a list comes to. It is sound where nothing keeps it from being carried out."""

    scope: str = ""
    """What else decides about the outcome, such as the day."""
    new: list[Entry] = field(default_factory=list)
    changed: list[Entry] = field(default_factory=list)
    unchanged: int = 0
    faults: list[Fault] = field(default_factory=list)
    lost: list[LostZeros] = field(default_factory=list)

    @property
    def sound(self) -> bool:
        return not self.faults and not self.lost

    @property
    def digest(self) -> str:
        """The same for two plans that do the same."""
        told = repr((self.scope, self.new, self.changed, self.unchanged))
        return sha256(told.encode()).hexdigest()

    def require_sound(self, looked_at: str | None) -> None:
        """Raises `ListNotSound`, or `PlanChanged` where `looked_at` is another plan's digest."""
        if self.faults or self.lost:
            lost = [Fault(each.line, each.column, "lost_zeros", each.value) for each in self.lost]
            raise ListNotSound(sorted([*self.faults, *lost]))
        if looked_at is not None and looked_at != self.digest:
            raise PlanChanged


class Cells:
    """The cells of one row, read one by one; a cell that cannot be taken is told once."""

    def __init__(self, row: Row, faults: list[Fault]) -> None:
        self.line = row.line
        self._texts = row.cells
        self._faults = faults
        self._before = len(faults)
        self._told = {fault.column for fault in faults if fault.line == row.line}

    @property
    def sound(self) -> bool:
        """Whether nothing has been said against the row, here or when it was read."""
        return len(self._faults) == self._before and not self._told

    def has(self, column: str) -> bool:
        """Whether the table has the column at all; one that it lacks stays as it is."""
        return column in self._texts

    def text(self, column: str) -> str:
        return self._texts.get(column, "")

    def fault(self, column: str, problem: str, value: str | None = None) -> None:
        if column not in self._told:
            shown = self.text(column) if value is None else value
            self._faults.append(Fault(self.line, column, problem, shown[:60]))

    def take(self, column: str, read: Callable[[str, str], T], fallback: T) -> T:
        """What `read(column, text)` makes of a cell; its `FieldInvalid` becomes a fault."""
        try:
            return read(column, self.text(column))
        except FieldInvalid as wrong:
            self.fault(column, wrong.problem)
            return fallback


def differences(
    columns: Iterable[str], before: Mapping[str, str], after: Mapping[str, str]
) -> tuple[Difference, ...]:
    """How two rows differ in the columns that a table has."""
    return tuple(
        Difference(column, before[column], after[column])
        for column in columns
        if before[column] != after[column]
    )
