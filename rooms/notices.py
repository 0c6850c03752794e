"""What those who watch a meeting should look at now: a question, an answer, a word of the host.

The facts themselves lie in the tables of whoever records a notice; a notice only says that they have
changed, and may come twice or not at all.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from rooms.kernel import Event

EVERYTHING = "everything"
"""The kind of a notice that stands for any others that may have been missed."""


@dataclass(frozen=True)
class MeetingNotice(Event):
    """Something beside the attendance has changed in a meeting.

    It goes to the lines that watch one of the units, or a unit above one of them; None is all lines.
    `facts` must be fit for everybody who watches these units, and may be missing on arrival.
    """

    meeting_id: int
    kind: str
    unit_ids: Collection[int] | None = None
    facts: Mapping[str, str | int | float | bool | None] = field(default_factory=dict)
