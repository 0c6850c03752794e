"""The load programs run small: they work, and their counts do not grow with the number of units."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parents[2]
PROGRAMS = CHECKOUT / "tests" / "load"

# Identity and the shell of a page are two statements more than the page's own ten.
MOST_STATEMENTS = 12


def run(program: str, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", f"tests.load.{program}", *arguments],
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        check=False,
        timeout=1200,
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.mark.slow
def test_booking_takes_the_same_statements_for_all_units() -> None:
    told = run("booking", "--meetings", "40", "--runs", "1")
    counts = [int(count) for count in re.findall(r"statements\s+(\d+)", told)]
    assert len(counts) == 2, told
    assert max(counts) <= 32, told


@pytest.mark.slow
def test_everyone_is_booked_over_http() -> None:
    told = run("everyone", "--points", "60", "--bookings", "20", "--runs", "2")
    assert len(re.findall(r"^    60 points  .* ms$", told, re.MULTILINE)) == 7, told


@pytest.mark.slow
def test_pages_with_many_units_take_few_statements() -> None:
    told = run("pages", "--meetings", "40", "--runs", "1")
    rows = re.findall(r"^(/\S*)\s.*\sms\s+(\d+)\s+[\d.]+$", told, re.MULTILINE)
    assert {"/units", "/meetings", "/"} <= {path for path, _ in rows}, told
    assert {path: int(count) for path, count in rows if int(count) > MOST_STATEMENTS} == {}, told


@pytest.mark.slow
def test_reorganising_takes_few_statements_whatever_the_rooms() -> None:
    told = run("reorganise", "--meetings", "12", "--coming", "6")
    counts = {
        what.strip(): int(count)
        for what, count in re.findall(
            r"^(\w[\w ]*?)\s{2,}.*statements\s+(\d+)$", told, re.MULTILINE
        )
    }
    assert counts.keys() == {"preview", "apply", "take back", "apply again", "come into force"}, (
        told
    )
    assert max(counts.values()) <= 150, told
    assert "points per coming meeting [144]" in told


@pytest.mark.slow
def test_a_nation_takes_the_statements_of_a_city() -> None:
    told = run("units", "--provinces", "2", "--runs", "1")
    rows = re.findall(r"^(\w[\w ,]*?)\s+[\d.]+ ms.*\s(\d+)\s+(\d+)$", told, re.MULTILINE)
    assert {"tree", "search", "picker", "preview", "API search"} <= {row[0] for row in rows}, told
    assert re.search(r"computing [\d.]+ s\), \d+ units", told), told
    for what, few, many in rows:
        # The levels of a nation are more than those of a city: a unit's page names each way up.
        assert int(many) <= int(few) + 4, f"{what}\n{told}"


@pytest.mark.slow
def test_check_ins_come_in_three_ways_and_all_are_in_the_log() -> None:
    told = run(
        "check_ins",
        *("--points", "60", "--count", "600", "--lines", "4"),
        *("--http", "40", "--connections", "4", "--single", "50"),
    )
    assert re.findall(r"^(single commits, sqlite3|socket|HTTP)\s{2,}", told, re.MULTILINE) == [
        "single commits, sqlite3",
        "socket",
        "HTTP",
    ]
    assert "rows in the log 640" in told, told


@pytest.mark.slow
@pytest.mark.parametrize("processes", ["1", "2"])
def test_a_full_house_checks_in_while_all_watch(processes: str) -> None:
    size = ("--points", "60", "--sockets", "50", "--boards", "5", "--seconds", "2")
    told = run("full_house", *size, "--processes", processes)
    figures = dict(re.findall(r"^(\w+)\s+([\d.,]+)$", told, re.MULTILINE))
    assert (figures["lines"], figures["check_ins"], figures["refused"]) == ("55", "60", "0"), told


@pytest.mark.slow
def test_what_is_asked_of_the_log_is_what_its_rows_come_to() -> None:
    told = run("log_questions", "--points", "60", "--rounds", "6")
    assert "every state is what the rows come to, 60 points, three instants" in told


@pytest.mark.slow
def test_reports_take_few_statements_whatever_the_year() -> None:
    told = run("reports", "--points", "300", "--rows", "900", "--meetings", "6")
    counts = [int(count) for count in re.findall(r"statements\s+(\d+)", told)]
    assert len(counts) == 8, told
    assert max(counts) <= 22, told


@pytest.mark.slow
def test_the_readiness_of_a_nation_is_told_in_few_statements() -> None:
    told = run("readiness", "--points", "60", "--small", "0", "--runs", "1")
    counts = [int(count) for count in re.findall(r"(\d+) statements$", told, re.MULTILINE)]
    assert len(counts) == 6, told
    assert max(counts) <= MOST_STATEMENTS, told


@pytest.mark.slow
def test_receipts_of_all_points_are_kept_over_lines_and_http() -> None:
    told = run("receipts", "--points", "30", "--calls", "10")
    assert re.findall(
        r"^(lines, rights looked up|lines, rights known|HTTP)\s", told, re.MULTILINE
    ) == [
        "lines, rights looked up",
        "lines, rights known",
        "HTTP",
    ]
    assert "answered 70, in the database 70" in told, told
