"""Why somebody may read minutes or a directive: as `rooms.grounds` for meetings, on the same ground."""

from datetime import date

from sqlalchemy import and_, select
from sqlalchemy.orm import Session

from minutes.directives import Directive, DirectiveState
from minutes.meeting_minutes import Minutes, chaired_minutes, published_to, written_by
from minutes.receipts import Receipt
from rooms.grounds import Ground, Kind, at_units, meeting_grounds, some_units
from rooms.meetings import Meeting
from rooms.policies import Actor, Permission, governed


def minutes_grounds(session: Session, actor: Actor, minutes_id: int, on: date) -> list[Ground]:
    """Why an actor may read minutes; none where they may not, or where there are none."""
    row = session.execute(
        select(
            Minutes.meeting_id,
            Meeting.host_unit_id,
            written_by(actor, on),
            chaired_minutes(actor, on),
            published_to(actor, on),
        )
        .join(Meeting, Meeting.id == Minutes.meeting_id)
        .where(Minutes.id == minutes_id)
    ).one_or_none()
    if row is None:
        return []
    meeting_id, host_id, writes, chairs, is_published = row
    found: list[Ground] = []
    if chairs:
        found.append(Ground(Kind.CHAIR))
    if writes:
        found += at_units(session, actor, Kind.WRITER, Permission.MINUTES_WRITE, [host_id], on)
    if is_published:
        found.append(Ground(Kind.MEETING_SEEN))
        told = {ground.kind for ground in found}
        found += [
            ground
            for ground in meeting_grounds(session, actor, meeting_id, on)
            if ground.kind not in told
        ]
    return found


def directive_grounds(session: Session, actor: Actor, directive_id: int, on: date) -> list[Ground]:
    """Why an actor may see a directive; none where they may not, or where there is none."""
    sent = Directive.state != DirectiveState.DRAFT.value
    row = session.execute(
        select(
            Directive.issuing_unit_id,
            governed(actor, Permission.DIRECTIVE_WRITE, Directive.issuing_unit_id, on),
            and_(sent, governed(actor, Permission.DIRECTIVE_READ, Directive.issuing_unit_id, on)),
            sent,
        ).where(Directive.id == directive_id)
    ).one_or_none()
    if row is None:
        return []
    issuer_id, writes, reads, is_sent = row
    found: list[Ground] = []
    if writes:
        found += at_units(session, actor, Kind.WRITER, Permission.DIRECTIVE_WRITE, [issuer_id], on)
    if reads:
        found += at_units(session, actor, Kind.ISSUER, Permission.DIRECTIVE_READ, [issuer_id], on)
    if is_sent:
        units, total = some_units(
            session,
            Receipt.unit_id,
            Receipt.directive_id == directive_id,
            governed(actor, Permission.DIRECTIVE_READ, Receipt.unit_id, on),
        )
        found += at_units(
            session, actor, Kind.RECIPIENT, Permission.DIRECTIVE_READ, units, on, total
        )
    return found
