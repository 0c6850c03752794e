"""The load program of the live path, small: nothing is lost, nobody waits."""

from pathlib import Path

import pytest

from tests.load.live_storm import Storm, measure


@pytest.mark.slow
@pytest.mark.parametrize("rate", [20, 0])
def test_fifty_screens_see_every_check_in(tmp_path: Path, rate: float) -> None:
    plan = Storm(points=60, sockets=50, rate=rate, seconds=3)
    figures = measure(plan, tmp_path)
    assert figures.sockets == 50
    assert figures.check_ins == 60
    # Gathered for a tick at most: never a frame for each check-in where they come quicker.
    assert 50 <= figures.frames <= 50 * 60
    # The machine is shared with the other tests: what is measured alone is a tenth of this.
    assert figures.ack_p99_ms < 2_000
    assert figures.arrival_p99_ms < 2_000
