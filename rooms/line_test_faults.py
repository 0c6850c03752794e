"""From a problem of the line test to a fault of the room's equipment, which technicians then solve."""

from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

from sqlalchemy.orm import Session

from rooms.attendance import Source, require_check_in
from rooms.faults import FaultKind, NewFault, report_fault
from rooms.kernel import Conflict, civil_day
from rooms.line_tests import LineItem, Result, locked_test, note_fault, open_for_test
from rooms.policies import Actor

KINDS = {
    LineItem.PICTURE: FaultKind.PICTURE,
    LineItem.SOUND: FaultKind.SOUND,
    LineItem.CAMERA: FaultKind.PICTURE,
    LineItem.NETWORK: FaultKind.NETWORK,
    LineItem.BACKUP_LINE: FaultKind.NETWORK,
}


@dataclass
class NoProblem(Conflict):
    """The item has no problem now; somebody has tested it again."""

    code: ClassVar[str] = "line_test_no_problem"
    item: str


def open_fault(
    session: Session,
    actor: Actor,
    meeting_id: int,
    point_id: int,
    item: LineItem,
    text: str,
    source: Source,
    now: datetime,
) -> int:
    """Open a fault for a problem of a point; a second click gives the one there is. Returns its id.

    `text`: what the fault is called where the problem has no note. Raises as `report_fault`,
    `LineTestClosed`, `NoProblem`.
    """
    require_check_in(session, actor, meeting_id, point_id, civil_day(now))
    meeting = open_for_test(session, meeting_id, now)
    standing = locked_test(session, meeting, point_id)
    if standing.result_of(item) is not Result.PROBLEM:
        raise NoProblem(item.value)
    known = standing.faults.get(item)
    if known is not None:
        return known
    new = NewFault(KINDS[item].value, standing.notes.get(item) or text, meeting_id=meeting_id)
    fault = report_fault(session, actor, point_id, new, now)
    note_fault(session, actor, standing, item, fault.id, source, now)
    return fault.id
