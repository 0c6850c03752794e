"""Bytes that no row names leave the folder: what a refused transaction or a broken upload left.

A file is put into the store before the transaction that names it, and only its row is rolled back.
Whoever uploads the same content again touches the file (`FolderStore.put`), so that a day's grace
covers every upload that is under way.
"""

import logging
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import Session

from minutes.storage import HASH, StoredFile

log = logging.getLogger(__name__)

GRACE = timedelta(days=1)
AT_ONCE = 500
"""Hashes in one condition."""


def sweep(session: Session, now: datetime, root: Path) -> int:
    """Remove old files below `root` that no row names, and old parts in `incoming`. Returns how many."""
    before = (now - GRACE).timestamp()
    gone = sum(_remove(part, before) for part in (root / "incoming").glob("*.part"))
    old = list(_old_files(root, before))
    for start in range(0, len(old), AT_ONCE):
        found = old[start : start + AT_ONCE]
        named = set(
            session.scalars(
                select(StoredFile.sha256).where(StoredFile.sha256.in_([f.name for f in found]))
            )
        )
        for file in found:
            if file.name not in named:
                log.info("file %s is removed: no document and no meeting names it", file.name)
                gone += _remove(file, before)
    return gone


def _old_files(root: Path, before: float) -> Iterator[Path]:
    """Files that lie where the store puts them; whatever else is in the folder is not ours."""
    for file in root.glob("??/??/*"):
        if HASH.fullmatch(file.name) and file.is_file() and file.stat().st_mtime < before:
            yield file


def _remove(file: Path, before: float) -> int:
    """1 where it was removed; a file touched or taken away meanwhile is left alone."""
    try:
        if file.stat().st_mtime >= before:
            return 0
        file.unlink()
    except FileNotFoundError:
        return 0
    return 1
