"""Minutes on paper: their text and facts in the form of NĐ 30/2020/NĐ-CP."""

from zoneinfo import ZoneInfo

from minutes.content import Content
from minutes.forms import (
    AbsentUnit,
    AgendaItem,
    AssignedTask,
    Correction,
    Letterhead,
    MinutesDocument,
    Official,
    PresentUnit,
)
from minutes.meeting_facts import Facts
from minutes.meeting_minutes import Minutes
from rooms.kernel import civil_day


def minutes_document(
    minutes: Minutes, content: Content, facts: Facts, *, issued: bool
) -> MinutesDocument:
    """What the renderers need. `minutes.corrects` must be loaded. Not `issued`: DỰ THẢO on each page.

    Tasks without a deadline yet are left out: only a draft has any.
    """
    issued_on = civil_day(minutes.issued_at) if minutes.issued_at else None
    return MinutesDocument(
        letterhead=Letterhead(
            facts.superior, facts.issuer, minutes.number, facts.symbol, facts.seat, issued_on
        ),
        subject=facts.title,
        started_at=facts.starts_at,
        ended_at=facts.ends_at,
        place=content.place,
        chair=Official(facts.chair.name, facts.chair.title),
        secretary=Official(content.secretary_name, content.secretary_title),
        present=tuple(
            PresentUnit(unit.unit, unit.delegate, unit.headcount, unit.group)
            for unit in facts.present
        ),
        absent=tuple(
            AbsentUnit(unit.unit, unit.excused, unit.reason, unit.group) for unit in facts.absent
        ),
        agenda=tuple(AgendaItem(item.title, item.said, item.presenter) for item in content.items),
        conclusions=content.conclusions,
        tasks=tuple(
            AssignedTask(task.text, task.lead, task.coordinating, task.day)
            for task in facts.tasks
            if task.day
        ),
        recipients=content.recipients,
        form=content.form,
        issued=issued,
        corrects=_correction(minutes),
        timezone=ZoneInfo(facts.timezone),
    )


def _correction(minutes: Minutes) -> Correction | None:
    old = minutes.corrects
    if old is None or old.issued_at is None:
        return None
    return Correction(old.symbol, civil_day(old.issued_at), minutes.correction_reason)
