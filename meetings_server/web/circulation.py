"""Sending a directive: to units by rules, or on from a recipient to its own subtree."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from litestar import Response, get, post
from litestar.datastructures import FormMultiDict
from litestar.status_codes import HTTP_200_OK
from sqlalchemy import select
from sqlalchemy.orm import Session

from meetings_server.database import Database
from meetings_server.errors import sentence
from meetings_server.i18n import ngettext
from meetings_server.reading import read_number
from meetings_server.web.directive_typing import read_deadline
from meetings_server.web.meeting_words import LEVELS, chips, word
from meetings_server.web.pages import (
    FormErrors,
    PageRequest,
    fragment,
    render,
    see_other,
    text_of,
)
from minutes.circulation import Sent, addressed, circulate, forward
from minutes.directives import Directive, DirectiveState, require_state
from minutes.receipts import Receipt, own_receipt, rights_on
from rooms.audience import Rule, parse_rules
from rooms.hierarchy import Node, Tree, load_tree
from rooms.kernel import DomainError, FieldInvalid, civil_day, utcnow
from rooms.policies import Actor, Permission, require

LONGEST_RULES = 100_000
PLACES = {
    "audience_rule_invalid": "rules",
    "nobody_addressed": "rules",
    "outside_own_subtree": "rules",
    "unknown_unit": "rules",
}


@dataclass(frozen=True, slots=True)
class Sender:
    """Who sends: the issuing unit to anybody, a recipient (`forwards`) to its subtree."""

    directive: Directive
    unit_id: int
    forwards: bool
    tree: Tree

    @property
    def reach(self) -> list[Node]:
        """The units that may be addressed, in the order of the tree."""
        nodes = self.tree.subtree(self.unit_id) if self.forwards else self.tree.by_id.values()
        return [node for node in nodes if node.id != self.unit_id]

    @property
    def levels(self) -> list[tuple[str, int]]:
        """Levels below the sender with the number of their units."""
        counts: dict[str, int] = {}
        for node in self.reach:
            counts[node.level] = counts.get(node.level, 0) + 1
        return list(counts.items())

    @property
    def heads(self) -> list[Node]:
        """Units with further units below them: "all wards of …"."""
        return [node for node in self.reach if self.tree.children.get(node.id)]

    def level_rule(self, level: str) -> dict[str, str]:
        rule = {"include": "level", "level": level}
        return rule | {"under": self.tree.by_id[self.unit_id].code} if self.forwards else rule


def _sender(session: Session, actor: Actor, directive_id: int, said: str, now: datetime) -> Sender:
    """Raises `UnknownDirective`, `UnknownReceipt`, `NotPermitted`, `DirectiveWrongState`."""
    on = civil_day(now)
    directive, _rights = rights_on(session, actor, directive_id, on)
    unit_id = read_number(said) if said else directive.issuing_unit_id
    if unit_id is None:
        raise FieldInvalid("from", "unknown", said[:40])
    forwards = unit_id != directive.issuing_unit_id
    if forwards:
        own_receipt(session, actor, directive, unit_id, on)
    else:
        require(session, actor, Permission.DIRECTIVE_WRITE, unit_id, on)
    require_state(directive, DirectiveState.ISSUED, "circulate")
    return Sender(directive, unit_id, forwards, load_tree(session, on))


def _rules(text: str) -> list[Rule]:
    """The rules as the page's script writes them. Raises `FieldInvalid`, `RuleInvalid`."""
    if len(text) > LONGEST_RULES:
        raise FieldInvalid("rules", "too_long", LONGEST_RULES)
    try:
        said = json.loads(text or "[]")
    except (ValueError, RecursionError):
        raise FieldInvalid("rules", "unknown", text[:40]) from None
    if not isinstance(said, list):
        raise FieldInvalid("rules", "unknown", text[:40])
    return parse_rules(said)


def preview_of(session: Session, sender: Sender, rules: list[Rule]) -> dict[str, Any]:
    """What `directives/recipients.html` needs: how many the rules reach, and how many are new."""
    nodes = addressed(sender.tree, rules, sender.unit_id)
    allowed = {node.id for node in sender.reach}
    had = set(
        session.scalars(select(Receipt.unit_id).where(Receipt.directive_id == sender.directive.id))
    )
    new = [node for node in nodes if node.id not in had]
    levels: dict[str, int] = {}
    for node in new:
        levels[node.level] = levels.get(node.level, 0) + 1
    return {
        "chips": chips(sender.tree, rules),
        "rules": [rule.as_json() for rule in rules],
        "new": new,
        "already": len(nodes) - len(new),
        "outside": [node.name for node in nodes if node.id not in allowed],
        "by_level": [(word(LEVELS, level), count) for level, count in levels.items()],
        "button": send_text(len(new)),
        "confirm": confirm_text(len(new)),
        "problem": "",
    }


def send_text(number: int) -> str:
    """What the button will do."""
    text = ngettext("Send to %(num)s unit", "Send to %(num)s units", number)
    return text % {"num": number}


def confirm_text(number: int) -> str:
    """What is asked once before it is done."""
    text = ngettext(
        "%(num)s unit will receive the document. Send it?",
        "%(num)s units will receive the document. Send it?",
        number,
    )
    return text % {"num": number}


def _page(
    request: PageRequest,
    session: Session,
    sender: Sender,
    values: Mapping[str, str],
    errors: dict[str, list[str]],
    status: int = HTTP_200_OK,
) -> Response[str]:
    try:
        shown = preview_of(session, sender, _rules(values.get("rules", "")))
    except DomainError as refusal:
        shown = preview_of(session, sender, []) | {"problem": sentence(refusal)}
    return render(
        request,
        "directives/circulate.html",
        status=status,
        directive=sender.directive,
        sender=sender,
        level_word=lambda level: word(LEVELS, level),
        head_options=[(node.code, node.name) for node in sender.heads],
        values=values,
        errors=errors,
        **shown,
    )


@get("/directives/{directive_id:int}/circulate", include_in_schema=False, sync_to_thread=True)
def circulate_page(request: PageRequest, db: Database, directive_id: int) -> Response[str]:
    said = request.query_params.get("from", "")
    with db.reader() as session:
        sender = _sender(session, request.user.actor, directive_id, said, utcnow())
        return _page(request, session, sender, {"rules": "[]", "from": said}, {})


@post(
    "/directives/{directive_id:int}/recipients",
    include_in_schema=False,
    sync_to_thread=True,
    status_code=HTTP_200_OK,
)
def recipients_part(
    request: PageRequest, form: FormMultiDict, db: Database, directive_id: int
) -> Response[str]:
    """Whom the rules reach, while they are being chosen; changes nothing."""
    with db.reader() as session:
        sender = _sender(session, request.user.actor, directive_id, text_of(form, "from"), utcnow())
        try:
            shown = preview_of(session, sender, _rules(text_of(form, "rules")))
        except DomainError as refusal:
            shown = preview_of(session, sender, []) | {"problem": sentence(refusal)}
        return fragment("directives/recipients.html", sender=sender, **shown)


@post(
    "/directives/{directive_id:int}/circulate",
    include_in_schema=False,
    sync_to_thread=True,
    status_code=HTTP_200_OK,
)
def send(
    request: PageRequest, form: FormMultiDict, db: Database, directive_id: int
) -> Response[Any]:
    """Send, or pass on; a second click finds that everybody has it already."""
    now, actor = utcnow(), request.user.actor
    said = text_of(form, "from")
    typed = read_deadline(form)
    errors, status = typed.errors, 422
    if not errors:
        try:
            with db.transaction() as session:
                sender = _sender(session, actor, directive_id, said, now)
                sent = _sent(session, actor, sender, _rules(text_of(form, "rules")), typed.deadline)
            notice = "directive_circulated" if sent.added else "directive_had_by_all"
            return see_other(f"/directives/{directive_id}", notice)
        except DomainError as refusal:
            found = FormErrors.of(refusal, PLACES)
            errors, status = dict(found.fields), found.status
    with db.reader() as session:
        sender = _sender(session, actor, directive_id, said, now)
        values = typed.values | {"rules": text_of(form, "rules"), "from": said}
        return _page(request, session, sender, values, errors, status)


def _sent(
    session: Session, actor: Actor, sender: Sender, rules: list[Rule], deadline: datetime | None
) -> Sent:
    now, directive_id = utcnow(), sender.directive.id
    if sender.forwards:
        return forward(session, actor, directive_id, sender.unit_id, rules, deadline, now)
    return circulate(session, actor, directive_id, rules, deadline, now)


HANDLERS = [circulate_page, recipients_part, send]
