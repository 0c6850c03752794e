"""How a unit is reached: its official address, to which invitations go, and its telephone."""

from datetime import date

from sqlalchemy.orm import Session

from rooms.addresses import mail_address, telephone
from rooms.hierarchy import Unit, unit_by_id
from rooms.policies import Actor, Permission, require


def change_contact(
    session: Session, actor: Actor, unit_id: int, email: str, phone: str, on: date
) -> Unit:
    """Replace a unit's official address and telephone; an empty text takes one away.

    Raises `UnknownUnit`, `NotPermitted`, `FieldInvalid`.
    """
    unit = unit_by_id(session, unit_id, on)
    require(session, actor, Permission.UNIT_WRITE, unit.id, on)
    unit.email = mail_address("email", email)
    unit.phone = telephone("phone", phone)
    session.flush()
    return unit
