"""A meeting day for load programs: a city of any size, in a fresh database."""

from datetime import timedelta

from meetings_server.database import Database
from meetings_server.effects import apply_effects
from meetings_server.identity.tokens import create_token
from meetings_server.migrations import migrate
from rooms.kernel import utcnow
from tests.factories import SMALL_CITY, make_city, scheduled_meeting

WARDS_OF_A_DISTRICT = 20


def seed(url: str, points: int) -> tuple[int, list[int], str]:
    """A city with so many points and a meeting of all of them: its id, points, and a token."""
    rows = list(SMALL_CITY)
    district = ""
    while len(rows) < points:
        number = len(rows)
        if number % (WARDS_OF_A_DISTRICT + 1) == 0 or not district:
            district = f"D{number}"
            rows.append((district, "01", "district", "Quận", f"Quận {number}"))
        else:
            rows.append((f"W{number}", district, "ward", "Phường", f"Phường {number}"))
    migrate(url)
    database = Database(url, [apply_effects])
    now = utcnow()
    with database.transaction() as session:
        city = make_city(session, now, rows)
        meeting = scheduled_meeting(session, city, now, starts_at=now + timedelta(minutes=30))
        token = create_token(session, city.actors["kythuat"].person_id, "load", now)
    database.dispose()
    return meeting.id, list(city.points.values()), token
