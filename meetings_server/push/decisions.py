"""Go and no-go reach the people of every point: in the page, and on their devices where plans change."""

from collections.abc import Callable
from typing import Any

from sqlalchemy.orm import Session

from meetings_server.i18n import mark
from meetings_server.push.addressed import of_points
from meetings_server.push.telling import By, Telling, tell_people
from rooms.go_decisions import Go, GoDecided, GoDecision
from rooms.kernel import Event, civil_day
from rooms.meetings import Meeting, invited, standing_invitation
from rooms.people import Person

TITLES = {
    Go.GO: mark("Held as planned: {title}"),
    Go.NO_GO: mark("Not ready to be held: {title}"),
}


def _tell(session: Session, fact: GoDecided) -> None:
    decision = session.get_one(GoDecision, fact.decision_id)
    decider = session.get_one(Person, decision.decided_by)
    meeting = session.get_one(Meeting, decision.meeting_id)
    verdict = Go(decision.verdict)
    # That all goes as everybody expects wakes nobody.
    wakes = fact.turns or verdict is Go.NO_GO
    told = Telling(
        key=f"go:{decision.id}",
        kind="decision",
        unit_id=meeting.host_unit_id,
        title=TITLES[verdict],
        text=mark("{name} has decided: {reason}") if decision.reason else mark("{name} decided."),
        facts={"title": meeting.title, "name": decider.name, "reason": decision.reason},
        path=f"/meetings/{meeting.id}",
        at=decision.decided_at,
        channels=(By.PAGE, By.PUSH) if wakes else (By.PAGE,),
        meeting_id=meeting.id,
        expires_at=meeting.ends_at,
        urgent=wakes,
    )
    on = civil_day(decision.decided_at)
    tell_people(session, told, of_points(invited(meeting.id) & standing_invitation(), on))


EFFECTS: list[tuple[type[Event], Callable[[Session, Any], None]]] = [(GoDecided, _tell)]
