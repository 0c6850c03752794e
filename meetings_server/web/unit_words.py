"""The words of units and people: counts by level, roles, rights, equipment."""

from collections.abc import Mapping

from meetings_server.i18n import current_language, mark, ngettext
from rooms.endpoints import EndpointKind
from rooms.people import Role
from rooms.policies import Permission

ROLES: dict[str, str] = {
    Role.ADMINISTRATOR: mark("Administrator"),
    Role.SECRETARY: mark("Secretary"),
    Role.OPERATOR: mark("Operator"),
    Role.TECHNICIAN: mark("Technician"),
    Role.OFFICIAL: mark("Official"),
}

PERMISSIONS: dict[str, str] = {
    Permission.UNIT_WRITE: mark("Change units"),
    Permission.PERSON_READ: mark("See contact details and roles of people"),
    Permission.PERSON_WRITE: mark("Look after people and roles"),
    Permission.POINT_WRITE: mark("Change bridge points"),
    Permission.MEETING_READ: mark("See meetings"),
    Permission.MEETING_WRITE: mark("Make and change meetings"),
    Permission.MEETING_GO: mark("Decide go or no-go"),
    Permission.REPLY_WRITE: mark("Answer invitations"),
    Permission.ATTENDANCE_READ: mark("See attendance"),
    Permission.ATTENDANCE_WRITE: mark("Check in"),
    Permission.HELP_WRITE: mark("Help points during a meeting"),
    Permission.MESSAGE_WRITE: mark("Send messages of the host"),
    Permission.MINUTES_WRITE: mark("Write minutes"),
    Permission.MINUTES_REVIEW: mark("Look through minutes and send them back"),
    Permission.MINUTES_ISSUE: mark("Sign and issue minutes"),
    Permission.DIRECTIVE_READ: mark("Read directive documents"),
    Permission.DIRECTIVE_WRITE: mark("Circulate directive documents"),
    Permission.RECEIPT_WRITE: mark("Acknowledge documents"),
    Permission.MAIL_READ: mark("See the mail ledger"),
    Permission.AUDIT_READ: mark("Read the record of changes"),
}

ENDPOINTS: dict[str, str] = {
    EndpointKind.SIP: mark("SIP terminal"),
    EndpointKind.H323: mark("H.323 terminal"),
    EndpointKind.CLIENT: mark("Software on a computer"),
    EndpointKind.NONE: mark("No equipment"),
}

EXTENTS: dict[str, str] = {"whole": mark("as a whole"), "part": mark("in part")}


def counted(level: str, number: int) -> str:
    """A number of units of a level, as it stands behind the name of the unit above them."""
    if level == "nation":
        text = ngettext("%(num)s national unit", "%(num)s national units", number)
    elif level == "province":
        text = ngettext("%(num)s province", "%(num)s provinces", number)
    elif level == "city" and number > 1:
        # The nation's provinces stand at this level beside its cities.
        text = ngettext("%(num)s province or city", "%(num)s provinces and cities", number)
    elif level == "city":
        text = ngettext("%(num)s city", "%(num)s cities", number)
    elif level == "department":
        text = ngettext("%(num)s department", "%(num)s departments", number)
    elif level == "district":
        text = ngettext("%(num)s district", "%(num)s districts", number)
    elif level == "ward":
        text = ngettext("%(num)s ward", "%(num)s wards", number)
    else:
        return f"{number} {level}"
    return text % {"num": _grouped(number)}


def _grouped(number: int) -> str:
    """`11.372` in Vietnamese, `11,372` in English."""
    return f"{number:,}".replace(",", "." if current_language.get() == "vi" else ",")


def below_text(below: Mapping[str, int]) -> str:
    """What lies below a unit: `22 departments · 30 districts · 579 wards`."""
    return " · ".join(counted(level, number) for level, number in below.items())
