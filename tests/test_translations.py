"""Everything the screen can say is said in Vietnamese, once, with the same placeholders."""

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from importlib import import_module
from pathlib import Path

from babel.messages.catalog import Message
from babel.messages.extract import extract_python
from babel.messages.pofile import read_po
from jinja2.ext import babel_extract

from meetings_server.routes import root_router
from meetings_server.sentences import FIELD_PROBLEMS, SENTENCES
from rooms.kernel import DomainError, FieldInvalid

ROOT = Path(__file__).resolve().parents[1]
SERVER = ROOT / "meetings_server"
VIETNAMESE = SERVER / "translations" / "vi"
# `mark` names a text that is translated later, where it is shown.
KEYWORDS = ["_", "mark", "gettext", "ngettext"]
PLACEHOLDER = re.compile(r"%\(\w+\)[sd]|\{\w*(?:[.!:][^{}]*)?\}")


def asked_for_by(path: Path) -> Iterator[tuple[int, str]]:
    """Line and msgid of each call that translates. Where there is a plural, it is the singular."""
    with path.open("rb") as source:
        found = (
            babel_extract(source, KEYWORDS, [], {"newstyle_gettext": "true", "silent": "false"})
            if path.suffix == ".html"
            else extract_python(source, dict.fromkeys(KEYWORDS), [], {})
        )
        for line, _function, texts, _comments in found:
            text = texts if isinstance(texts, str) else (texts or ("",))[0]
            if text:
                yield line, text


@cache
def asked_for() -> dict[str, list[str]]:
    """Every text that is translated somewhere → the places, as `path:line`."""
    places: dict[str, list[str]] = defaultdict(list)
    for path in sorted([*SERVER.rglob("*.py"), *(SERVER / "templates").rglob("*.html")]):
        for line, text in asked_for_by(path):
            places[text].append(f"{path.relative_to(ROOT)}:{line}")
    for code, sentence in SENTENCES.items():
        places[sentence].append(f"meetings_server/sentences.py, {code}")
    return dict(places)


@cache
def entries() -> list[tuple[str, Message]]:
    """Every entry of the Vietnamese files with its place."""
    found = []
    for path in sorted(VIETNAMESE.glob("*.po")):
        with path.open("rb") as source:
            catalogue = read_po(source, locale="vi", abort_invalid=True)
        found += [(f"{path.name}:{m.lineno}", m) for m in catalogue if m.id]
    return found


def msgid(message: Message) -> str:
    return message.id if isinstance(message.id, str) else message.id[0]


def translation(message: Message) -> str:
    """Vietnamese has one form for all numbers."""
    said = message.string or ""
    return said if isinstance(said, str) else said[0]


def listed(problems: list[str]) -> str:
    return f"{len(problems)}:\n" + "\n".join(problems)


def test_every_text_is_in_vietnamese() -> None:
    done = {msgid(message) for _place, message in entries() if translation(message).strip()}
    missing = [
        f"{places[0]}: {text!r}"
        for text, places in sorted(asked_for().items(), key=lambda kv: kv[1])
        if text not in done
    ]
    assert not missing, listed(missing)


def refusals(kind: type[DomainError] = DomainError) -> Iterator[type[DomainError]]:
    for below in kind.__subclasses__():
        yield below
        yield from refusals(below)


def test_every_refusal_has_a_sentence() -> None:
    root_router()  # imports every module that refuses something, but what only commands do
    import_module("meetings_server.backups")
    codes = {kind.code for kind in refusals() if kind is not FieldInvalid} - {DomainError.code}
    assert codes == set(SENTENCES)


def test_every_problem_of_a_field_has_a_sentence() -> None:
    named = re.compile(r"""(?:FieldInvalid|\.fail)\(\s*[^,()]+,\s*"(\w+)\"""")
    used = {
        problem
        for name in ("rooms", "minutes", "meetings_server")
        for path in (ROOT / name).rglob("*.py")
        for problem in named.findall(path.read_text(encoding="utf-8"))
    }
    assert used - set(FIELD_PROBLEMS) == set()


def test_no_translation_is_a_guess() -> None:
    fuzzy = [f"{place}: {msgid(message)!r}" for place, message in entries() if message.fuzzy]
    assert not fuzzy, listed(fuzzy)


def test_translations_keep_the_placeholders() -> None:
    wrong = []
    for place, message in entries():
        forms = [message.id] if isinstance(message.id, str) else list(message.id)
        # A plural may leave the number out of one form, such as "one unit".
        known = set().union(*(PLACEHOLDER.findall(form) for form in forms))
        used = set(PLACEHOLDER.findall(translation(message)))
        lost = set(PLACEHOLDER.findall(forms[-1])) - used
        if used - known or lost:
            wrong.append(f"{place}: {msgid(message)!r} → {translation(message)!r}")
    assert not wrong, listed(wrong)


def test_a_text_has_one_translation() -> None:
    """All files are merged, so a text that stands in two must read the same in both."""
    readings: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for place, message in entries():
        readings[msgid(message)][translation(message)].append(place)
    contradictions = [
        f"{text!r}: " + "; ".join(f"{said!r} ({', '.join(at)})" for said, at in ways.items())
        for text, ways in readings.items()
        if len(ways) > 1
    ]
    assert not contradictions, listed(contradictions)


def written_in(path: Path) -> set[str]:
    """Every string constant of a Python file."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return {
        n.value for n in ast.walk(tree) if isinstance(n, ast.Constant) and isinstance(n.value, str)
    }


def test_no_translation_is_left_over() -> None:
    # A label that a variable carries to `_()` stands as a constant somewhere.
    constants: set[str] = set().union(
        *(
            written_in(path)
            for name in ("rooms", "minutes", "meetings_server")
            for path in (ROOT / name).rglob("*.py")
        )
    )
    templates = "\n".join(
        path.read_text(encoding="utf-8") for path in (SERVER / "templates").rglob("*.html")
    )
    unused = [
        f"{place}: {msgid(message)!r}"
        for place, message in entries()
        if msgid(message) not in asked_for()
        and msgid(message) not in constants
        and f'"{msgid(message)}"' not in templates
        and f"'{msgid(message)}'" not in templates
    ]
    assert not unused, listed(unused)
