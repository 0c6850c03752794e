"""Minutes as programs and the editor's page write and read them: units stand by their codes."""

from collections.abc import Mapping
from datetime import date
from typing import Annotated

import msgspec
from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from minutes.content import (
    LONGEST_CONCLUSIONS,
    LONGEST_LINE,
    LONGEST_SAID,
    LONGEST_TASK,
    MOST_COORDINATING,
    MOST_ITEMS,
    MOST_RECIPIENTS,
    MOST_TASKS,
    Content,
    Item,
    TaskRow,
)
from rooms.hierarchy import Unit, UnknownUnit, valid_on
from rooms.kernel import LARGEST_ID

Line = Annotated[str, msgspec.Meta(max_length=LONGEST_LINE)]
UnitCode = Annotated[str, msgspec.Meta(max_length=20)]


class ItemShape(msgspec.Struct, forbid_unknown_fields=True):
    """What was said to one item of the agenda."""

    title: Line
    presenter: Annotated[str, msgspec.Meta(max_length=200)] = ""
    said: Annotated[str, msgspec.Meta(max_length=LONGEST_SAID)] = ""


class TaskShape(msgspec.Struct, forbid_unknown_fields=True):
    """A task; `alone` says that no unit coordinates. `deadline`: `YYYY-MM-DD`, "" until known."""

    text: Annotated[str, msgspec.Meta(max_length=LONGEST_TASK)] = ""
    lead: UnitCode = ""
    coordinating: Annotated[list[UnitCode], msgspec.Meta(max_length=MOST_COORDINATING)] = []
    alone: bool = False
    deadline: Annotated[str, msgspec.Meta(max_length=10)] = ""


class ContentShape(msgspec.Struct, forbid_unknown_fields=True):
    """All that is written in minutes; what the meeting itself says is not among it."""

    place: Line = ""
    form: Line = ""
    secretary_name: Annotated[str, msgspec.Meta(max_length=120)] = ""
    secretary_title: Annotated[str, msgspec.Meta(max_length=120)] = ""
    items: Annotated[list[ItemShape], msgspec.Meta(max_length=MOST_ITEMS)] = []
    conclusions: Annotated[str, msgspec.Meta(max_length=LONGEST_CONCLUSIONS)] = ""
    tasks: Annotated[list[TaskShape], msgspec.Meta(max_length=MOST_TASKS)] = []
    recipients: Annotated[list[Line], msgspec.Meta(max_length=MOST_RECIPIENTS)] = []


class SaveShape(msgspec.Struct, forbid_unknown_fields=True):
    """`version`: the one this text is based on."""

    version: Annotated[int, msgspec.Meta(ge=1, le=LARGEST_ID)]
    content: ContentShape


def written(
    session: Session, shape: ContentShape, on: date, kept: Content | None = None
) -> Content:
    """The content with units by id; one statement. Raises `UnknownUnit`.

    A code means the unit that bears it on the day; one that the text of before (`kept`) named keeps
    its meaning, also where that unit has ended and another bears its code.
    """
    codes = {code for task in shape.tasks for code in (task.lead, *task.coordinating) if code}
    ids: dict[str, int] = {}
    if codes:
        named = kept.unit_ids() if kept else set()
        rows = session.execute(
            select(Unit.code, Unit.id).where(
                Unit.code.in_(codes), or_(valid_on(Unit, on), Unit.id.in_(named))
            )
        )
        for code, unit_id in rows:
            if code not in ids or unit_id in named:
                ids[code] = unit_id
    for code in sorted(codes - ids.keys()):
        raise UnknownUnit(code, on)
    return Content(
        place=shape.place,
        form=shape.form,
        secretary_name=shape.secretary_name,
        secretary_title=shape.secretary_title,
        items=tuple(Item(item.title, item.presenter, item.said) for item in shape.items),
        conclusions=shape.conclusions,
        tasks=tuple(
            TaskRow(
                task.text,
                ids[task.lead] if task.lead else None,
                tuple(ids[code] for code in task.coordinating if code),
                task.alone,
                task.deadline,
            )
            for task in shape.tasks
        ),
        recipients=tuple(shape.recipients),
    )


def units_in(session: Session, *contents: Content) -> dict[int, tuple[str, str]]:
    """Code and name of every unit that these texts name, by id; one statement."""
    ids: set[int] = set().union(*(content.unit_ids() for content in contents))
    if not ids:
        return {}
    rows = session.execute(select(Unit.id, Unit.code, Unit.name).where(Unit.id.in_(ids)))
    return {unit_id: (code, name) for unit_id, code, name in rows}


def shape_of(content: Content, units: Mapping[int, tuple[str, str]]) -> ContentShape:
    """What `written` makes the content of; `units` as `units_in` gives them."""
    return ContentShape(
        place=content.place,
        form=content.form,
        secretary_name=content.secretary_name,
        secretary_title=content.secretary_title,
        items=[ItemShape(item.title, item.presenter, item.said) for item in content.items],
        conclusions=content.conclusions,
        tasks=[
            TaskShape(
                task.text,
                units[task.lead][0] if task.lead else "",
                [units[unit][0] for unit in task.coordinating],
                task.alone,
                task.deadline,
            )
            for task in content.tasks
        ],
        recipients=list(content.recipients),
    )
