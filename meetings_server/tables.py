"""Every module with tables, imported once, so that the metadata is whole wherever it is asked for."""

from meetings_server.identity import passwords, sessions
from minutes import papers, registers, storage
from rooms import booking, bridge_points, hierarchy, meetings, people
from rooms.kernel import Base

WITH_TABLES = (
    booking,
    bridge_points,
    hierarchy,
    meetings,
    papers,
    passwords,
    people,
    registers,
    sessions,
    storage,
)

metadata = Base.metadata
