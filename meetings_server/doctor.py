"""What would keep the server from working: looked at one by one, each with what to do."""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass

from sqlalchemy.exc import SQLAlchemyError

from meetings_server import migrations
from meetings_server.database import Database
from meetings_server.settings import Settings

LEAST_FREE = 500 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Finding:
    what: str
    sound: bool
    found: str


def examine(settings: Settings) -> Iterator[Finding]:
    """Look at the data folder, the disk, the database and its revision."""
    yield _folder(settings)
    free = shutil.disk_usage(settings.data if settings.data.is_dir() else ".").free
    yield Finding("disk", free > LEAST_FREE, f"{free // 1024**2} MiB free; keep 500 MiB or more")
    database = Database(settings.effective_database_url)
    try:
        database.is_reachable()
    except SQLAlchemyError as trouble:
        reason = str(trouble.__cause__ or trouble).splitlines()[0]
        yield Finding("database", sound=False, found=f"{reason}; see MEETINGS_DATABASE_URL")
        return
    yield Finding("database", sound=True, found=database.engine.dialect.name)
    at, newest = migrations.current(database), migrations.newest()
    yield Finding(
        "revision",
        at == newest,
        f"at {at}" if at == newest else f"at {at}, newest is {newest}; run meetings-server migrate",
    )
    database.dispose()


def _folder(settings: Settings) -> Finding:
    try:
        settings.data.mkdir(parents=True, exist_ok=True)
        probe = settings.data / ".doctor"
        probe.touch()
        probe.unlink()
    except OSError as trouble:
        return Finding(
            "data folder", sound=False, found=f"{trouble}; set MEETINGS_DATA to a writable folder"
        )
    return Finding("data folder", sound=True, found=str(settings.data))
