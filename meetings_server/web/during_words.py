"""The words of a meeting under way: calls for help, messages of the host, reports of video systems."""

from typing import Any

from meetings_server.i18n import _, mark
from meetings_server.web.meeting_words import LEVELS, word
from meetings_server.web.point_words import duration
from rooms.help_calls import Act, HelpState, Trouble
from rooms.host_messages import Aim, HostMessage
from rooms.video_rooms import ALREADY, AMBIGUOUS, ASSIGNED, NO_MEETING, NOBODY, STILL_THERE
from rooms.video_systems import VideoFormat

TROUBLES: dict[str, str] = {
    Trouble.NO_SOUND: mark("No sound"),
    Trouble.NO_PICTURE: mark("No picture"),
    Trouble.CANNOT_JOIN: mark("Cannot join the room"),
    Trouble.OTHER: mark("Other trouble"),
}

HELP_STATES: dict[str, str] = {
    HelpState.OPEN: mark("Nobody has taken it yet"),
    HelpState.TAKEN: mark("Being looked after"),
    HelpState.SOLVED: mark("Solved"),
    HelpState.WITHDRAWN: mark("Withdrawn by the point"),
}

ACTS: dict[str, str] = {
    Act.ASKED: mark("Asked for help"),
    Act.SAID: mark("Described it anew"),
    Act.TOLD: mark("Technicians were told that nobody has taken it"),
    Act.TAKEN: mark("Took the call"),
    Act.HANDED_OVER: mark("Handed over to"),
    Act.GIVEN_BACK: mark("Gave it back to the queue"),
    Act.SOLVED: mark("Solved"),
    Act.CONFIRMED: mark("The point says that it works"),
    Act.REOPENED: mark("The point says that it does not work yet"),
    Act.WITHDRAWN: mark("Withdrawn by the point"),
}

OUTCOMES: dict[str, str] = {
    "": mark("Under way"),
    ASSIGNED: mark("Checked in"),
    ALREADY: mark("Came before"),
    NO_MEETING: mark("No meeting has this room"),
    NOBODY: mark("No point has this participant"),
    AMBIGUOUS: mark("Several meetings are under way in this room"),
    STILL_THERE: mark("Another line of the point is open"),
    "check_in_not_open": mark("Check-in was not open yet"),
    "meeting_closed": mark("The meeting was over"),
    "unknown_point": mark("The point is not invited any more"),
    "field_invalid": mark("The time lies in the future"),
}

FORMATS: dict[str, str] = {
    VideoFormat.NEUTRAL: mark("The format described here"),
    VideoFormat.ZOOM: mark("Zoom webhooks"),
}

MATCHED: dict[str, str] = {
    "address": mark("by its address"),
    "name": mark("by its name"),
    "hand": mark("by hand"),
}

VIDEO_ERRORS: dict[str, str] = {
    "signature_wrong": mark("The signature is wrong"),
    "signature_missing": mark("The signature or its time is missing"),
    "signature_old": mark("The time of the signature is too far from the server's"),
    "request_replayed": mark("A signed request came a second time"),
    "events_unreadable": mark("The body could not be read"),
}


def aim_in_words(message: HostMessage, unit: str = "", point: str = "") -> str:
    """Whom a message is for."""
    if message.aim == Aim.LEVEL:
        return _("to: {level}").format(level=word(LEVELS, message.level))
    if message.aim == Aim.UNIT:
        return _("to: {unit} and all below").format(unit=unit)
    if message.aim == Aim.POINT:
        return _("to: {unit}, {point}").format(unit=unit, point=point)
    return _("to all bridge points")


DURING_WORDS: dict[str, Any] = {
    "trouble_word": lambda value: word(TROUBLES, value),
    "help_word": lambda value: word(HELP_STATES, value),
    "act_word": lambda value: word(ACTS, value),
    "outcome_word": lambda value: word(OUTCOMES, value),
    "format_word": lambda value: word(FORMATS, value),
    "matched_word": lambda value: word(MATCHED, value),
    "video_error_word": lambda value: word(VIDEO_ERRORS, value),
    "aim_in_words": aim_in_words,
    "duration": duration,
}
