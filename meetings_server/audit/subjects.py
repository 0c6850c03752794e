"""Which tables the record of changes covers, and what of them it tells.

`SUBJECTS` has an entry for each table whose rows people answer for; `NOT_RECORDED` names every other
one with its reason. A table that stands in neither fails a test.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

OMITTED = frozenset({"id", "folded", "version", "sequence", "uid", "request_key", "position"})
"""What follows from the rest, or is the server's own affair: it is left out everywhere."""


@dataclass(frozen=True, slots=True)
class Subject:
    """How rows of a table are told.

    `label`: the column with what a row is called; where that holds the id of a unit, a person or a
    point, its name is told. `unit`: the column with the unit whose administrators may read of it.
    `of`: table and column of the record that it is filed under. `secret`: told as changed, never
    shown. `digested`: too long to be told; a hash is, which can be compared with what is kept
    elsewhere. `acts`: other words for `create`, `change`, `delete`. `done_by`: the column with who did
    it, where no request says so. `gathered`: many at once become one entry with their number. `until`: the
    column with when a row ends by itself: to clear it away afterwards is nobody's act.
    """

    label: str = ""
    unit: str = ""
    of: tuple[str, str] | None = None
    omitted: frozenset[str] = frozenset()
    secret: frozenset[str] = frozenset()
    digested: frozenset[str] = frozenset()
    acts: Mapping[str, str] = field(default_factory=dict)
    done_by: str = ""
    gathered: bool = False
    until: str = ""


def _these(names: str) -> frozenset[str]:
    return frozenset(names.split())


SUBJECTS: dict[str, Subject] = {
    # Who and where
    "unit": Subject(label="name", unit="id"),
    "succession": Subject(label="successor_id", unit="successor_id", of=("unit", "predecessor_id")),
    "person": Subject(label="name", unit="unit_id"),
    "role_grant": Subject(label="unit_id", unit="unit_id", of=("person", "person_id")),
    "bridge_point": Subject(label="name", unit="unit_id"),
    "outage": Subject(label="reason", of=("bridge_point", "point_id")),
    "equipment": Subject(label="kind", of=("bridge_point", "point_id")),
    "fault": Subject(label="text", of=("bridge_point", "point_id")),
    "point_technician": Subject(label="person_id", of=("bridge_point", "point_id")),
    "kiosk_device": Subject(
        label="name",
        of=("bridge_point", "point_id"),
        omitted=_these("last_seen_at user_agent code_expires_at"),
        secret=_these("code_hash secret_hash"),
    ),
    "substitution": Subject(label="substitute_id", of=("person", "absent_id")),
    "substituted_role": Subject(label="role", of=("substitution", "substitution_id")),
    "entrustment": Subject(label="secretary_id", of=("person", "official_id")),
    "entrusted_act": Subject(label="act", of=("entrustment", "entrustment_id")),
    "reorganisation": Subject(label="name", digested=_these("plan touched")),
    "calendar_feed": Subject(label="kind", secret=_these("token")),
    # Logins
    "credential": Subject(
        of=("person", "person_id"), secret=_these("password_hash"), acts={"create": "change"}
    ),
    "login_session": Subject(
        of=("person", "person_id"),
        omitted=_these("secret_hash id_token last_seen_at created_at"),
        acts={"create": "login", "delete": "logout"},
        done_by="person_id",
        until="expires_at",
    ),
    "api_token": Subject(
        label="name", of=("person", "person_id"), omitted=_these("secret_hash last_seen_at")
    ),
    "external_identity": Subject(
        label="called", of=("person", "person_id"), omitted=_these("last_login_at")
    ),
    "second_factor": Subject(
        of=("person", "person_id"),
        omitted=_these("last_step waiting waiting_since"),
        secret=_these("secret"),
    ),
    "push_device": Subject(
        label="user_agent",
        of=("person", "person_id"),
        secret=_these("endpoint public_key auth_secret"),
        omitted=_these("reached_at"),
    ),
    "recovery_code": Subject(of=("person", "person_id"), secret=_these("code_hash"), gathered=True),
    # Meetings
    "meeting": Subject(label="title", unit="host_unit_id", secret=_these("join_pin")),
    "escalation_step": Subject(label="meeting_kind"),
    "agenda_item": Subject(label="title", of=("meeting", "meeting_id"), gathered=True),
    "host_message": Subject(label="text", of=("meeting", "meeting_id")),
    "video_connection": Subject(
        label="name",
        unit="unit_id",
        omitted=_these("key secret_since last_event_at last_error last_error_at"),
        secret=_these("secret former_secret"),
    ),
    "participation": Subject(
        label="unit_id", unit="unit_id", of=("meeting", "meeting_id"), gathered=True
    ),
    "meeting_paper": Subject(label="title", of=("meeting", "meeting_id")),
    "go_decision": Subject(
        label="verdict", of=("meeting", "meeting_id"), omitted=_these("number levels")
    ),
    "elsewhere_statement": Subject(label="month", unit="unit_id", of=("unit", "unit_id")),
    "minutes": Subject(
        label="symbol",
        of=("meeting", "meeting_id"),
        omitted=_these("saved_at"),
        digested=_these("content facts"),
    ),
    "task": Subject(label="text", unit="lead_unit_id", of=("meeting", "meeting_id"), gathered=True),
    "task_note": Subject(label="text", of=("task", "task_id")),
    # Documents
    "directive": Subject(label="title", unit="issuing_unit_id"),
    "directive_file": Subject(label="filename", of=("directive", "directive_id")),
    "circulation": Subject(
        label="from_unit_id", unit="from_unit_id", of=("directive", "directive_id")
    ),
    "receipt": Subject(
        label="unit_id", unit="unit_id", of=("directive", "directive_id"), gathered=True
    ),
    "paper_pointer": Subject(label="number", unit="unit_id"),
}

NOT_RECORDED: dict[str, str] = {
    "alembic_version": "the tables' own version",
    "attendance_entry": "a log of its own that is never changed: who said what, when and from where",
    "attendance_head": "counts the rows of that log",
    "audit_entry": "the record itself",
    "audit_head": "the record itself",
    "earlier_reply": "copies of replies that were recorded when they were given",
    "first_answer": "answers kept for programs that ask twice",
    "help_act": "a log of its own that is never changed: who did what with a call for help, and when",
    "help_call": "follows from the log of attendance and the acts on it",
    "host_message_receipt": "tens of thousands within seconds, each with its time and person",
    "line_test": "follows from the log of the line tests",
    "line_test_entry": "a log of its own that is never changed: who said what, when and from where",
    "login_attempt": "counts of the throttle; a failed login is recorded by the entrance",
    "meeting_change": "the history that people read; what it tells of is recorded with the meeting",
    "meeting_summary": "follows from the log of attendance",
    "minutes_version": "every save of the minutes, which triggers keep from being changed",
    "notice": "what the server has told people, kept for them to read",
    "notice_reader": "who was told, and when they read it",
    "occupancy": "follows from the meeting and whom it invites",
    "outbox_delivery": "the mail ledger, a record of its own",
    "outbox_message": "the mail ledger, a record of its own",
    "oidc_flow": "a login at the provider that is under way",
    "pending_login": "a login that waits for its second factor",
    "push_key": "the server's own key, made by the server",
    "point_state": "follows from the log of attendance",
    "point_summary": "follows from the log of attendance",
    "reaimed_meeting": "kept with the reorganisation; what it changed is recorded with the meeting",
    "receipt_inheritance": "copies of receipts that were recorded, kept with the heir",
    "register_counter": "the number is recorded with the document that bears it",
    "reminded_point": "kept with the reminder; the mail ledger has each letter",
    "reminder": "itself the record of who reminded whom, and when; the board shows it",
    "register_entry": "the number is recorded with the document that bears it",
    "reorganisation_run": "how far the applying has come, for those who watch",
    "self_test": "a measurement that the log of the line tests refers to",
    "stored_file": "content without a name; what names it is recorded",
    "sweep_mark": "what the server has seen to",
    "task_coordination": "words of issued minutes, which triggers keep from being changed",
    "tree_state": "a name for the present tree, for those who keep it",
    "video_event": "a log of its own: what video systems reported, and what came of it",
    "video_participant": "follows from that log; who assigned a point by hand is kept with it",
    "video_request": "keeps what was signed from being sent twice",
    "unit_ancestry": "follows from the units and the acts that move them, which are recorded",
    "unit_month": "follows from the log of attendance",
}
