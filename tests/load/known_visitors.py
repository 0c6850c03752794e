"""Operators who come to a line with a token and with the pass of an earlier line, signed here.

To let in ten thousand for the first time takes minutes, which is not what is measured.
"""

import time
from datetime import date
from hashlib import sha256
from pathlib import Path

from meetings_server.live.passes import LASTS, Pass, Passes
from tests.load.lines import Visitor

SECRET = "a secret of this run alone"
"""For the setting `secret_key` of the server."""


def settings_of(url: str, folder: Path) -> dict[str, str]:
    """Settings of a server that knows these visitors: its database, its files below a folder."""
    return {
        "database_url": url,
        "data": str(folder),
        "log_level": "warning",
        "secret_key": SECRET,
    }


def digest(token: str) -> str:
    return sha256(token.encode()).hexdigest()


def known_visitor(
    meeting_id: int, token: str, person_id: int, unit: tuple[int, str], today: date
) -> Visitor:
    """Somebody with a right at one unit (id and code), who watches it."""
    unit_id, code = unit
    granted = Pass(
        login=digest(token),
        meeting_id=meeting_id,
        asked=code,
        roots=[unit_id],
        until=int(time.time()) + LASTS,
        may_check_in=True,
        language="vi",
        person_id=person_id,
        name=f"Trực {code}",
        unit_id=unit_id,
        on_behalf_of=None,
        no_substitution_on=today,
    )
    path = f"/live/meetings/{meeting_id}?scope={code}"
    header = f"Authorization: Bearer {token}\r\n"
    return Visitor(path, header, Passes(SECRET).sign(granted) or "")
