"""What would keep the server from working: looked at one by one, each with what to do."""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass

from sqlalchemy.exc import SQLAlchemyError

from meetings_server import migrations
from meetings_server.database import Database
from meetings_server.i18n import _
from meetings_server.settings import Settings

MEBIBYTE = 1024 * 1024
LEAST_FREE = 500 * MEBIBYTE


@dataclass(frozen=True, slots=True)
class Finding:
    what: str
    sound: bool
    found: str


def examine(settings: Settings) -> Iterator[Finding]:
    """Look at the data folder, the disk, the database and its revision."""
    yield _folder(settings)
    free = shutil.disk_usage(settings.data if settings.data.is_dir() else ".").free
    yield Finding(
        _("disk"),
        free > LEAST_FREE,
        _("{free} MiB free; keep {least} MiB or more").format(
            free=free // MEBIBYTE, least=LEAST_FREE // MEBIBYTE
        ),
    )
    database = Database(settings.effective_database_url)
    try:
        database.is_reachable()
    except SQLAlchemyError as trouble:
        reason = str(trouble.__cause__ or trouble).splitlines()[0]
        yield Finding(
            _("database"),
            sound=False,
            found=_("{trouble}; see MEETINGS_DATABASE_URL").format(trouble=reason),
        )
        return
    yield Finding(_("database"), sound=True, found=database.engine.dialect.name)
    at, newest = migrations.current(database), migrations.newest()
    said = _("at {at}") if at == newest else _("at {at}, newest is {newest}; run: {command}")
    yield Finding(
        _("revision"),
        at == newest,
        said.format(at=at or _("none"), newest=newest, command="meetings-server migrate"),
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
            _("data folder"),
            sound=False,
            found=_("{trouble}; set MEETINGS_DATA to a writable folder").format(trouble=trouble),
        )
    return Finding(_("data folder"), sound=True, found=str(settings.data))
