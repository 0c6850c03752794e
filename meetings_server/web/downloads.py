"""A stored file as an answer: checked against its hash, under its own name, never run.

Whatever leaves as a file is put into the record first, in a transaction of its own. Where that cannot be
written (a full disk, a database that is away), nothing leaves.
"""

from collections.abc import Iterator, Mapping
from typing import Any, BinaryIO
from urllib.parse import quote

from litestar.response import Stream

from meetings_server.database import Database
from minutes.file_kinds import JPEG, PDF, PNG
from minutes.storage import CHUNK
from rooms.auditing import audited

# What a browser shows by itself without running anything of it; the rest is saved.
SHOWN_INLINE = frozenset({PDF, PNG, JPEG})


def file_answer(
    file: BinaryIO,
    filename: str,
    media_type: str,
    size: int,
    *,
    save: bool = False,
    ours: bool = False,
) -> Stream:
    """The whole file, which the store has opened; `size` in bytes.

    `save`: never shown inline. `ours`: this server made it, it may be shown within a page.
    """
    # An uploaded file is somebody else's: it gets no rights of this site, whatever it holds.
    policy = {} if ours else {"content-security-policy": "sandbox; default-src 'none'"}
    return Stream(
        _chunks(file),
        media_type=media_type,
        headers={
            "content-disposition": disposition(
                filename, inline=media_type in SHOWN_INLINE and not save
            ),
            "content-length": str(size),
            "x-content-type-options": "nosniff",
            "cache-control": "private, no-store",
        }
        | policy,
    )


def note_download(
    db: Database,
    subject: str,
    subject_id: int | str,
    part: str,
    *,
    record: tuple[str, int] | None = None,
    unit_id: int | None = None,
    facts: Mapping[str, Any] | None = None,
    file: BinaryIO | None = None,
) -> None:
    """Put into the record that a document is given out; call it last, before the answer.

    `subject`, `subject_id`: table and key. `part`: the name of the file. `record`: what it belongs to.
    `facts`: what was asked for, such as the filters of a list. `file` is closed where this fails.
    """
    try:
        with db.transaction() as session:
            audited(
                session,
                "download",
                subject,
                subject_id,
                after=facts,
                record=record,
                part=part,
                unit_id=unit_id,
            )
    except BaseException:
        if file is not None:
            file.close()
        raise


def disposition(filename: str, *, inline: bool) -> str:
    """RFC 6266: the name in UTF-8, and a plain one for programs that read no other."""
    plain = "".join(c if " " <= c <= "~" and c not in '"\\%' else "_" for c in filename)
    kind = "inline" if inline else "attachment"
    return f"{kind}; filename=\"{plain}\"; filename*=UTF-8''{quote(filename, safe='')}"


def _chunks(file: BinaryIO) -> Iterator[bytes]:
    with file:
        while chunk := file.read(CHUNK):
            yield chunk
