"""The wheel is the whole product: what it installs serves every page without the checkout."""

import os
import re
import subprocess
import sys
import urllib.request
import venv
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urljoin, urlsplit

import pytest

from tests import programs

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("meetings_server", "minutes", "rooms")

pytestmark = pytest.mark.slow


@dataclass(frozen=True)
class Installation:
    """An environment into which only the wheel was installed."""

    folder: Path

    @property
    def python(self) -> Path:
        return self.folder / "bin" / "python"

    @property
    def program(self) -> Path:
        return self.folder / "bin" / "meetings-server"

    def ask(self, code: str, cwd: Path) -> list[str]:
        """Lines that a piece of Python prints there."""
        answer = subprocess.run(
            [self.python, "-c", code],
            check=True,
            capture_output=True,
            text=True,
            cwd=cwd,
            env=environment(),
        )
        return answer.stdout.splitlines()


def environment() -> dict[str, str]:
    """Without anything that could lead back to the checkout."""
    return {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    built = subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", folder, ROOT],
        check=False,
        capture_output=True,
        text=True,
        env=environment(),
    )
    assert built.returncode == 0, built.stdout + built.stderr
    (found,) = folder.glob("*.whl")
    return found


@pytest.fixture(scope="module")
def installation(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Installation:
    folder = tmp_path_factory.mktemp("installed") / "venv"
    venv.create(folder, with_pip=False, symlinks=True)
    installed = Installation(folder)
    pip: list[str | Path] = [sys.executable, "-m", "pip", "--python", installed.python]
    subprocess.run(
        [*pip, "install", "--quiet", "--no-deps", "--no-index", wheel],
        check=True,
        env=environment(),
    )
    # Libraries come from this environment, to need no network. Its own .pth files, and with them the
    # checkout, are not read again for a folder that a .pth names.
    (libraries,) = {Path(path) for path in sys.path if path.endswith("site-packages")}
    (here,) = folder.glob("lib/python3*/site-packages")
    (here / "libraries.pth").write_text(f"{libraries}\n", encoding="utf-8")
    return installed


def shipped() -> Iterator[str]:
    """Names inside the wheel of every file that belongs to the product."""
    for package in PACKAGES:
        for path in (ROOT / package).rglob("*"):
            if path.is_file() and "__pycache__" not in path.parts:
                yield path.relative_to(ROOT).as_posix()
    for path in (ROOT / "static").rglob("*"):
        if path.is_file() and "__pycache__" not in path.parts:
            yield f"meetings_server/{path.relative_to(ROOT).as_posix()}"


def test_the_wheel_has_every_file(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        inside = set(archive.namelist())
    assert sorted(set(shipped()) - inside) == []


def test_the_wheel_has_nothing_else(wheel: Path) -> None:
    """No tests, and no package beside the three that are named."""
    with zipfile.ZipFile(wheel) as archive:
        tops = {name.split("/")[0] for name in archive.namelist()}
    assert {top for top in tops if not top.endswith(".dist-info")} == set(PACKAGES)


def test_the_wheel_itself_is_imported(installation: Installation, tmp_path: Path) -> None:
    places = installation.ask(
        "import meetings_server, minutes, rooms\n"
        "for package in (meetings_server, minutes, rooms): print(package.__file__)",
        tmp_path,
    )
    assert all(Path(place).is_relative_to(installation.folder) for place in places), places


def fetch(url: str) -> tuple[str, bytes]:
    """Media type and content. Raises for any status that is not a success."""
    with urllib.request.urlopen(url, timeout=10) as answer:  # noqa: S310 -- http on 127.0.0.1
        return answer.headers.get_content_type(), answer.read()


def linked(page: str) -> set[str]:
    """Style sheets, scripts and pictures that a page names."""
    return set(re.findall(r'(?:src|href)="(/static/[^"#]+)', page))


def test_the_installed_server_serves_its_pages(installation: Installation, tmp_path: Path) -> None:
    server = programs.start(
        ["serve"],
        tmp_path,
        {"data": str(tmp_path / "data")},
        program=[installation.program],
    )
    try:
        server.wait_until_ready()
        kind, page = fetch(f"{server.url}/login")
        assert kind == "text/html"
        assert "Đăng nhập" in page.decode()  # the translations are inside

        files = linked(page.decode())
        assert any(name.split("?")[0].endswith(".css") for name in files)
        for name in files:
            kind, content = fetch(server.url + name)
            assert content, name
            if kind == "text/css":
                fonts = re.findall(r"url\(\s*[\"']?([^)\"'#]+)", content.decode())
                for font in fonts[:40]:
                    if not urlsplit(font).scheme:
                        assert fetch(urljoin(server.url + name, font))[1], font
    except BaseException:
        server.crash()
        raise
    server.stop()


def test_the_installed_demonstration_runs(installation: Installation, tmp_path: Path) -> None:
    """Its units come from the catalogue inside the wheel."""
    server = programs.start(["demo"], tmp_path, {}, program=[installation.program])
    try:
        server.wait_until_ready()
        assert "Đăng nhập" in fetch(f"{server.url}/login")[1].decode()
        assert server.url in server.log()
    except BaseException:
        server.crash()
        raise
    server.stop()


@pytest.mark.parametrize("command", [[], ["serve"], ["demo"], ["migrate"], ["import-units"]])
def test_the_installed_program_explains_itself(
    installation: Installation, tmp_path: Path, command: list[str]
) -> None:
    answer = subprocess.run(
        [installation.program, *command, "--help"],
        check=False,
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env=environment(),
    )
    assert answer.returncode == 0, answer.stderr
    assert "meetings-server" in answer.stdout
