"""Administration: where to go, why somebody has a right, and how the server is."""

from urllib.parse import urlencode

from litestar import Response, get

from meetings_server.database import Database
from meetings_server.doctor import examine
from meetings_server.i18n import _
from meetings_server.settings import Settings
from meetings_server.web.meeting_words import words
from meetings_server.web.pages import PageRequest, render, see_other
from meetings_server.web.unit_words import PERMISSIONS
from meetings_server.web.units import WORDS, asked_text
from meetings_server.web.why import page_asked_about
from rooms.accounts import governed_person, person_by_username
from rooms.finding import roles_held
from rooms.hierarchy import unit_by_code
from rooms.kernel import FieldInvalid, NotFound, civil_day, utcnow
from rooms.people import Role
from rooms.policies import Actor, NotPermitted, Permission, roles_with
from rooms.reasons import explain

NEWEST_ENTRIES = 2_000
"""Of the record of changes, on the page; the command line reads it whole."""


def require_administrator(request: PageRequest) -> None:
    """What concerns the whole server is for administrators. Raises `NotPermitted`."""
    if Role.ADMINISTRATOR not in request.user.roles:
        raise NotPermitted(Permission.PERSON_WRITE.value, request.user.unit_name)


@get("/admin", include_in_schema=False, sync_to_thread=True)
def admin_page(request: PageRequest) -> Response[str]:
    """What the roles of this person let them look after."""
    rights = request.user.rights
    here = f"/units/{request.user.unit_id}"
    may_read_mail = (
        Permission.MAIL_READ if Permission.MAIL_READ in rights else Permission.MEETING_WRITE
    )
    tasks = [
        (
            Permission.PERSON_WRITE,
            "/admin/people",
            "users",
            _("People and roles"),
            _("Open and close accounts, give and end roles, new passwords."),
        ),
        (
            Permission.PERSON_WRITE,
            "/admin/why",
            "help",
            _("Why may this person do this?"),
            _("Which role at which unit gives a right."),
        ),
        (
            Permission.POINT_WRITE,
            here,
            "device-tv",
            _("Bridge points of my unit"),
            _("Rooms, equipment, technicians, outages."),
        ),
        (
            Permission.POINT_WRITE,
            "/faults",
            "tool",
            _("Faults of bridge points"),
            _("What is open, how long repairs take, what was done."),
        ),
        (
            may_read_mail,
            "/admin/mail",
            "mail-forward",
            _("Mail ledger"),
            _("Who was told what, when it left, and what went wrong"),
        ),
        (
            Permission.AUDIT_READ,
            "/admin/audit",
            "clipboard-list",
            _("Record of changes"),
            _("Who did what, when and from where; every download of a document."),
        ),
        (
            Permission.MEETING_READ,
            "/mailbox",
            "inbox",
            _("Mailboxes"),
            _("What this server has sent to the official addresses of your units"),
        ),
        (
            Permission.POINT_WRITE,
            "/admin/import",
            "upload",
            _("Import and export"),
            _("Units, bridge points and people as CSV or Excel, with a preview."),
        ),
        (
            Permission.UNIT_WRITE,
            "/admin/escalation",
            "bell-ringing",
            _("Reminders by kind of meeting"),
            _("Who is told when points have not checked in, and by which way."),
        ),
        (
            Permission.UNIT_WRITE,
            "/admin/reorganisation",
            "sitemap",
            _("Reorganisations"),
            _("Merge, split, move and rename units on a day, with a preview."),
        ),
        (
            Permission.UNIT_WRITE,
            "/admin/video",
            "video",
            _("Video systems"),
            _("They report by themselves who has joined and left."),
        ),
        (
            Permission.PERSON_WRITE,
            "/admin/health",
            "heart-rate-monitor",
            _("Health of the server"),
            _("Disk, database, version of the tables."),
        ),
    ]
    offered = [task[1:] for task in tasks if task[0] in rights]
    return render(request, "admin/index.html", tasks=offered)


@get("/admin/why", include_in_schema=False, sync_to_thread=True)
def why_page(request: PageRequest, db: Database) -> Response[str] | Response[None]:
    """Which grants give a person a right at a unit; only about people one looks after.

    With the address of a page instead: on to the grounds on which they may see it.
    """
    today = civil_day(utcnow())
    address, username = asked_text(request, "address"), asked_text(request, "person")
    about = page_asked_about(address)
    if about and username:
        return see_other(f"{about}?{urlencode({'person': username})}")
    asked = {name: asked_text(request, name) for name in ("person", "permission", "unit")}
    errors: dict[str, list[str]] = {}
    if address and not about:
        errors["address"] = [_("Paste the address of a meeting, minutes, a document or a unit.")]
    with db.reader() as session:
        if Permission.PERSON_WRITE not in request.user.rights:
            raise NotPermitted(Permission.PERSON_WRITE.value, request.user.unit_name)
        person = unit = reasons = None
        if all(asked.values()):
            if asked["permission"] not in PERMISSIONS:
                raise FieldInvalid("permission", "unknown", asked["permission"])
            try:
                found = person_by_username(session, asked["person"])
                person = governed_person(session, request.user.actor, found.id, today)
            except (NotFound, NotPermitted):
                # Whether somebody elsewhere bears this name is not told.
                errors["person"] = [_("You look after no person of this user name.")]
            try:
                unit = unit_by_code(session, asked["unit"], today)
            except NotFound:
                errors["unit"] = [_("No unit has this code today.")]
            if person is not None and unit is not None:
                who = Actor(person.id, person.name, person.unit_id)
                right = Permission(asked["permission"])
                # An account that is closed opens nothing, whatever its roles.
                reasons = explain(session, who, right, unit.id, today) if person.active else []
        return render(
            request,
            "admin/why.html",
            values=asked | {"address": address},
            errors=errors,
            person=person,
            unit=unit,
            reasons=reasons,
            held=roles_held(session, [person.id], today)[person.id] if person else [],
            givers=roles_with(Permission(asked["permission"])) if reasons is not None else [],
            permissions=words(PERMISSIONS),
            **WORDS,
        )


@get("/admin/health", include_in_schema=False, sync_to_thread=True)
def health_page(request: PageRequest, settings: Settings) -> Response[str]:
    """What `meetings-server doctor` finds, for administrators."""
    require_administrator(request)
    return render(
        request,
        "admin/health.html",
        findings=list(examine(settings, newest_entries=NEWEST_ENTRIES)),
        at=utcnow(),
    )


HANDLERS = [admin_page, health_page, why_page]
