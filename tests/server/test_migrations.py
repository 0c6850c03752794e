"""The migrations lead from an empty database to exactly the tables of the code, and back."""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import inspect

from meetings_server import migrations
from meetings_server.database import Database
from tests.postgres import Postgres

VERSIONS = Path(migrations.__file__).parent / "versions"


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """Address of a database that was never migrated."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'empty.db'}"
    else:
        server: Postgres = request.getfixturevalue("postgres")
        server.create("empty")
        yield server.url("empty")
        server.drop("empty")


def tables(url: str) -> set[str]:
    database = Database(url)
    try:
        return set(inspect(database.engine).get_table_names())
    finally:
        database.dispose()


def revision(url: str) -> str | None:
    database = Database(url)
    try:
        return migrations.current(database)
    finally:
        database.dispose()


def test_code_and_database_have_the_same_tables(database_url: str) -> None:
    migrations.check(database_url)


def test_no_table_is_forgotten() -> None:
    """A module that nobody names in `tables.py` would have no tables in a new database."""
    root = VERSIONS.parents[2]
    declared = {
        name
        for package in ("rooms", "minutes", "meetings_server")
        for path in (root / package).rglob("*.py")
        for name in re.findall(r'__tablename__ = "(\w+)"', path.read_text(encoding="utf-8"))
    }
    # In a new process: this one has imported more than the migrations do.
    known = subprocess.run(
        [
            sys.executable,
            "-c",
            "from meetings_server.tables import metadata as m; print(*m.tables)",
        ],
        check=True,
        capture_output=True,
        text=True,
    ).stdout.split()
    assert declared - set(known) == set()


def test_up_from_nothing_and_down_again(empty_url: str) -> None:
    migrations.migrate(empty_url)
    assert revision(empty_url) == migrations.newest()
    present = tables(empty_url)
    assert "meeting" in present

    migrations.downgrade(empty_url, "base")
    assert tables(empty_url) <= {"alembic_version"}
    assert revision(empty_url) is None

    migrations.migrate(empty_url)
    assert tables(empty_url) == present


def test_every_step_can_be_taken_alone(empty_url: str) -> None:
    for step in numbered():
        migrations.migrate(empty_url, step)
        assert revision(empty_url) == step


def test_migrating_twice_changes_nothing(empty_url: str) -> None:
    migrations.migrate(empty_url)
    present = tables(empty_url)
    migrations.migrate(empty_url)
    assert tables(empty_url) == present


def numbered() -> list[str]:
    """The revisions in the order in which they are applied."""
    config = Config()
    config.set_main_option("script_location", str(VERSIONS.parent))
    script = ScriptDirectory.from_config(config)
    return [step.revision for step in reversed(list(script.walk_revisions()))]


def test_migrations_are_numbered_and_linear() -> None:
    files = sorted(path.name for path in VERSIONS.glob("[0-9]*.py"))
    assert [name[:4] for name in files] == [f"{n:04}" for n in range(1, len(files) + 1)]
    assert all(re.fullmatch(r"\d{4}_[a-z0-9_]+\.py", name) for name in files)
    assert numbered() == [name[:4] for name in files]
