"""What a secretary writes in minutes: the text by agenda item, the conclusions, the tasks.

Facts of the meeting (who was there, when it began) are not written but taken over, see
`meeting_facts`. A draft may be incomplete at any time; what is missing is said when it is submitted.
"""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import date
from difflib import SequenceMatcher
from typing import Any, ClassVar, Literal

from rooms.kernel import FieldInvalid, Invalid, bounded_text

LONGEST_SAID = 40_000
LONGEST_CONCLUSIONS = 40_000
LONGEST_TASK = 2_000
LONGEST_LINE = 500
MOST_ITEMS = 100
MOST_TASKS = 200
MOST_COORDINATING = 100
MOST_RECIPIENTS = 100


@dataclass(frozen=True, slots=True)
class Item:
    """One item of the agenda. `said`: the discussion, one paragraph per line."""

    title: str
    presenter: str = ""
    said: str = ""


@dataclass(frozen=True, slots=True)
class TaskRow:
    """A task that the meeting gave.

    `lead` and `coordinating` are ids of units. `alone`: it was said that no unit coordinates, so
    that an empty list is no omission. `deadline`: a day as `YYYY-MM-DD`, "" until it is known.
    """

    text: str = ""
    lead: int | None = None
    coordinating: tuple[int, ...] = ()
    alone: bool = False
    deadline: str = ""


@dataclass(frozen=True, slots=True)
class Content:
    """`form`: how the meeting was held. `recipients`: nơi nhận, one line each."""

    place: str = ""
    form: str = ""
    secretary_name: str = ""
    secretary_title: str = ""
    items: tuple[Item, ...] = ()
    conclusions: str = ""
    tasks: tuple[TaskRow, ...] = ()
    recipients: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        return asdict(self)

    def unit_ids(self) -> set[int]:
        return {unit for task in self.tasks for unit in (task.lead, *task.coordinating) if unit}


def content_of(stored: dict[str, Any]) -> Content:
    """The content that `as_json` was made of."""
    return Content(
        **stored
        | {
            "items": tuple(Item(**item) for item in stored["items"]),
            "tasks": tuple(
                TaskRow(**task | {"coordinating": tuple(task["coordinating"])})
                for task in stored["tasks"]
            ),
            "recipients": tuple(stored["recipients"]),
        }
    )


@dataclass
class NothingWritten(Invalid):
    """Neither what was said nor a conclusion nor a task: there is nothing to submit."""

    code: ClassVar[str] = "minutes_empty"


def checked(content: Content) -> Content:
    """The content with its texts trimmed. Raises `FieldInvalid` for what no draft may hold."""
    for field, values, most in (
        ("items", content.items, MOST_ITEMS),
        ("tasks", content.tasks, MOST_TASKS),
        ("recipients", content.recipients, MOST_RECIPIENTS),
    ):
        if len(values) > most:
            raise FieldInvalid(field, "too_many", most)
    return Content(
        place=bounded_text("place", content.place, LONGEST_LINE),
        form=bounded_text("form", content.form, LONGEST_LINE),
        secretary_name=bounded_text("secretary_name", content.secretary_name, 120),
        secretary_title=bounded_text("secretary_title", content.secretary_title, 120),
        items=tuple(
            Item(
                bounded_text("items", item.title, LONGEST_LINE),
                bounded_text("items", item.presenter, 200),
                bounded_text("items", item.said, LONGEST_SAID),
            )
            for item in content.items
        ),
        conclusions=bounded_text("conclusions", content.conclusions, LONGEST_CONCLUSIONS),
        tasks=tuple(_checked_task(task) for task in content.tasks),
        recipients=tuple(
            text
            for line in content.recipients
            if (text := bounded_text("recipients", line, LONGEST_LINE))
        ),
    )


def _checked_task(task: TaskRow) -> TaskRow:
    if len(task.coordinating) > MOST_COORDINATING:
        raise FieldInvalid("tasks", "too_many", MOST_COORDINATING)
    if task.deadline:
        day_of(task.deadline)
    return TaskRow(
        bounded_text("tasks", task.text, LONGEST_TASK),
        task.lead,
        tuple(dict.fromkeys(unit for unit in task.coordinating if unit != task.lead)),
        task.alone,
        task.deadline,
    )


def day_of(text: str) -> date:
    """Raises `FieldInvalid`."""
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise FieldInvalid("deadline", "not_a_date") from None


def require_complete(content: Content) -> None:
    """Raises `NothingWritten`, `FieldInvalid` for what may not be missing on paper.

    The field of a task is named `task-2-lead`: its place from 1, and one of `text`, `lead`,
    `coordinating`, `deadline`.
    """
    for field in ("place", "secretary_name"):
        if not getattr(content, field):
            raise FieldInvalid(field, "missing")
    if not (content.conclusions or content.tasks or any(item.said for item in content.items)):
        raise NothingWritten
    for n, task in enumerate(content.tasks, start=1):
        for part, is_there in (
            ("text", task.text),
            ("lead", task.lead),
            ("coordinating", task.coordinating or task.alone),
            ("deadline", task.deadline),
        ):
            if not is_there:
                raise FieldInvalid(f"task-{n}-{part}", "missing")


@dataclass(frozen=True, slots=True)
class Run:
    """A stretch of text that is in both versions, or in one of them."""

    kind: Literal["same", "added", "removed"]
    text: str


@dataclass(frozen=True, slots=True)
class Difference:
    """A part of the minutes that two versions word differently.

    `part`: `place`, `form`, `secretary`, `conclusions`, `recipients`, `item` or `task`; `n` from 1
    for the latter two, 0 otherwise.
    """

    part: str
    n: int
    runs: tuple[Run, ...]


def differences(old: Content, new: Content, unit_names: dict[int, str]) -> list[Difference]:
    """The parts that differ, in the order of the page, word by word."""
    before, after = _parts(old, unit_names), _parts(new, unit_names)
    order = [*after, *(part for part in before if part not in after)]
    return [
        Difference(*part, _runs(before.get(part, ""), after.get(part, "")))
        for part in sorted(order, key=lambda part: (_ORDER.index(part[0]), part[1]))
        if before.get(part, "") != after.get(part, "")
    ]


_ORDER = ("place", "form", "secretary", "item", "conclusions", "task", "recipients")


def _parts(content: Content, unit_names: dict[int, str]) -> dict[tuple[str, int], str]:
    def named(units: Iterable[int]) -> str:
        return ", ".join(unit_names.get(unit, f"#{unit}") for unit in units)

    parts = {
        ("place", 0): content.place,
        ("form", 0): content.form,
        ("secretary", 0): _joined(content.secretary_name, content.secretary_title, mark=", "),
        ("conclusions", 0): content.conclusions,
        ("recipients", 0): "\n".join(content.recipients),
    }
    for n, item in enumerate(content.items, start=1):
        parts["item", n] = _joined(item.title, item.presenter, item.said)
    for n, task in enumerate(content.tasks, start=1):
        lead = named([task.lead] if task.lead else [])
        parts["task", n] = _joined(task.text, lead, named(task.coordinating), task.deadline)
    return parts


def _joined(*texts: str, mark: str = "\n") -> str:
    return mark.join(text for text in texts if text)


def _words(text: str) -> list[str]:
    """Words with the blank after them; each line break for itself."""
    words: list[str] = []
    for line in text.splitlines(keepends=True):
        words += [f"{word} " for word in line.split()]
        if line.endswith("\n"):
            words.append("\n")
    return words


def _runs(old: str, new: str) -> tuple[Run, ...]:
    before, after = _words(old), _words(new)
    runs: list[Run] = []
    for tag, i, j, k, m in SequenceMatcher(None, before, after, autojunk=False).get_opcodes():
        if tag == "equal":
            runs.append(Run("same", "".join(before[i:j])))
            continue
        if j > i:
            runs.append(Run("removed", "".join(before[i:j])))
        if m > k:
            runs.append(Run("added", "".join(after[k:m])))
    return tuple(runs)
