"""A document in words and order, before any layout: what the PDF and the DOCX have in common."""

from dataclasses import dataclass, field
from typing import Literal

Align = Literal["left", "center", "right"]


@dataclass(frozen=True, slots=True)
class Head:
    """`superior` and `issuer` are in capitals and may have two lines."""

    superior: str
    issuer: str
    number: str
    place_and_day: str


@dataclass(frozen=True, slots=True)
class Heading:
    """`level`: 1 for a section, 2 for a point within it."""

    text: str
    level: int = 1
    kind: Literal["heading"] = "heading"


@dataclass(frozen=True, slots=True)
class Paragraph:
    text: str
    italic: bool = False
    kind: Literal["paragraph"] = "paragraph"


@dataclass(frozen=True, slots=True)
class Column:
    """`width`: share of the table's width."""

    title: str
    width: float
    align: Align = "left"


@dataclass(frozen=True, slots=True)
class RowGroup:
    """Rows under one heading of their own; "" for none."""

    title: str
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class Table:
    """`compact`: small print in two columns of the page, for lists of hundreds."""

    columns: tuple[Column, ...]
    groups: tuple[RowGroup, ...]
    compact: bool = False
    kind: Literal["table"] = "table"


Block = Heading | Paragraph | Table


@dataclass(frozen=True, slots=True)
class Signature:
    """`offices`: lines in capitals above the signature."""

    offices: tuple[str, ...]
    name: str


@dataclass(frozen=True, slots=True)
class Appendix:
    title: str
    subject: str
    reference: str
    blocks: tuple[Block, ...]


@dataclass(frozen=True, slots=True)
class Sheet:
    """`signatures`: one stands on the right beside nơi nhận; of two, nơi nhận comes below."""

    language: Literal["vi"]
    name: str
    head: Head
    title: str
    subject: str
    watermark: str
    blocks: tuple[Block, ...]
    signatures: tuple[Signature, ...]
    recipients: tuple[str, ...]
    appendices: tuple[Appendix, ...] = field(default=())
