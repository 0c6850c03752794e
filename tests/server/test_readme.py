"""What the README says to do works as it stands there."""

import os
import re
import subprocess
import sysconfig
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.programs import Program

README = Path(__file__).parents[2] / "README.md"


@pytest.mark.slow
def test_the_meeting_day_with_curl(running_server: Callable[..., Program], tmp_path: Path) -> None:
    script = re.findall(
        r"^```bash\n(.*?)^```$", README.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL
    )
    assert len(script) == 1, "the README has one script"
    data = tmp_path / "demo-data"
    server = running_server("demo", "--data", str(data))
    done = subprocess.run(
        ["bash", "-c", script[0].replace("/tmp/walk", str(tmp_path / "walk"))],  # noqa: S108 -- the text to replace
        env=os.environ
        | {
            "BASE": server.url,
            "MEETINGS_DATA": str(data),
            "PATH": f"{sysconfig.get_path('scripts')}:{os.environ['PATH']}",
        },
        capture_output=True,
        text=True,
        cwd=tmp_path,
        check=False,
        timeout=120,
    )
    told = f"{done.stdout}\n{done.stderr}\n{server.log()[-3000:]}"
    assert done.returncode == 0, told
    for line in ("Quận Đống Đa", "22", "accepted", "in_progress", "ended", "submitted", "%PDF-"):
        assert line in done.stdout, told
    assert re.search(r"^\d+/BB-UBND$", done.stdout, re.MULTILINE), told
    assert re.search(r"^\d+/TB-UBND$", done.stdout, re.MULTILINE), told
