"""Rules of the house that no linter knows."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SOURCES = ("rooms", "minutes", "meetings_server", "static", "tests", ".ci")
TEXT = {
    ".py",
    ".html",
    ".txt",
    ".xml",
    ".js",
    ".css",
    ".toml",
    ".md",
    ".typ",
    ".po",
    ".sh",
    ".json",
}
# A thing with one of these names has no name yet, and so no place.
NAMELESS = {
    "utils",
    "util",
    "helpers",
    "helper",
    "common",
    "manager",
    "service",
    "services",
    "base",
}
# Layouts are what templates extend; that word is the field's own there.
NAMED_BASE = {"base.html"}
# Past about 400 lines a module is two subjects; the rest is for the end of a thought.
ONE_SUBJECT = 450


def written() -> Iterator[Path]:
    """Every file that we wrote ourselves: nothing vendored, built or cached."""
    for folder in SOURCES:
        for path in sorted((ROOT / folder).rglob("*")):
            inside = path.relative_to(ROOT).parts
            # Directly in static/vendor lie our own programs that fetch it.
            foreign = inside[:2] == ("static", "vendor") and len(inside) > 3
            foreign = foreign or not {"__pycache__", "node_modules"}.isdisjoint(inside)
            if path.is_file() and not foreign:
                yield path
    yield from sorted(path for path in ROOT.iterdir() if path.is_file())


def lines(path: Path) -> Iterator[tuple[str, str]]:
    """Each line with its place, as `path:number`."""
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        yield f"{path.relative_to(ROOT)}:{number}", line


def listed(found: list[str]) -> str:
    return f"{len(found)}:\n" + "\n".join(found)


def sources(*suffixes: str) -> list[Path]:
    return [path for path in written() if path.suffix in suffixes]


# Docstrings of Python, block comments of JavaScript and of Jinja, then comments to the line's end.
PROSE = {
    ".py": r'"""(?:.|\n)*?"""|#.*',
    ".js": r"/\*(?:.|\n)*?\*/|(?:^|\s)//.*",
    ".html": r"\{#(?:.|\n)*?#\}",
}


def without_prose(path: Path) -> str:
    """A file with its comments blanked out, line numbers kept."""
    text = path.read_text(encoding="utf-8")
    return re.sub(PROSE[path.suffix], lambda found: "\n" * found[0].count("\n"), text)


def templates() -> list[Path]:
    return sorted((ROOT / "meetings_server" / "templates").rglob("*.html"))


def test_every_file_has_a_name() -> None:
    nameless = [
        str(path.relative_to(ROOT))
        for path in written()
        if path.stem in NAMELESS and path.name not in NAMED_BASE
    ]
    assert not nameless, listed(nameless)


def test_a_python_file_holds_one_subject() -> None:
    """Past about 400 lines it is two. A migration is one, however many tables it makes."""
    long = [
        f"{path.relative_to(ROOT)}: {count} lines"
        for path in sources(".py")
        if path.parent.name != "versions"
        and (count := len(path.read_text(encoding="utf-8").splitlines())) > ONE_SUBJECT
    ]
    assert not long, listed(long)


# Addresses that a page or program would fetch from at run time: an office network has none of them.
FETCHED = re.compile(
    r"https?://(?:[\w.-]*\.)?(?:jsdelivr\.net|unpkg\.com|cdnjs\.cloudflare\.com|esm\.sh|skypack\.dev"
    r"|googleapis\.com|gstatic\.com|bootstrapcdn\.com|fontawesome\.com|jquery\.com"
    r"|pypi\.org|pythonhosted\.org|npmjs\.(?:org|com)|npmmirror\.com|ghcr\.io|docker\.io)"
)


def test_nothing_is_fetched_from_elsewhere() -> None:
    found = [
        f"{place}: {line.strip()}"
        for path in written()
        if (path.suffix in TEXT or not path.suffix) and path != Path(__file__)
        for place, line in lines(path)
        if FETCHED.search(line)
    ]
    assert not found, listed(found)


LOADED = re.compile(
    r"""(?:src|srcset|action|formaction|data-src)\s*=\s*["']\s*(?:https?:)?//"""
    r"""|<link[^>]+href\s*=\s*["']\s*(?:https?:)?//|@import\s+["'(]|url\(\s*["']?(?:https?:)?//""",
    re.IGNORECASE,
)


def test_pages_load_only_their_own_files() -> None:
    found = [
        f"{place}: {line.strip()}"
        for path in [*templates(), *sources(".css")]
        for place, line in lines(path)
        if LOADED.search(line)
    ]
    assert not found, listed(found)


# What the Content-Security-Policy refuses: the page would look right and do nothing.
REFUSED = {
    "inline style": re.compile(r"<[^>]*\sstyle\s*=", re.IGNORECASE),
    "style element": re.compile(r"<style\b", re.IGNORECASE),
    "inline handler": re.compile(r"""<[^>]*\son[a-z]+\s*=\s*["']""", re.IGNORECASE),
    "htmx handler": re.compile(r"<[^>]*\shx-on[:a-z-]*\s*=", re.IGNORECASE),
    "javascript: address": re.compile(r"""["']\s*javascript:""", re.IGNORECASE),
    # A script without src is refused, unless it only carries data.
    "inline script": re.compile(
        r"<script\b(?![^>]*\bsrc\s*=)(?![^>]*type\s*=\s*[\"']application/(?:json|ld\+json)[\"'])",
        re.IGNORECASE,
    ),
}
# Mail programs know no style sheets: the styles of a mail stand in its elements.
MAILS = ("mail", "mails")


@pytest.mark.parametrize("rule", REFUSED)
def test_pages_keep_to_their_security_policy(rule: str) -> None:
    found = []
    for path in templates():
        if path.relative_to(ROOT / "meetings_server" / "templates").parts[0] in MAILS:
            continue
        text = without_prose(path)
        found += [
            f"{path.relative_to(ROOT)}:{text.count(chr(10), 0, match.start()) + 1}: {match[0][:80]}"
            for match in REFUSED[rule].finditer(text)
        ]
    assert not found, listed(found)


# Letters that no other language of this project has; `đ` stands in folding rules as a letter.
VIETNAMESE = re.compile(
    r"[ăâêôơưáàảãạắằẳẵặấầẩẫậéèẻẽẹếềểễệíìỉĩịóòỏõọốồổỗộớờởỡợúùủũụứừửữựýỳỷỹỵ]", re.IGNORECASE
)
# Where Vietnamese is the content and not the language of the screen.
VIETNAMESE_PLACES = (
    "meetings_server/translations/",
    "meetings_server/i18n.py",  # dates
    "meetings_server/demo",  # the people, rooms and meetings of the demonstration
    "minutes/forms/",  # official forms are Vietnamese by decree
    "minutes/kinds.py",  # so are the names of the kinds of documents
    "rooms/catalogue/",
    "tests/",
)


def test_every_text_on_the_screen_can_be_translated() -> None:
    """A text in Vietnamese inside the code or a template never went through `_()`."""
    found = []
    for path in [*sources(".py", ".js"), *templates()]:
        inside = path.relative_to(ROOT).as_posix()
        if inside.startswith(VIETNAMESE_PLACES):
            continue
        for number, line in enumerate(without_prose(path).splitlines(), start=1):
            # A switch of languages calls each by its own name.
            if VIETNAMESE.search(line.replace("Tiếng Việt", "")):
                found.append(f"{inside}:{number}: {line.strip()[:100]}")
    assert not found, listed(found)


# Below these places an instant is handed in, or a test could not say when it happens.
CLOCK = re.compile(
    r"\b(?:datetime|date)\.(?:now|utcnow|today)\(|\butcnow\(\)|\btime\.time\(|\bfunc\.now\(|CURRENT_TIMESTAMP"
)


def test_no_test_asserts_how_long_something_took() -> None:
    """The machines are noisy: programs under `tests/load` measure, tests count statements."""
    timed = re.compile(r"assert .*\b(?:monotonic|perf_counter|process_time)\(\) - ")
    found = [
        f"{place}: {line.strip()}"
        for path in sorted((ROOT / "tests").rglob("test_*.py"))
        for place, line in lines(path)
        if timed.search(line)
    ]
    assert not found, listed(found)


def test_the_domains_are_told_the_time() -> None:
    found = [
        f"{place}: {line.strip()}"
        for path in sources(".py")
        if path.relative_to(ROOT).parts[0] in {"rooms", "minutes"}
        for place, line in lines(path)
        if CLOCK.search(line) and path.relative_to(ROOT).as_posix() != "rooms/kernel.py"
    ]
    assert not found, listed(found)


def test_every_instant_is_aware() -> None:
    """`datetime.now()` without a zone and `utcnow` make instants that mean nothing elsewhere."""
    naive = re.compile(r"\bdatetime\.(?:now\(\)|utcnow\(|utcfromtimestamp\()")
    found = [
        f"{place}: {line.strip()}"
        for path in sources(".py")
        if path != Path(__file__)
        for place, line in lines(path)
        if naive.search(line)
    ]
    assert not found, listed(found)


def test_only_two_places_know_which_database_it_is() -> None:
    """What differs by dialect stands in `database.py` and `search.py`."""
    asks = re.compile(r"\bdialect\.name\b|sqlalchemy\.dialects\b")
    allowed = {
        "rooms/kernel.py",  # the type of an instant is bound to its dialect
        "meetings_server/database.py",
        "meetings_server/doctor.py",  # tells which one it found
        "minutes/search.py",
    }
    found = [
        f"{place}: {line.strip()}"
        for path in sources(".py")
        if path.relative_to(ROOT).parts[0] in {"rooms", "minutes", "meetings_server"}
        and "migrations" not in path.parts
        and path.relative_to(ROOT).as_posix() not in allowed
        for place, line in lines(path)
        if asks.search(line)
    ]
    assert not found, listed(found)


@pytest.mark.parametrize("folder", ["load", "faults"])
def test_every_measuring_program_is_run_and_described(folder: str) -> None:
    """`make` runs it at full size, and the page tells what it shows and what was last seen."""
    rules = (ROOT / "Makefile").read_text()
    calls = rules[rules.index(f"\n{folder}: ") :].partition("\n\n")[0]
    page = (ROOT / "tests/load/README.md").read_text()
    programs = {
        path.stem
        for path in (ROOT / "tests" / folder).glob("*.py")
        if "__main__" in path.read_text()
    }
    assert programs
    for name in programs:
        assert re.search(rf"\b{name}\b", calls), f"make {folder} leaves out {name}"
        assert re.search(rf"`{name}\b", page), f"tests/load/README.md does not describe {name}"


def test_every_vendored_library_brings_its_licence() -> None:
    vendor = ROOT / "static" / "vendor"
    bare = [
        folder.name
        for folder in sorted(vendor.iterdir())
        if folder.is_dir() and not list(folder.glob("LICEN[CS]E*"))
    ]
    assert not bare, listed(bare)
