"""A small city with its people for the tests of pages and calls."""

from collections.abc import Callable
from datetime import datetime

import pytest

from meetings_server.database import Database
from rooms.kernel import utcnow
from tests.factories import City, make_city

SignIn = Callable[[int], None]


@pytest.fixture
def now() -> datetime:
    return utcnow()


@pytest.fixture
def city(db: Database, now: datetime) -> City:
    with db.transaction() as session:
        return make_city(session, now)


@pytest.fixture
def enter(city: City, sign_in: SignIn) -> Callable[[str], None]:
    return lambda username: sign_in(city.actors[username].person_id)
