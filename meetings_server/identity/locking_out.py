"""What ends somebody's way in: a lost telephone, an account in the wrong hands."""

from sqlalchemy.orm import Session

from meetings_server.identity.passwords import Credential
from meetings_server.identity.pending import end_pending
from meetings_server.identity.recovery import forget_codes
from meetings_server.identity.second_factor import forget_authenticator, has_second_factor


def remove_second_factor(session: Session, person_id: int) -> bool:
    """Take authenticator and recovery codes away; returns whether there was an authenticator.

    A password that was long enough only beside the second factor has to be replaced at the next
    login.
    """
    there = has_second_factor(session, person_id)
    forget_authenticator(session, person_id)
    forget_codes(session, person_id)
    end_pending(session, person_id)
    credential = session.get(Credential, person_id)
    if there and credential is not None and credential.short:
        credential.must_change = True
    session.flush()
    return there
