"""Programs from Debian's packages that some tests need beside Python."""

import os
import shutil

import pytest


def required(program: str, package: str) -> str:
    """The path of an installed program; skips the test without it, or fails it where `REQUIRE_BROWSER=1`.

    That variable says that everything must run here, see `.ci/run`.
    """
    # Servers stand in sbin, which is not on everybody's path.
    found = shutil.which(program, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")
    if found:
        return found
    missing = f"{program} is not installed: apt install {package}"
    if os.environ.get("REQUIRE_BROWSER") == "1":
        pytest.fail(missing)
    pytest.skip(missing)
