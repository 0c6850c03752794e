"""A backup holds everything, is whole or refused, and restores into either database."""

import shutil
import stat
import subprocess
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from meetings_server import migrations
from meetings_server.database import Database
from meetings_server.demo.seed import seed
from meetings_server.effects import apply_effects
from meetings_server.tables import metadata
from rooms.catalogue import read_shipped
from rooms.kernel import utcnow
from rooms.people import Person
from tests.postgres import Postgres
from tests.programs import THIS_PROGRAM, environment

Call = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def call(tmp_path: Path) -> Call:
    """Calls the program on a database and a data folder."""

    def call(url: str, data: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*THIS_PROGRAM, *arguments],
            capture_output=True,
            text=True,
            check=False,
            env=environment({"database_url": url, "data": str(data)}),
            cwd=tmp_path,
            timeout=120,
        )

    return call


@pytest.fixture(scope="module")
def seeded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with something of everything, that is copied and never opened."""
    data = tmp_path_factory.mktemp("seeded") / "data"
    url = f"sqlite:///{data / 'meetings.db'}"
    data.mkdir()
    migrations.migrate(url)
    database = Database(url, [apply_effects])
    seed(database, read_shipped("hanoi-2021"), utcnow(), data / "files")
    database.dispose()
    return data


@pytest.fixture
def demonstration(seeded: Path, tmp_path: Path) -> tuple[str, Path]:
    """Address of a database, and its data folder."""
    data = tmp_path / "first"
    shutil.copytree(seeded, data)
    return f"sqlite:///{data / 'meetings.db'}", data


@pytest.fixture
def empty_postgresql(postgres: Postgres) -> Iterator[str]:
    postgres.create("restored")
    yield postgres.url("restored")
    postgres.drop("restored")


def contents(url: str) -> dict[str, list[Any]]:
    """All rows of all tables."""
    database = Database(url)
    try:
        with database.reader() as session:
            return {
                table.name: [
                    tuple(row)
                    for row in session.execute(select(table).order_by(*table.primary_key.columns))
                ]
                for table in metadata.sorted_tables
                # A stamp of the tree, renewed by whatever writes it, a restoration too.
                if table.name != "tree_state"
            }
    finally:
        database.dispose()


@pytest.mark.slow
def test_everything_comes_back_in_either_database(
    call: Call, demonstration: tuple[str, Path], empty_postgresql: str, tmp_path: Path
) -> None:
    url, data = demonstration
    saved = tmp_path / "saved.zip"
    made = call(url, data, "backup", str(saved))
    assert (made.returncode, made.stderr) == (0, "")
    # Read afterwards: the backup stands in the record, and the record in the backup.
    before = contents(url)
    assert before["stored_file"], "a backup without documents would show little"
    assert stat.S_IMODE(saved.stat().st_mode) == 0o600

    again = call(url, data, "backup", str(saved))
    assert again.returncode == 1
    assert again.stderr == f"meetings-server: {saved} exists already; name a new file\n"

    checked = call(empty_postgresql, tmp_path / "second", "restore", str(saved), "--dry-run")
    assert checked.stdout.startswith("whole: ")
    restored = call(empty_postgresql, tmp_path / "second", "restore", str(saved))
    assert (restored.returncode, restored.stderr) == (0, "")
    assert contents(empty_postgresql) == before
    for sha256, *_ in before["stored_file"]:
        place = Path(sha256[:2]) / sha256[2:4] / sha256
        assert (tmp_path / "second" / "files" / place).read_bytes() == (
            data / "files" / place
        ).read_bytes()

    # Numbers go on behind those that came back.
    database = Database(empty_postgresql)
    with database.transaction() as session:
        known = {row[0] for row in before["person"]}
        values = dict(zip(Person.__table__.columns.keys(), before["person"][0], strict=True))
        person = Person(
            **{k: v for k, v in values.items() if k != "id"} | {"username": "nobody.else"}
        )
        session.add(person)
        session.flush()
        assert person.id not in known
    database.dispose()

    full = call(empty_postgresql, tmp_path / "second", "restore", str(saved))
    assert full.returncode == 1
    assert "restored into an empty database" in full.stderr

    # And back to SQLite.
    back = tmp_path / "back.zip"
    third = f"sqlite:///{tmp_path / 'third.db'}"
    assert call(empty_postgresql, tmp_path / "second", "backup", str(back)).returncode == 0
    assert call(third, tmp_path / "third", "restore", str(back)).returncode == 0
    there, here = contents(third), contents(empty_postgresql)
    assert there == here


@pytest.mark.slow
def test_what_is_not_whole_is_refused_and_nothing_is_written(
    call: Call, demonstration: tuple[str, Path], tmp_path: Path
) -> None:
    url, data = demonstration
    saved = tmp_path / "saved.zip"
    lost = contents(url)["stored_file"][0][0]
    (data / "files" / lost[:2] / lost[2:4] / lost).write_bytes(b"damaged")
    made = call(url, data, "backup", str(saved))
    assert made.returncode == 1, "whoever asked has to learn of it"
    assert "1 documents are missing or damaged" in made.stderr

    target = f"sqlite:///{tmp_path / 'second.db'}"
    for number, spoil in enumerate((_cut, _without_a_line, _newer, _no_archive)):
        wrong = tmp_path / f"wrong-{number}.zip"
        spoil(saved, wrong)
        refused = call(target, tmp_path / "second", "restore", str(wrong))
        assert refused.returncode == 1
        assert refused.stderr.count("\n") == 1
        assert not (tmp_path / "second.db").exists()
    assert call(target, tmp_path / "second", "restore", str(saved)).returncode == 0


def _cut(source: Path, target: Path) -> None:
    target.write_bytes(source.read_bytes()[:-5_000])


def _no_archive(source: Path, target: Path) -> None:
    target.write_bytes(source.read_bytes()[:0] + b"not a backup")


def _without_a_line(source: Path, target: Path) -> None:
    _rewrite(
        source, target, "tables/unit.jsonl", lambda text: text[: text.rindex(b"\n", 0, -1) + 1]
    )


def _newer(source: Path, target: Path) -> None:
    newest = (migrations.newest() or "").encode()
    _rewrite(source, target, "manifest.json", lambda text: text.replace(newest, b"9999", 1))


def _rewrite(source: Path, target: Path, name: str, change: Callable[[bytes], bytes]) -> None:
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w") as new:
        for member in old.namelist():
            content = old.read(member)
            new.writestr(member, change(content) if member == name else content)
