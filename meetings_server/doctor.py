"""What would keep the server from working: looked at one by one, each with what to do."""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError

from meetings_server import i18n, migrations
from meetings_server.audit.chain import Fault, NotedHead, Tell, verify
from meetings_server.database import Database
from meetings_server.i18n import _, mark
from meetings_server.identity.oidc import Provider, ProviderAway
from meetings_server.settings import Settings
from minutes.storage import FileDamaged, FileMissing, FolderStore, StoredFile
from rooms.kernel import utcnow
from rooms.summaries import MeetingSummary, unsound

MEBIBYTE = 1024 * 1024
LEAST_FREE = 500 * MEBIBYTE


@dataclass(frozen=True, slots=True)
class Finding:
    what: str
    sound: bool
    found: str


BROKEN: dict[Fault, str] = {
    Fault.CHANGED: mark("its words were changed after it was written"),
    Fault.MISSING: mark("it was taken out"),
    Fault.REPLACED: mark("another entry was put in its place"),
    Fault.UNLINKED: mark("it does not follow the entry before it"),
    Fault.CUT_OFF: mark("it and what followed were cut off"),
    Fault.BEYOND_HEAD: mark("the server did not write it"),
    Fault.HEAD: mark("the head names another last entry"),
    Fault.NOTED: mark("it is not the one that was written down"),
}

MOST_NAMED = 10
LOOKED_AT = 100
"""Stored files that are read unless all are asked for, the newest first."""
MEETINGS_LOOKED_AT = 10
"""Closed meetings whose counts are compared with the log, the newest first."""


def examine(
    settings: Settings,
    *,
    all_files: bool = False,
    newest_entries: int | None = None,
    noted: NotedHead | None = None,
    tell: Tell = lambda _done, _total: None,
) -> Iterator[Finding]:
    """Look at data folder, disk, login provider, database, its revision, record, counts of reports, files.

    `all_files`: read every stored file and compare it with its hash, however long that takes.
    `newest_entries`: so many of the record of what was done; all of them where it is None. `noted`: a
    head of the record that was written down; `tell` hears how many entries have been read.
    """
    yield _folder(settings)
    free = shutil.disk_usage(settings.data if settings.data.is_dir() else ".").free
    yield Finding(
        _("disk"),
        free > LEAST_FREE,
        _("{free} MiB free; keep {least} MiB or more").format(
            free=free // MEBIBYTE, least=LEAST_FREE // MEBIBYTE
        ),
    )
    if settings.oidc_issuer:
        yield _provider(settings)
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
    if at == newest:
        yield _record(database, newest_entries, noted, tell)
        yield _summaries(database)
        yield _files(database, settings, None if all_files else LOOKED_AT)
    database.dispose()


def _provider(settings: Settings) -> Finding:
    provider = Provider(settings)
    try:
        provider.metadata()
    except ProviderAway:
        said = _(
            "{issuer} does not answer as a provider; the log says why; see MEETINGS_OIDC_ISSUER"
        )
        return Finding(_("login provider"), sound=False, found=said.format(issuer=provider.issuer))
    said = _("{issuer} answers; registered there must be {redirect}")
    found = said.format(issuer=provider.issuer, redirect=provider.redirect_uri)
    return Finding(_("login provider"), sound=True, found=found)


def _record(database: Database, newest: int | None, noted: NotedHead | None, tell: Tell) -> Finding:
    """Whether the record of what was done is whole, and its head, to be written down outside."""
    with database.reader() as session:
        verdict = verify(session, newest=newest, noted=noted, tell=tell)
    if verdict.broken is None:
        said = _("{number} entries looked at, all whole; head {head}")
        return Finding(
            _("record of changes"), True, said.format(number=verdict.count, head=verdict.head)
        )
    broken = verdict.broken
    when = f" ({i18n.daytime(broken.at)})" if broken.at else ""
    said = _("entry {number}{when} is broken: {what}; head {head}")
    return Finding(
        _("record of changes"),
        sound=False,
        found=said.format(
            number=broken.number, when=when, what=_(BROKEN[broken.fault]), head=verdict.head
        ),
    )


def _summaries(database: Database) -> Finding:
    """Whether what reports count of the newest meetings is what the log of attendance gives."""
    with database.reader() as session:
        newest = session.scalars(
            select(MeetingSummary.meeting_id)
            .order_by(MeetingSummary.day.desc(), MeetingSummary.meeting_id.desc())
            .limit(MEETINGS_LOOKED_AT)
        ).all()
        wrong = unsound(session, newest, utcnow())
    if not wrong:
        said = _("{number} meetings compared with the log, all sound")
        return Finding(_("attendance reports"), sound=True, found=said.format(number=len(newest)))
    said = _(
        "meetings {which} differ from the log; delete their rows of meeting_summary and the server counts anew"
    )
    which = ", ".join(map(str, wrong[:MOST_NAMED]))
    return Finding(_("attendance reports"), sound=False, found=said.format(which=which))


def _files(database: Database, settings: Settings, most: int | None) -> Finding:
    """Whether the newest stored files, or all of them, are there and match their hash."""
    store = FolderStore(settings.files)
    wrong: list[str] = []
    looked_at = 0
    with database.reader() as session:
        hashes = session.scalars(
            select(StoredFile.sha256).order_by(StoredFile.created_at.desc()).limit(most)
        ).all()
    for sha256 in hashes:
        looked_at += 1
        try:
            store.open(sha256).close()
        except FileMissing:
            wrong.append(_("{file} is missing").format(file=sha256))
        except FileDamaged:
            wrong.append(_("{file} is damaged").format(file=sha256))
        except OSError as trouble:
            wrong.append(f"{sha256}: {trouble}")
    if not wrong:
        said = _("{number} looked at, all whole")
        return Finding(_("stored files"), sound=True, found=said.format(number=looked_at))
    said = _("{bad} of {number} looked at are lost; restore them from a backup: {which}")
    return Finding(
        _("stored files"),
        sound=False,
        found=said.format(bad=len(wrong), number=looked_at, which="; ".join(wrong[:MOST_NAMED])),
    )


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
