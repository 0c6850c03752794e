"""Fixtures every test may ask for: real databases, a real mail peer, the real program, a browser.

- `database_url`: a migrated, empty database, once on SQLite and once on PostgreSQL;
- `db`: the same, opened as the server opens it;
- `settings`: the settings of a server on that database;
- `client`, `sign_in`: the application in this process, and who asks it;
- `smtp_peer`, `running_server`, `demo_server`: see `mailbox.py` and `programs.py`;
- `chromium`, `visitor`, `page`: see `browsing.py`.
"""

import gc
import itertools
import shutil
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Protocol

import pytest
from litestar import Litestar
from litestar.testing import TestClient
from xdist.scheduler import LoadScopeScheduling  # type: ignore[import-untyped]

from meetings_server.app import create_app
from meetings_server.database import Database
from meetings_server.effects import apply_effects
from meetings_server.identity.sessions import COOKIE, open_session
from meetings_server.migrations import migrate
from meetings_server.settings import Settings
from rooms.kernel import utcnow
from rooms.people import Person
from tests import programs
from tests.mailbox import SmtpPeer
from tests.postgres import Postgres

pytest_plugins = ["tests.browsing"]

DIALECTS = ("sqlite", "postgresql")
SHARING = ("/test_backups.py", "/test_packaging.py", "/test_oidc.py")
"""Files beside those of the browser whose tests share what takes long to make."""


class SharedServers(LoadScopeScheduling):  # type: ignore[misc]  # it tells no types
    """Tests that share a server run in one process, so that it is started once; the others as they come."""

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.partition("::")[0]
        return file if "/browser/" in file or file.endswith(SHARING) else nodeid


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> SharedServers:
    """In the order of collection: what takes long first."""
    config.option.loadscopereorder = False
    return SharedServers(config, log)


def pytest_collection_finish() -> None:
    """What was collected stays; the garbage of a test is not looked for in it."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 4, 100)


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


@pytest.fixture(scope="session")
def application(tmp_path_factory: pytest.TempPathFactory) -> Litestar:
    """The whole application, put together once: that takes longer than most tests.

    Its own database is never opened; `client` gives it that of the test.
    """
    settings = Settings(data=tmp_path_factory.mktemp("application"), secret_key="0" * 64)
    return create_app(settings, Database(settings.effective_database_url))


@pytest.fixture
def client(
    application: Litestar, db: Database, settings: Settings
) -> Iterator[TestClient[Litestar]]:
    """The whole application on this test's database, without a socket; nobody is logged in."""
    application.state.database, application.state.settings = db, settings
    with TestClient(application) as client:
        yield client


SignIn = Callable[[int], None]


@pytest.fixture
def sign_in(client: TestClient[Litestar], db: Database, settings: Settings) -> SignIn:
    """`sign_in(person.id)`: from here on `client` asks for this person, with a CSRF token."""

    def sign_in(person_id: int) -> None:
        with db.transaction() as session:
            person = session.get_one(Person, person_id)
            secret = open_session(session, person, utcnow(), settings.session_hours)
        client.cookies.clear()
        client.cookies.set(COOKIE, secret)
        client.get("/login").raise_for_status()
        client.headers["x-csrftoken"] = client.cookies["meetings_csrf"]

    return sign_in


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
            try:
                program.wait_until_ready(seconds=seconds)
            except BaseException:
                program.crash()
                raise
            stops.callback(program.stop)
            return program

        yield start


@pytest.fixture(scope="session")
def demo_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[programs.Program]:
    """One demonstration for all tests that look at its pages; what they change, others see."""
    folder = tmp_path_factory.mktemp("demo")
    program = programs.start(["demo", "--data", str(folder / "data")], folder, {})
    try:
        program.wait_until_ready()
        yield program
    except BaseException:
        program.crash()
        raise
    program.stop()
