"""A sheet as PDF, laid out by Typst from `document.typ` with the fonts beside it."""

import dataclasses
import json
import re
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import typst

from minutes.forms.glyphs import legible
from minutes.forms.sheet import Sheet

FOLDER = Path(str(files("minutes.forms")))
TEMPLATE = "document.typ"
# Typst breaks lines at blanks only: a longer run without one would leave its table cell or the
# paper. A Vietnamese syllable has at most seven letters.
LONGEST_RUN = 16
ENDLESS_RUN = re.compile(rf"\S{{{LONGEST_RUN + 1},}}")
STEP = re.compile(r"\S{8}(?=\S)")
BREAK_HERE = "\N{ZERO WIDTH SPACE}"


@cache
def fonts() -> typst.Fonts:
    """Only the fonts that come with this package: the same paper on every machine."""
    return typst.Fonts(
        include_system_fonts=False,
        include_embedded_fonts=False,
        font_paths=[FOLDER / "fonts"],
    )


def render_pdf(sheet: Sheet) -> bytes:
    """The same sheet gives the same bytes. Safe from several threads: nothing is shared."""
    words = json.dumps(drawable(dataclasses.asdict(sheet)), ensure_ascii=False)
    compiler = typst.Compiler(
        (FOLDER / TEMPLATE).read_bytes(),
        root=FOLDER,
        font_paths=fonts(),
        ignore_system_fonts=True,
        sys_inputs={"sheet": words},
    )
    pdf = compiler.compile(format="pdf", timestamp=0)
    if not isinstance(pdf, bytes):
        raise TypeError(f"one PDF expected, got {type(pdf).__name__}")
    return pdf


def drawable(value: Any) -> Any:
    """The same structure; its texts have only shapes that the fonts know, and room for breaks."""
    if isinstance(value, str):
        return ENDLESS_RUN.sub(
            lambda run: STEP.sub(rf"\g<0>{BREAK_HERE}", run.group()), legible(value)
        )
    if isinstance(value, dict):
        return {name: drawable(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [drawable(inner) for inner in value]
    return value
