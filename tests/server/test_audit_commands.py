"""The record on the command line: who ran what, and what the doctor says of the chain."""

import json
import re
from pathlib import Path

import pytest
from sqlalchemy import select, text

from meetings_server.audit.ledger import AuditEntry
from meetings_server.database import Database
from tests.server.test_cli import Call, caller


@pytest.fixture
def call(database_url: str, tmp_path: Path) -> Call:
    return caller(database_url, tmp_path)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_the_doctor_names_the_first_broken_entry(call: Call, db: Database, tmp_path: Path) -> None:
    (tmp_path / "units.csv").write_text(
        "code,parent_code,level,kind,name\n01,,city,Thành phố,Thành phố Hà Nội\n"
    )
    assert call("import-units", "units.csv").returncode == 0
    assert call("backup", "saved.zip").returncode == 0
    with db.reader() as session:
        entries = session.scalars(select(AuditEntry).order_by(AuditEntry.id)).all()
    imported, saved = entries[0], entries[-1]
    assert (imported.who, imported.login) == ("import-units", "command")
    assert "@" in imported.address
    assert (saved.act, json.loads(saved.after)) == ("backup", {"file": "saved.zip"})
    whole = call("doctor")
    assert whole.returncode == 0
    head = re.search(r"head (\d+:[0-9a-f]{64})", whole.stdout)
    assert head is not None
    assert call("doctor", "--audit-head", head[1]).returncode == 0
    assert call("doctor", "--audit-head", "7").returncode == 2

    with db.connection() as connection:
        connection.execute(text("DROP TRIGGER audit_entry_update"))
        connection.execute(text("UPDATE audit_entry SET who = 'nobody' WHERE id = 1"))
    broken = call("doctor")
    assert broken.returncode == 1
    (line,) = [line for line in broken.stdout.splitlines() if line.startswith("FAIL")]
    assert line.startswith("FAIL record of changes: entry 1 (")
    assert "its words were changed after it was written" in line
