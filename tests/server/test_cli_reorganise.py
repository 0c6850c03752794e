"""`meetings-server reorganise`: from the catalogue or from files, looked at first, then done."""

from datetime import date
from pathlib import Path

import pytest

from meetings_server.database import Database
from rooms.hierarchy import load_tree
from tests.server.test_cli import Call, caller

JULY = ("--units", "hanoi-2025-07", "--on", "2025-07-01")
PLAN = "reorganisation-hanoi-2025-07-01"
JANUARY = Path(__file__).parents[2] / "rooms" / "catalogue" / "hanoi-2025-01.csv"


@pytest.fixture
def url(tmp_path: Path) -> str:
    """SQLite only: what differs by database is tested where the rows are written."""
    return f"sqlite:///{tmp_path}/new.db"


@pytest.fixture
def call(url: str, tmp_path: Path) -> Call:
    """Calls the program on a database that has the units of January 2025."""
    call = caller(url, tmp_path)
    assert call("migrate").returncode == 0
    assert call("import-units", str(JANUARY), "--valid-from", "2025-01-01").returncode == 0
    return call


def test_the_catalogue_leads_to_july_2025(call: Call, url: str) -> None:
    seen = call("reorganise", PLAN, *JULY, "--dry-run")
    assert seen.returncode == 0, seen.stderr
    assert "merges 01-SKHDT Sở Kế hoạch và Đầu tư -> Sở Tài chính*" in seen.stdout
    assert "warning no_successor: Quận Ba Đình" in seen.stdout
    late = call("reorganise", PLAN, *JULY)
    assert (late.returncode, late.stderr.count("\n")) == (1, 1)
    assert "has passed" in late.stderr
    done = call("reorganise", PLAN, *JULY, "--backdated")
    assert done.returncode == 0, done.stderr
    assert "106 begins" in done.stdout
    database = Database(url)
    with database.reader() as session:
        before, after = (load_tree(session, date(2025, *day)) for day in ((6, 30), (7, 1)))
    database.dispose()
    assert (len(before.by_id), len(after.by_id)) == (579, 144)


def test_files_with_faults_and_wrong_calls(call: Call, tmp_path: Path) -> None:
    plan = tmp_path / "plan.csv"
    plan.write_text("old_code,new_code,extent,main_successor\n00004,99999,whole,1\n")
    told = call("reorganise", str(plan), *JULY, "--dry-run")
    assert told.returncode == 1
    assert f"{plan}:2: new_code: unknown_new_unit '99999'" in told.stderr
    assert call("reorganise", "nothing", *JULY).returncode == 2
    assert call("reorganise", PLAN, "--units", "hanoi-2025-07").returncode == 2
