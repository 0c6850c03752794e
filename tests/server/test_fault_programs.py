"""The fault programs run small: nothing that was acknowledged is lost, none twice, boards agree."""

from pathlib import Path

import pytest

from tests.faults import several_processes


@pytest.mark.slow
def test_three_processes_outlive_a_kill_and_a_crash_of_the_database(tmp_path: Path) -> None:
    plan = several_processes.Plan(points=60, watchers=12)
    figures = several_processes.run(plan, tmp_path)
    assert figures["acknowledged"] == figures["rows in the log"] == 240
    assert figures["reconnects"] > 0, "nobody was cut off by the kill"
