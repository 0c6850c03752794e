"""The shell that browsers keep for the time without a network, and the version it belongs to.

It is what the check-in pages are made of: styles, fonts, signs and scripts, each named with its hash, so
that a browser never puts together files of two versions. Which files these are is
written nowhere twice: whatever the pages name, and whatever that imports, belongs to it.
"""

import base64
import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from pathlib import Path
from posixpath import dirname, join, normpath

import msgspec

from meetings_server.web.static_files import static_folder

TEMPLATES = Path(__file__).parent.parent / "templates"
WORKER = "service-worker.js"
IN_THE_WORKER = ("js/checkin-store.js", "js/worker-push.js")
"""Scripts that the worker loads for itself, where they are there."""

PAGES = ("checkin.html", "checkin_list.html", "kiosk/kiosk.html", "offline.html")
"""The templates of the pages that are kept, which name their styles and scripts."""
BESIDES = ("icons.svg",)

_NAMED = re.compile(r"/static/([\w./-]+\.(?:js|css|svg|webmanifest))")
_PART = re.compile(r"""\{%-?\s*(?:extends|include|import|from)\s+"([^"]+)\"""")
_IMPORTED = re.compile(r"""(?:from|import)\s*\(?\s*["'](\.{1,2}/[^"']+|/static/[^"']+)["']""")
_STYLED = re.compile(r"""url\(["']?([^"')]+\.woff2)["']?\)""")


@dataclass(frozen=True, slots=True)
class Build:
    """One version of what browsers keep."""

    version: str
    shell: dict[str, str]
    """Address → `sha256-…` of what lies there, as in the attribute `integrity`."""
    worker: bytes


@cache
def build() -> Build:
    """The version that this process serves."""
    folder = static_folder()
    texts = {path: (folder / path).read_bytes() for path in _shell(folder)}
    own = [path for path in IN_THE_WORKER if (folder / path).is_file()]
    script = (folder / "js" / WORKER).read_bytes()
    digest = sha256(script)
    for path in (*sorted(texts), *own):
        digest.update(path.encode() + b"\0" + sha256((folder / path).read_bytes()).digest())
    for template in sorted(TEMPLATES.rglob("*.html")):
        digest.update(sha256(template.read_bytes()).digest())
    version = digest.hexdigest()[:16]
    shell = {f"/static/{path}": _integrity(text) for path, text in sorted(texts.items())}
    told = {"version": version, "shell": shell, "scripts": [f"/static/{path}" for path in own]}
    return Build(version, shell, b"self.BUILD = " + msgspec.json.encode(told) + b";\n" + script)


def _integrity(text: bytes) -> str:
    return "sha256-" + base64.b64encode(sha256(text).digest()).decode()


def _shell(folder: Path) -> set[str]:
    """What the pages name and whatever that imports, as paths below the static folder."""
    found: set[str] = set()
    waiting = [*BESIDES, *_named_in(PAGES)]
    while waiting:
        path = waiting.pop()
        # A file that is missing is missed by whoever opens the page; keeping goes on without it.
        if path in found or not (folder / path).is_file():
            continue
        found.add(path)
        pattern = {".js": _IMPORTED, ".css": _STYLED}.get(Path(path).suffix)
        if pattern is not None:
            text = (folder / path).read_text()
            waiting.extend(_below(path, named) for named in pattern.findall(text))
    return found


def _named_in(pages: Iterable[str]) -> set[str]:
    """The static files that these templates name, and those that they extend or include."""
    found: set[str] = set()
    seen: set[str] = set()
    waiting = list(pages)
    while waiting:
        page = waiting.pop()
        if page not in seen:
            seen.add(page)
            text = (TEMPLATES / page).read_text()
            found.update(_NAMED.findall(text))
            waiting.extend(_PART.findall(text))
    return found


def _below(path: str, named: str) -> str:
    if named.startswith("/static/"):
        return named.removeprefix("/static/")
    return normpath(join(dirname(path), named))
