"""The fault programs run small: nothing that was acknowledged is lost, none twice, boards agree."""

from pathlib import Path

import pytest

from tests.debian import required
from tests.faults import one_server, several_processes


@pytest.mark.slow
def test_three_processes_outlive_a_kill_and_a_crash_of_the_database(tmp_path: Path) -> None:
    plan = several_processes.Plan(points=60, watchers=12)
    figures = several_processes.run(plan, tmp_path)
    assert figures["acknowledged"] == figures["rows in the log"] == 240
    assert figures["reconnects"] > 0, "nobody was cut off by the kill"


@pytest.mark.slow
@pytest.mark.parametrize("fault", ["kill", "clock", "disk"])
def test_one_server_outlives(tmp_path: Path, fault: several_processes.Fault) -> None:
    if fault == "clock":
        required("faketime", "faketime")
    # The disk has to be full before everybody is through.
    points = 300 if fault == "disk" else 40
    plan = several_processes.Plan((fault,), points=points, watchers=4, rounds=("ready", "present"))
    figures = one_server.run(fault, plan, tmp_path)
    assert figures["acknowledged"] == figures["rows in the log"] == 2 * points
    assert figures["starts"] == (2 if fault == "kill" else 1)
