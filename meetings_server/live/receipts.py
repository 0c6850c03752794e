"""Receipts of messages, written together: a message to a nation is receipted by 31,097 pages at once.

One transaction for each would keep the check-ins of the same minute waiting.
"""

import asyncio
from collections.abc import Sequence
from typing import ClassVar

from meetings_server.database import Database
from meetings_server.live.group_commit import GroupCommit
from rooms.kernel import utcnow
from rooms.message_receipts import Receipts, record_receipts


class ReceiptWriter(GroupCommit[Receipts, list[int]]):
    """Gives for each the messages that are for its point, whose receipts were kept."""

    most: ClassVar[int] = 2_000
    name: ClassVar[str] = "receipt"

    def __init__(self, db: Database, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(loop)
        self._db = db

    def _commit(self, items: Sequence[Receipts]) -> Sequence[list[int] | Exception]:
        with self._db.transaction() as session:
            return record_receipts(session, items, utcnow())
