"""A reorganisation: units merge, split, move, are renamed and abolished by law, on a day.

A plan is previewed, applied in one transaction, also for a day in the future, and may be taken back
as long as that day has not come.

| module | what |
| --- | --- |
| `plans` | what a plan says, and what can be wrong with it |
| `comparing` | the plan beside the tree: who goes on, ends, begins, and who inherits |
| `rules`, `ownership`, `reaiming` | coming meetings: rules said again, rooms, who stands for whom |
| `grants` | roles that pass on |
| `previews`, `previewing` | what would be done |
| `tree_rows`, `invitations` | the rows that are written |
| `applying`, `taking_effect`, `taking_back` | the acts |
| `records` | the tables |
"""

from rooms.reorganisation.applying import apply, discard_plan, keep_plan
from rooms.reorganisation.invitations import MeetingsReaimed
from rooms.reorganisation.plans import (
    BackdatedTouches,
    DayPassed,
    InUseSince,
    NoAdministratorLeft,
    NothingChanges,
    Plan,
    PlanApplied,
    PlanNotSound,
    PlansOverlap,
    SuccessionRow,
    UnitInMeeting,
    make_plan,
    plan_from_json,
)
from rooms.reorganisation.previewing import preview
from rooms.reorganisation.previews import (
    Fate,
    GrantShift,
    Heir,
    MeetingShift,
    PersonShift,
    PointShift,
    Preview,
    UnitFate,
    UnitLine,
    Warned,
)
from rooms.reorganisation.records import (
    ReaimedMeeting,
    Reorganisation,
    ReorganisationState,
    UnknownReorganisation,
    WrongReorganisationState,
    reorganisation_by_id,
    reorganisations,
)
from rooms.reorganisation.taking_back import take_back
from rooms.reorganisation.taking_effect import UnitsReorganised, come_into_force

__all__ = [
    "BackdatedTouches",
    "DayPassed",
    "Fate",
    "GrantShift",
    "Heir",
    "InUseSince",
    "MeetingShift",
    "MeetingsReaimed",
    "NoAdministratorLeft",
    "NothingChanges",
    "PersonShift",
    "Plan",
    "PlanApplied",
    "PlanNotSound",
    "PlansOverlap",
    "PointShift",
    "Preview",
    "ReaimedMeeting",
    "Reorganisation",
    "ReorganisationState",
    "SuccessionRow",
    "UnitFate",
    "UnitInMeeting",
    "UnitLine",
    "UnitsReorganised",
    "UnknownReorganisation",
    "Warned",
    "WrongReorganisationState",
    "apply",
    "come_into_force",
    "discard_plan",
    "keep_plan",
    "make_plan",
    "plan_from_json",
    "preview",
    "reorganisation_by_id",
    "reorganisations",
    "take_back",
]
