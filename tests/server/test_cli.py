"""The program `meetings-server` as it is called: what it prints, and the status it ends with."""

import errno
import os
import socket
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from meetings_server.database import Database
from meetings_server.identity.passwords import check_password
from meetings_server.identity.sessions import by_token
from meetings_server.settings import SettingInvalid, read_settings
from rooms.hierarchy import load_tree
from rooms.kernel import civil_day, utcnow
from tests.programs import THIS_PROGRAM, environment

UNITS = """code,parent_code,level,kind,name
01,,city,Thành phố,Thành phố Hà Nội
006,01,district,Quận,Quận Đống Đa
00181,006,ward,Phường,Phường Văn Miếu
"""
Call = Callable[..., subprocess.CompletedProcess[str]]

# A call starts the program, which takes longer than what it does: on both databases only where that
# may differ.
on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def caller(database_url: str, tmp_path: Path) -> Call:
    """What calls the program on a database."""

    def call(*arguments: str, given: str = "", **settings: str) -> subprocess.CompletedProcess[str]:
        known = {"database_url": database_url, "data": str(tmp_path / "data")} | settings
        return subprocess.run(
            [*THIS_PROGRAM, *arguments],
            input=given,
            capture_output=True,
            text=True,
            check=False,
            env=environment(known),
            cwd=tmp_path,
            timeout=60,
        )

    return call


@pytest.fixture
def call(database_url: str, tmp_path: Path) -> Call:
    """Calls the program on this test's database, once on each kind."""
    return caller(database_url, tmp_path)


@pytest.fixture
def call_without(tmp_path: Path) -> Call:
    """Calls the program where it does not come to asking a database that was migrated."""
    return caller(f"sqlite:///{tmp_path}/new.db", tmp_path)


@pytest.fixture
def units(tmp_path: Path) -> Path:
    path = tmp_path / "units.csv"
    path.write_text(UNITS)
    return path


def count(db: Database) -> int:
    with db.reader() as session:
        return len(load_tree(session, civil_day(utcnow())).by_id)


def test_units_are_looked_at_then_imported_once(call: Call, units: Path, db: Database) -> None:
    looked = call("import-units", str(units), "--dry-run")
    assert (looked.returncode, looked.stderr) == (0, "")
    assert "3 units would be imported" in looked.stdout
    assert count(db) == 0
    done = call("import-units", str(units), "--valid-from", "2021-01-01")
    assert (done.returncode, done.stderr) == (0, "")
    assert "3 units imported, valid from 2021-01-01" in done.stdout
    assert count(db) == 3
    again = call("import-units", str(units))
    assert (again.returncode, again.stderr) == (0, "")
    assert "0 units imported" in again.stdout
    assert again.stdout.endswith(", 3 unchanged\n")
    units.write_text(UNITS.replace("Quận Đống Đa", "Quận Khác"))
    renamed = call("import-units", str(units))
    assert renamed.returncode == 1
    assert "reorganisation" in renamed.stderr
    assert renamed.stderr.count("\n") == 2


@on_sqlite
def test_faults_of_a_file_are_told_line_by_line(call: Call, units: Path, db: Database) -> None:
    units.write_text(UNITS + "00182,999,ward,Phường,Mồ côi\n006,01,district,Quận,Trùng\n")
    refused = call("import-units", str(units))
    assert refused.returncode == 1
    assert f"{units}:5: parent_code: " in refused.stderr
    assert f"{units}:6: code: " in refused.stderr
    last = refused.stderr.splitlines()[-1]
    assert last == "meetings-server: 2 faults; nothing was imported"
    assert count(db) == 0


@on_sqlite
def test_points_and_people_come_in_with_somebodys_rights(
    call: Call, units: Path, tmp_path: Path, db: Database
) -> None:
    units.write_text(UNITS.replace("00181", "181"))
    lost = call("import-units", str(units))
    assert lost.returncode == 1
    assert "Probably 00181" in lost.stderr
    assert call("import-units", str(units), "--zeros", "restore").returncode == 0
    admin = ["quantri", "--name", "Q", "--unit", "006", "--role", "administrator"]
    call("create-user", *admin, "--password-stdin", given="mua-roi-tren-ho-tay\n")
    points, people = tmp_path / "points.csv", tmp_path / "people.csv"
    points.write_text("unit_code,name,capacity\n00181,Phòng họp,40\n")
    people.write_text("username,name,unit_code,roles\ntruc,Trực,00181,operator@00181\n")
    for command, file in (("import-points", points), ("import-people", people)):
        assert call(command, str(file)).returncode == 2
        assert call(command, str(file), "--by", "nobody").returncode == 1
        looked = call(command, str(file), "--by", "quantri", "--dry-run")
        assert "would be imported" in looked.stdout
        assert "1 " in call(command, str(file), "--by", "quantri").stdout
        assert call(command, str(file), "--by", "quantri").stdout.endswith(", 1 unchanged\n")
        refused = call(command, str(file), "--by", "truc")
        assert refused.returncode == 1
        assert count(db) == 3


@on_sqlite
def test_another_encoding_is_told_with_what_to_do(call: Call, units: Path) -> None:
    units.write_bytes(UNITS.replace("Đống Đa", "X").encode("utf-16-le"))
    refused = call("import-units", str(units))
    assert refused.returncode == 1
    assert refused.stderr.count("\n") == 1
    assert "CSV UTF-8" in refused.stderr


def test_an_account_and_a_token_are_made(call: Call, units: Path, db: Database) -> None:
    call("import-units", str(units))
    arguments = ["ThuKy", "--name", "Nguyễn Thu Hà", "--unit", "01", "--role", "secretary"]
    made = call("create-user", *arguments, "--password-stdin", given="mua-roi-tren-ho-tay\n")
    assert (made.returncode, made.stdout) == (0, "thuky is secretary at Thành phố Hà Nội\n")
    assert check_password(db, "thuky", "mua-roi-tren-ho-tay").name == "Nguyễn Thu Hà"
    twice = call("create-user", *arguments, "--password-stdin", given="mua-roi-tren-ho-tay\n")
    assert (twice.returncode, twice.stderr) == (
        1,
        "meetings-server: The user name thuky is taken.\n",
    )
    token = call("create-token", "thuky", "--days", "7")
    assert (token.returncode, token.stderr) == (0, "")
    with db.reader() as session:
        user = by_token(session, token.stdout.strip(), utcnow())
    assert user is not None
    assert user.username == "thuky"


@on_sqlite
def test_an_account_that_cannot_be_is_refused(call: Call, units: Path) -> None:
    call("import-units", str(units))
    for arguments, status in (
        (["a", "--name", "A", "--unit", "77", "--role", "operator"], 1),
        (["a b", "--name", "A", "--unit", "01", "--role", "operator"], 1),
        (["a", "--name", "A", "--unit", "01", "--role", "king"], 2),
        (["a", "--unit", "01"], 2),
    ):
        refused = call("create-user", *arguments, "--password-stdin", given="mua-roi-tren-ho-tay\n")
        assert refused.returncode == status
        assert refused.stdout == ""
        assert refused.stderr.splitlines()[-1].partition(":")[0] in {"meetings-server", "Error"}


@on_sqlite
def test_a_short_password_is_refused_and_no_account_stays(call: Call, units: Path) -> None:
    call("import-units", str(units))
    arguments = ["a", "--name", "A", "--unit", "01", "--role", "operator", "--password-stdin"]
    assert call("create-user", *arguments, given="short\n").returncode == 1
    assert call("create-token", "a").returncode == 1
    assert call("create-user", *arguments, given="long enough for anyone\n").returncode == 0


@pytest.mark.parametrize(
    "arguments",
    [
        ["no-such-command"],
        ["import-units", "no-such-file.csv"],
        ["import-units"],
        ["serve", "--port", "99999"],
        ["create-token", "a", "--days", "many"],
    ],
)
def test_a_wrong_call_ends_with_2(call_without: Call, arguments: list[str]) -> None:
    refused = call_without(*arguments)
    assert (refused.returncode, refused.stdout) == (2, "")
    assert refused.stderr.splitlines()[-1].startswith("Error: ")


def test_a_setting_that_is_none_ends_with_2(call_without: Call) -> None:
    refused = call_without("doctor", prot="80")
    assert refused.returncode == 2
    assert "MEETINGS_PROT is no setting" in refused.stderr


def test_a_database_that_was_not_migrated_says_so(call_without: Call, units: Path) -> None:
    refused = call_without("import-units", str(units))
    assert refused.returncode == 1
    assert refused.stderr.count("\n") == 1
    assert "run: meetings-server migrate" in refused.stderr


@on_sqlite
def test_the_doctor_finds_a_sound_server(call: Call) -> None:
    found = call("doctor")
    assert (found.returncode, found.stderr) == (0, "")
    assert [line.split()[0] for line in found.stdout.splitlines()] == ["ok"] * 7


def test_the_doctor_names_what_is_wrong(call_without: Call) -> None:
    found = call_without("doctor")
    assert found.returncode == 1
    assert "FAIL revision: at none" in found.stdout
    assert found.stderr.count("\n") == 1
    unreachable = call_without("doctor", database_url="postgresql://nobody@127.0.0.1:1/none")
    assert unreachable.returncode == 1
    assert "FAIL database: " in unreachable.stdout
    assert "Traceback" not in unreachable.stderr


@pytest.mark.parametrize(
    "setting",
    [
        {"port": "99999"},
        {"session_hours": "0"},
        {"max_upload_mb": "-1"},
        {"log_level": "loud"},
        {"public_url": "meetings.example"},
        {"smtp_url": "smtp://"},
        {"smtp_url": "smtp://mail.example:many"},
        {"database_url": "sqlite://"},
    ],
)
def test_a_setting_that_cannot_work_is_refused(setting: dict[str, str]) -> None:
    ((name, value),) = setting.items()
    with pytest.raises(SettingInvalid, match=f"MEETINGS_{name.upper()}: "):
        read_settings({f"MEETINGS_{name.upper()}": value})


def test_a_port_that_is_taken_is_told_in_one_line(call_without: Call) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        refused = call_without("serve", "--port", str(port))
    assert refused.returncode == 1
    assert refused.stderr == (
        f"meetings-server: 127.0.0.1:{port}: {os.strerror(errno.EADDRINUSE)}\n"
    )


def test_a_folder_that_cannot_be_used_is_told_in_one_line(
    call_without: Call, tmp_path: Path
) -> None:
    file = tmp_path / "a-file"
    file.write_text("")
    refused = call_without("serve", data=str(file), database_url="")
    assert refused.returncode == 1
    assert refused.stderr == f"meetings-server: {file}: {os.strerror(errno.EEXIST)}\n"


def test_a_database_that_is_none_is_told_in_one_line(call_without: Call, tmp_path: Path) -> None:
    (tmp_path / "new.db").write_bytes(b"this is no database, whatever its name says" * 100)
    refused = call_without("serve")
    assert refused.returncode == 1
    assert refused.stderr == (
        "meetings-server: the database cannot be used: file is not a database\n"
    )
    away = call_without("migrate", database_url="postgresql://nobody@127.0.0.1:1/none")
    assert away.returncode == 1
    assert away.stderr.startswith("meetings-server: the database cannot be used: ")
    assert away.stderr.count("\n") == 1
