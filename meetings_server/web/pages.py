"""What every page shares: the templates, the shell around the content, forms and their errors."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape
from litestar import MediaType, Request, Response
from litestar.datastructures import FormMultiDict
from litestar.exceptions import ClientException, InternalServerException
from litestar.status_codes import HTTP_200_OK, HTTP_303_SEE_OTHER, HTTP_422_UNPROCESSABLE_ENTITY
from litestar.utils.scope.state import ScopeState

from meetings_server import i18n
from meetings_server.errors import sentence, status_of
from meetings_server.i18n import _
from meetings_server.identity.sessions import SignedIn
from meetings_server.settings import Settings
from meetings_server.web.audit_places import record_of
from rooms.kernel import DomainError, FieldInvalid, utcnow
from rooms.people import Role
from rooms.policies import Permission

PageRequest = Request[SignedIn, str, Any]
"""A request of somebody who is logged in; the guard has seen to it."""


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("meetings_server"),
        autoescape=select_autoescape(default=True, default_for_string=True),
        undefined=StrictUndefined,
        extensions=["jinja2.ext.i18n", "jinja2.ext.do"],
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.install_gettext_callables(i18n._, i18n.ngettext, newstyle=True)  # type: ignore[attr-defined]  # added by the extension
    environment.filters |= i18n.FILTERS
    environment.globals |= {"interval": i18n.interval, "Permission": Permission, "Role": Role}
    return environment


@dataclass(frozen=True, slots=True)
class Place:
    """An entry of the navigation and who is offered it: anybody with one of the roles."""

    href: str
    icon: str
    label: str
    roles: frozenset[Role] = field(default_factory=lambda: frozenset(Role))
    apart: bool = False
    also: tuple[str, ...] = ()
    """Other addresses that belong to the place."""

    def holds(self, path: str) -> bool:
        """Whether a page lies in this place."""
        return path == self.href or any(
            path == inside or path.startswith(f"{inside}/")
            for inside in (self.href, *self.also)
            if inside != "/"
        )


def _places() -> list[Place]:
    rooms = frozenset({Role.OPERATOR, Role.TECHNICIAN, Role.SECRETARY})
    papers = frozenset({Role.SECRETARY, Role.OFFICIAL})
    reporting = frozenset({Role.SECRETARY, Role.OFFICIAL, Role.TECHNICIAN, Role.ADMINISTRATOR})
    office = frozenset({Role.ADMINISTRATOR, Role.SECRETARY, Role.TECHNICIAN})
    return [
        Place("/", "home", _("Today")),
        Place("/meetings", "calendar", _("Meetings")),
        Place("/directives", "file-text", _("Documents"), papers, also=("/minutes", "/tasks")),
        Place("/units", "building-community", _("Units"), also=("/points", "/faults")),
        Place("/reports", "chart-bar", _("Reports"), reporting),
        Place("/check-in", "square-check", _("Check-in"), rooms),
        Place("/admin", "settings", _("Administration"), office, apart=True),
    ]


def _navigation(path: str, user: SignedIn) -> list[dict[str, Any]]:
    return [
        {
            "href": place.href,
            "icon": place.icon,
            "label": place.label,
            "active": place.holds(path),
            "apart": place.apart,
            "badge": None,
        }
        for place in _places()
        if place.roles & user.roles
    ]


CSRF_COOKIE = "meetings_csrf"


def csrf_token(request: Request[Any, Any, Any]) -> str:
    """The token for this page; the CSRF middleware has put it into the scope."""
    token = ScopeState.from_scope(request.scope).csrf_token
    # Where no route matched, that middleware has not run; the cookie holds the same token.
    return token if isinstance(token, str) else request.cookies.get(CSRF_COOKIE, "")


def _provider_of(request: Request[Any, Any, Any]) -> str | None:
    """What the provider of logins is called; None where there are passwords only."""
    settings: Settings = request.app.state.settings
    return settings.oidc_label if settings.oidc_issuer else None


def render_html(request: Request[Any, Any, Any], template: str, **context: Any) -> str:
    """A template with the shell around it. Call it inside the transaction."""
    caller = request.scope.get("user")
    # A tablet at a door is nobody.
    user: SignedIn | None = caller if isinstance(caller, SignedIn) else None
    shell: dict[str, Any] = {
        "user": user,
        "lang": i18n.current_language.get(),
        "csrf_token": csrf_token(request),
        "nav": _navigation(request.url.path, user) if user else [],
        "path": request.url.path + (f"?{request.url.query}" if request.url.query else ""),
        "demo": request.app.state.get("demo", False),
        "sso": _provider_of(request),
        "now": utcnow(),
        "may": user.rights if user else frozenset(),
        "flashes": _flashes(request),
        "breadcrumbs": [],
        "record_shown": record_of(request.url.path),
    }
    return _environment().get_template(template).render(shell | context)


def render(
    request: Request[Any, Any, Any], template: str, *, status: int = HTTP_200_OK, **context: Any
) -> Response[str]:
    """A page as an answer. Personal pages are never kept by caches; a message is shown once."""
    answer = Response(
        render_html(request, template, **context),
        status_code=status,
        media_type=MediaType.HTML,
        headers={"cache-control": "no-store"},
    )
    if FLASH_COOKIE in request.cookies:
        answer.delete_cookie(FLASH_COOKIE)
    return answer


def fragment(template: str, **context: Any) -> Response[str]:
    """A part of a page, for partial swaps."""
    return Response(
        _environment().get_template(template).render(context),
        media_type=MediaType.HTML,
        headers={"cache-control": "no-store"},
    )


FLASH_COOKIE = "meetings_flash"


def _notices() -> dict[str, tuple[str, str]]:
    """The messages that may follow a redirect: the cookie names one, it never carries text."""
    return {
        "saved": ("success", _("Saved.")),
        "notices_read": ("success", _("Everything is marked as read.")),
        "browser_removed": ("success", _("This browser is no longer notified.")),
        "trial_sent": ("info", _("On its way; it should appear within a minute.")),
        "meeting_booked": ("success", _("The meeting is kept as a draft; its rooms are held.")),
        "meeting_made_once": (
            "info",
            _("This meeting has been made already; nothing was made twice."),
        ),
        "meeting_scheduled": ("success", _("The invitation has gone out.")),
        "meeting_changed": ("success", _("Changed; everyone invited is being told.")),
        "meeting_cancelled": ("success", _("Cancelled; everyone invited is being told.")),
        "meeting_postponed": ("success", _("Postponed; everyone invited is being told.")),
        "meeting_started": ("success", _("The meeting is open.")),
        "meeting_ended": ("success", _("The meeting is closed; the minutes can be written.")),
        "minutes_opened": ("success", _("A draft has been made; write away, it saves itself.")),
        "minutes_submitted": ("success", _("Submitted; it is the chair's turn.")),
        "minutes_sent_back": ("success", _("Sent back; the secretary can write again.")),
        "minutes_issued": ("success", _("Issued. Everyone invited can read the minutes now.")),
        "task_followed_up": ("success", _("The follow-up has been written down.")),
        "decided": ("success", _("The decision is kept; all bridge points see it.")),
        "papers_attached": ("success", _("The papers can be read by everyone invited.")),
        "paper_withdrawn": ("success", _("Taken back; nobody can open the paper any more.")),
        "replied": ("success", _("Your reply has been sent.")),
        "outage_reported": ("success", _("The outage is on record.")),
        "fault_reported": ("success", _("The fault is on record; the technicians see it.")),
        "help_taken": ("success", _("The call is yours; the point sees it.")),
        "help_given_back": ("success", _("The call stands in the queue again.")),
        "help_handed_over": ("success", _("Handed over; the point sees it.")),
        "help_solved": ("success", _("Solved; the point sees what was done.")),
        "help_reopened": ("success", _("The technician has been told that it does not work yet.")),
        "message_sent": ("success", _("Sent; the points see it at once.")),
        "message_corrected": ("success", _("Corrected; the points see the new text.")),
        "message_withdrawn": ("success", _("Taken back; the points do not see it any more.")),
        "message_confirmed": ("success", _("Confirmed; the host sees it.")),
        "video_connected": (
            "success",
            _("The connection is made. Now make its secret and put it into the video system."),
        ),
        "fault_solved": ("success", _("Solved; the history of the point has it.")),
        "point_closed": ("success", _("The bridge point is closed; it is not invited any more.")),
        "outage_closed": ("success", _("The bridge point is in service again.")),
        "person_left": ("success", _("The account is closed; its logins have ended.")),
        "person_back": ("success", _("The account is open again.")),
        "substitute_named": ("success", _("The substitute is named.")),
        "substitution_ended": ("success", _("The substitution has ended.")),
        "mandate_given": ("success", _("The mandate is given.")),
        "mandate_ended": ("success", _("The mandate has ended.")),
        "acting_ended": ("info", _("You act in your own name again.")),
        "role_changed": ("success", _("The role has a new end.")),
        "role_given": ("success", _("The role is given.")),
        "role_ended": ("success", _("The role has ended.")),
        "reorganisation_discarded": ("success", _("The plan is thrown away.")),
        "reorganisation_kept": ("info", _("The plan is kept; nothing is changed yet.")),
        "reorganisation_taken_back": ("success", _("Taken back; everything is as it was.")),
        "list_imported": ("success", _("The list has been taken over.")),
        "password_changed": (
            "success",
            _("The password is changed; your other logins have ended."),
        ),
        "session_ended": ("success", _("The login has ended.")),
        "login_over": ("warning", _("This took too long. Log in again, then enter the code.")),
        "recovery_code_used": (
            "warning",
            _("You are logged in with a recovery code; it opens nothing any more."),
        ),
        "second_factor_removed": (
            "success",
            _("The second factor is gone; the password alone opens your account."),
        ),
        "second_factor_reset": (
            "success",
            _("The second factor is gone and all logins have ended."),
        ),
        "sessions_ended": ("success", _("All logins of this person have ended.")),
        "identity_unlinked": ("success", _("The link is gone and all logins have ended.")),
        "device_revoked": ("success", _("The tablet opens nothing any more.")),
        "token_revoked": ("success", _("The token is worthless now.")),
        "directive_acknowledged": ("success", _("Confirmed; the sender sees it.")),
        "directive_circulated": ("success", _("Sent; the recipients are being told.")),
        "directive_discarded": ("success", _("The draft is gone.")),
        "directive_drafted": ("success", _("Kept as a draft.")),
        "directive_had_by_all": (
            "info",
            _("All of these units have it already; nothing was sent."),
        ),
        "directive_issued": ("success", _("Issued. Now choose who receives it.")),
        "directive_recalled": ("success", _("Recalled; the recipients see it and why.")),
        "paper_pointer_kept": ("success", _("Kept where the paper lies; nothing else was saved.")),
        "mail_queued": ("success", _("The mail is being sent again.")),
        "calendar_renewed": (
            "success",
            _("The calendar has a new address; the old one has ended."),
        ),
        "logged_out": ("info", _("You are logged out.")),
    }


def _flashes(request: Request[Any, Any, Any]) -> list[dict[str, str]]:
    notice = _notices().get(request.cookies.get(FLASH_COOKIE, ""))
    return [{"kind": notice[0], "text": notice[1]}] if notice else []


def see_other(location: str, notice: str | None = None) -> Response[None]:
    """After a change: go and look at it (303), with a message."""
    answer: Response[None] = Response(
        None, status_code=HTTP_303_SEE_OTHER, headers={"location": location}
    )
    if notice:
        answer.set_cookie(FLASH_COOKIE, notice, max_age=10, samesite="lax", httponly=True)
    return answer


@dataclass(frozen=True, slots=True)
class FormErrors:
    """What is wrong with a form: sentences at fields, and sentences for the whole (key '')."""

    fields: Mapping[str, list[str]]
    status: int = HTTP_422_UNPROCESSABLE_ENTITY

    @classmethod
    def of(cls, error: DomainError, fields: Mapping[str, str] | None = None) -> "FormErrors":
        """From a refusal; `fields` says at which field a code that is no field error stands."""
        if isinstance(error, FieldInvalid):
            place = error.field
        else:
            place = (fields or {}).get(error.code, "")
        return cls({place: [sentence(error)]}, status_of(error))


async def provide_form(request: Request[Any, Any, Any]) -> FormMultiDict:
    """The posted form. NUL and broken encodings are refused before anything looks at them."""
    try:
        form = await request.form()
    except UnicodeDecodeError:
        raise ClientException(_("The form is not UTF-8.")) from None
    except InternalServerException as left:
        # Whoever sent it left in the middle: nobody is there to be answered, and nothing is wrong.
        raise ClientException(left.detail) from None
    return form


def text_of(form: FormMultiDict, name: str) -> str:
    """A field of a form as text; a missing one is empty, a file is no text."""
    value = form.get(name, "")
    return value if isinstance(value, str) else ""


def error_page(
    request: Request[Any, Any, Any], status: int, code: str, detail: str, facts: dict[str, Any]
) -> str:
    return render_html(
        request,
        "error.html",
        status=status,
        code=code,
        detail=detail,
        correlation_id=facts.get("number"),
    )
