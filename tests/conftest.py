"""Fixtures every test may ask for: real databases, a real mail peer, the real program, a browser.

- `database_url`: a migrated, empty database, once on SQLite and once on PostgreSQL;
- `db`: the same, opened as the server opens it;
- `settings`: the settings of a server on that database;
- `smtp_peer`, `running_server`: see `mailbox.py` and `programs.py`;
- `chromium`, `visitor`, `page`: see `browsing.py`.
"""

import importlib
import itertools
import pkgutil
import shutil
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Protocol

import pytest

import minutes
import rooms
from meetings_server.database import Database
from meetings_server.effects import apply_effects
from meetings_server.settings import Settings
from rooms.kernel import Base
from tests import programs
from tests.mailbox import SmtpPeer
from tests.postgres import Postgres

pytest_plugins = ["tests.browsing"]

DIALECTS = ("sqlite", "postgresql")


def migrate(url: str) -> None:
    """Bring an empty database to the present tables."""
    for package in (rooms, minutes):
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            importlib.import_module(module.name)
    database = Database(url)
    Base.metadata.create_all(database.engine)
    database.dispose()


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """The server of this test run."""
    with Postgres() as server:
        yield server


@pytest.fixture(scope="session")
def migrated_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated file that is copied and never opened."""
    path = tmp_path_factory.mktemp("migrated") / "meetings.db"
    migrate(f"sqlite:///{path}")
    return path


@pytest.fixture(scope="session")
def fresh_postgres(postgres: Postgres) -> Iterator[Callable[[], str]]:
    """Gives the name of a new copy of a migrated database; the next one is made meanwhile."""
    postgres.create("migrated")
    migrate(postgres.url("migrated"))
    numbers = itertools.count(1)

    def copy() -> str:
        name = f"test_{next(numbers)}"
        postgres.create(name, template="migrated")
        return name

    with ThreadPoolExecutor(1, "copy-database") as ahead:
        waiting = [ahead.submit(copy)]

        def take() -> str:
            waiting.append(ahead.submit(copy))
            return waiting.pop(0).result()

        yield take


@pytest.fixture(params=DIALECTS)
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """Address of a migrated, empty database of this test alone."""
    if request.param == "sqlite":
        path = tmp_path / "meetings.db"
        shutil.copyfile(request.getfixturevalue("migrated_sqlite"), path)
        yield f"sqlite:///{path}"
    else:
        server: Postgres = request.getfixturevalue("postgres")
        name: str = request.getfixturevalue("fresh_postgres")()
        yield server.url(name)
        server.drop(name)


@pytest.fixture
def db(database_url: str) -> Iterator[Database]:
    """The database with the effects that the server runs in its commits."""
    database = Database(database_url, [apply_effects])
    yield database
    database.dispose()


@pytest.fixture
def settings(database_url: str, tmp_path: Path) -> Settings:
    """Settings of a server on this test's database, with a folder of its own and no mail server."""
    return Settings(data=tmp_path / "data", database_url=database_url, secret_key="0" * 64)


@pytest.fixture
def smtp_peer() -> Iterator[SmtpPeer]:
    """A mail server that keeps what it receives."""
    with SmtpPeer() as peer:
        yield peer


class StartServer(Protocol):
    """What `running_server` gives: starts the program and waits until it is ready."""

    def __call__(
        self,
        command: str = "serve",
        *arguments: str,
        settings: Mapping[str, str] | None = None,
        seconds: float = programs.START_SECONDS,
    ) -> programs.Program:
        """`settings` by name without prefix, such as `{"smtp_url": …}`. Raises `ProgramFailed`."""


@pytest.fixture
def running_server(tmp_path: Path) -> Iterator[StartServer]:
    """Starts the real program on a free port, on SQLite in a new folder unless `settings` say else.

    At the end each is told to stop, and must do so in time and with 0.
    """
    with ExitStack() as stops:

        def start(
            command: str = "serve",
            *arguments: str,
            settings: Mapping[str, str] | None = None,
            seconds: float = programs.START_SECONDS,
        ) -> programs.Program:
            program = programs.start(
                [command, *arguments],
                tmp_path / f"server-{command}",
                {"data": str(tmp_path / f"server-{command}" / "data")} | dict(settings or {}),
            )
            stops.callback(program.stop)
            program.wait_until_ready(seconds=seconds)
            return program

        yield start
