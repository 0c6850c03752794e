"""Files that nobody names leave the folder; those that somebody names are looked after."""

import io
import os
from datetime import timedelta
from functools import partial
from pathlib import Path

from meetings_server.database import Database
from meetings_server.doctor import examine
from meetings_server.jobs import make_scheduler, run_sweep
from meetings_server.settings import Settings
from meetings_server.sweeps import orphan_files
from minutes.storage import FolderStore, ReceivedFile, keep
from rooms.kernel import utcnow
from tests.documents import PDF_BYTES

DAY = timedelta(days=1)


def put(store: FolderStore, content: bytes, age: timedelta) -> ReceivedFile:
    received = store.put(io.BytesIO(content), "application/pdf", "a.pdf", 1 << 20)
    grow_old(store.root / received.sha256[:2] / received.sha256[2:4] / received.sha256, age)
    return received


def grow_old(file: Path, age: timedelta) -> None:
    then = (utcnow() - age).timestamp()
    os.utime(file, (then, then))


def left(root: Path) -> set[str]:
    return {file.name for file in root.rglob("*") if file.is_file()}


def tidy(db: Database, root: Path) -> int:
    return run_sweep(db, "files", partial(orphan_files.sweep, root=root), utcnow())


def test_only_what_is_old_and_nobody_names_is_removed(db: Database, tmp_path: Path) -> None:
    root = tmp_path / "files"
    store = FolderStore(root)
    named = put(store, PDF_BYTES + b"named", 9 * DAY)
    orphan = put(store, PDF_BYTES + b"orphan", 2 * DAY)
    fresh = put(store, PDF_BYTES + b"fresh", DAY / 2)
    again = put(store, PDF_BYTES + b"again", 9 * DAY)
    stranger = root / "README"
    stranger.write_text("not ours")
    for name, age in (("old.part", 2 * DAY), ("new.part", DAY / 24)):
        (root / "incoming" / name).write_bytes(b"part of a file")
        grow_old(root / "incoming" / name, age)
    grow_old(stranger, 9 * DAY)
    with db.transaction() as session:
        keep(session, named, now=utcnow())
    # The same content is being uploaded anew, and its row is not written yet.
    store.put(io.BytesIO(PDF_BYTES + b"again"), "application/pdf", "b.pdf", 1 << 20)
    assert tidy(db, root) == 2
    assert left(root) == {named.sha256, fresh.sha256, again.sha256, "README", "new.part"}
    assert orphan.sha256 not in left(root)
    assert tidy(db, root) == 0


def test_a_server_without_files_has_nothing_to_tidy(db: Database, tmp_path: Path) -> None:
    assert tidy(db, tmp_path / "none") == 0
    names = {job.name for job in make_scheduler(db, tmp_path).get_jobs()}
    assert "files nobody names" in names


def test_the_doctor_tells_missing_and_damaged_files(db: Database, settings: Settings) -> None:
    store = FolderStore(settings.files)
    kept = [put(store, PDF_BYTES + bytes([n]), timedelta()) for n in range(3)]
    with db.transaction() as session:
        for received in kept:
            keep(session, received, now=utcnow())

    def found(*, all_files: bool) -> tuple[bool, str]:
        last = list(examine(settings, all_files=all_files))[-1]
        return last.sound, last.found

    assert found(all_files=False)[0]
    first, second = (
        settings.files / one.sha256[:2] / one.sha256[2:4] / one.sha256 for one in kept[:2]
    )
    first.unlink()
    second.write_bytes(b"rotten")
    sound, said = found(all_files=True)
    assert not sound
    assert said.startswith("2 ")
    assert kept[0].sha256 in said
    assert kept[1].sha256 in said
    assert kept[2].sha256 not in said
