"""What follows from an event inside its commit: a table from events to what writes the rows."""

from collections.abc import Callable
from typing import Any

from sqlalchemy.orm import Session

from meetings_server import reorganising
from meetings_server.live import hints
from meetings_server.mail import directives, invitations, reorganisations
from meetings_server.push import decisions, during, reminders
from rooms.kernel import Event

# Each entry: the event's type and what to do with it. The function gets the session and the event.
WITHIN_COMMIT: list[tuple[type[Event], Callable[[Session, Any], None]]] = [
    *hints.EFFECTS,
    *invitations.EFFECTS,
    *directives.EFFECTS,
    *reorganisations.EFFECTS,
    *reorganising.EFFECTS,
    *reminders.EFFECTS,
    *decisions.EFFECTS,
    *during.EFFECTS,
]


def apply_effects(session: Session, fact: Event) -> None:
    """Run what the table lists for an event; raising rolls the whole transaction back."""
    for kind, effect in WITHIN_COMMIT:
        if isinstance(fact, kind):
            effect(session, fact)
