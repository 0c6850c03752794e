"""Login through the OpenID Connect provider of the office: there, back, and what can go wrong.

Whatever goes wrong ends on a page that says what to do; passwords go on working.
"""

import logging
from typing import Any

from litestar import Response, get
from litestar.exceptions import NotFoundException

from meetings_server.database import Database
from meetings_server.errors import sentence, status_of
from meetings_server.identity import oidc_flows
from meetings_server.identity.external import AccountClosed, NobodyOfThisName, person_of
from meetings_server.identity.oidc import (
    Provider,
    ProviderAway,
    provider_of,
    shows_second_factor,
)
from meetings_server.identity.oidc_flows import AnswerNotAwaited, come_back, depart
from meetings_server.identity.sealing import Seal, SealBroken
from meetings_server.identity.sessions import OIDC, Proof
from meetings_server.identity.throttle import PROVIDER, begin_attempt, forget_failures
from meetings_server.settings import Settings
from meetings_server.web.entering import (
    AnyRequest,
    answer_entry,
    enter,
    local_path,
    origin_of,
    set_cookie,
)
from meetings_server.web.pages import render, see_other
from rooms.kernel import DomainError, utcnow

log = logging.getLogger(__name__)

LONGEST_STATE = 200


def _provider(settings: Settings) -> Provider:
    provider = provider_of(settings)
    if provider is None:
        raise NotFoundException
    return provider


def seal_of(settings: Settings) -> Seal:
    return Seal(settings.effective_secret(), "id token")


def logout_address(settings: Settings, sealed: str) -> str | None:
    """Where to log out at the provider; None where it does not offer that or cannot be asked."""
    provider = provider_of(settings)
    if provider is None:
        return None
    try:
        id_token = seal_of(settings).open(sealed)
        return provider.logout_address(id_token, f"{settings.effective_public_url}/login")
    except (ProviderAway, SealBroken):
        # Here they are logged out; that is what was asked for.
        return None


@get("/login/oidc", opt={"public": True}, include_in_schema=False, sync_to_thread=True)
def to_the_provider(request: AnyRequest, db: Database, settings: Settings) -> Response[Any]:
    """Send a browser to the provider. `next`: where to go on to; `again`: as somebody else."""
    provider = _provider(settings)
    target = local_path(request.query_params.get("next", "/"))
    try:
        # Asked before anything is written: a provider that is away leaves no traces.
        provider.metadata()
        now, address = utcnow(), origin_of(request).address
        with db.transaction() as session:
            begin_attempt(session, address, address, now, PROVIDER)
            leaving = depart(session, target, now)
        there = provider.address_for(leaving, as_another="again" in request.query_params)
    except DomainError as refusal:
        return _trouble(request, provider, refusal, target)
    answer = see_other(there)
    answer.headers["cache-control"] = "no-store"
    set_cookie(answer, settings, oidc_flows.COOKIE, leaving.browser, oidc_flows.LASTS.seconds)
    return answer


@get("/login/oidc/callback", opt={"public": True}, include_in_schema=False, sync_to_thread=True)
def from_the_provider(request: AnyRequest, db: Database, settings: Settings) -> Response[Any]:
    """Hear the provider's answer, once, from the browser that was sent there."""
    provider = _provider(settings)
    answer = {name: str(value) for name, value in request.query_params.items()}
    browser = request.cookies.get(oidc_flows.COOKIE, "")
    address, now = origin_of(request).address, utcnow()
    target = "/"
    try:
        with db.transaction() as session:
            begin_attempt(session, address, address, now, PROVIDER)
        if not 0 < len(answer.get("state", "")) <= LONGEST_STATE:
            raise AnswerNotAwaited
        with db.transaction() as session:
            kept = come_back(session, answer["state"], browser, now)
        target = kept.target
        vouched = provider.vouched(answer, kept)
        proof = Proof(
            OIDC,
            shows_second_factor(vouched.claims, settings.oidc_second_factor),
            seal_of(settings).close(vouched.id_token),
        )
        with db.transaction() as session:
            person = person_of(session, provider.issuer, vouched.claims, settings.oidc_claim, now)
            forget_failures(session, address, address, PROVIDER)
            entry = enter(session, request, settings, person, now, proof=proof, target=target)
    except DomainError as refusal:
        return _trouble(request, provider, refusal, target)
    entered = answer_entry(request, settings, entry)
    entered.delete_cookie(oidc_flows.COOKIE)
    return entered


@get("/login/again", include_in_schema=False, sync_to_thread=True)
def logged_in_again(request: AnyRequest) -> Response[str]:
    """Where a second window ends that was opened to log in in the middle of a form."""
    return render(request, "login_again.html")


def _trouble(
    request: AnyRequest, provider: Provider, refusal: DomainError, target: str
) -> Response[str]:
    log.info("a login through %s failed: %s", provider.issuer, refusal)
    return render(
        request,
        "login_trouble.html",
        status=status_of(refusal),
        told=sentence(refusal),
        next=target,
        provider=provider.label,
        # Whoever is logged in there as somebody unknown here would come back as the same one.
        as_another=isinstance(refusal, NobodyOfThisName | AccountClosed),
    )


HANDLERS = [to_the_provider, from_the_provider, logged_in_again]
