"""Every module with tables, imported once, so that the metadata is whole wherever it is asked for."""

from meetings_server import reorganising
from meetings_server.api import idempotency
from meetings_server.audit import ledger
from meetings_server.escalation import rules
from meetings_server.identity import (
    external,
    oidc_flows,
    passwords,
    pending,
    recovery,
    second_factor,
    sessions,
    throttle,
    tokens,
)
from meetings_server.mail import outbox
from meetings_server.push import devices as push_devices
from meetings_server.push import notices, vapid
from meetings_server.sweeps import marks
from minutes import (
    directives,
    inheritance,
    meeting_minutes,
    paper_pointers,
    papers,
    receipts,
    registers,
    storage,
    tasks,
)
from rooms import (
    attendance,
    booking,
    bridge_points,
    coverage,
    devices,
    earlier_replies,
    equipment,
    faults,
    feeds,
    go_decisions,
    help_calls,
    hierarchy,
    host_messages,
    lending,
    line_tests,
    meetings,
    outages,
    people,
    reminders,
    self_tests,
    summaries,
    technicians,
    tree_state,
    video_systems,
)
from rooms.kernel import Base
from rooms.reorganisation import records as reorganisations

WITH_TABLES = (
    attendance,
    booking,
    bridge_points,
    coverage,
    devices,
    directives,
    earlier_replies,
    equipment,
    external,
    faults,
    feeds,
    go_decisions,
    help_calls,
    hierarchy,
    host_messages,
    idempotency,
    inheritance,
    ledger,
    lending,
    line_tests,
    marks,
    meeting_minutes,
    meetings,
    notices,
    oidc_flows,
    outages,
    outbox,
    paper_pointers,
    papers,
    passwords,
    pending,
    people,
    push_devices,
    receipts,
    recovery,
    registers,
    reminders,
    reorganisations,
    second_factor,
    reorganising,
    rules,
    self_tests,
    sessions,
    storage,
    summaries,
    tasks,
    technicians,
    throttle,
    tokens,
    tree_state,
    vapid,
    video_systems,
)

metadata = Base.metadata
