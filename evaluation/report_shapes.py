"""What a table of a report is made of, in any format."""

from __future__ import annotations

from dataclasses import dataclass

NOTHING = "–"
OURS, PUBLISHED, BASELINE = "ours", "published", "baseline"  # kinds of lines


@dataclass(frozen=True, slots=True)
class Cell:
    """A number as shown; `target` is the place of the score that it comes from, in the list of all scores."""

    text: str = NOTHING
    target: str = ""


@dataclass(frozen=True, slots=True)
class Line:
    """A row: who, the table's facts on it (such as #M), and its cells, the average last."""

    kind: str
    label: str
    facts: tuple[str, ...]
    cells: tuple[Cell, ...]


@dataclass(frozen=True, slots=True)
class Section:
    title: str
    lines: tuple[Line, ...]


@dataclass(frozen=True, slots=True)
class PaperTable:
    """`facts` and `columns` are the header; the last column is the average."""

    title: str
    facts: tuple[str, ...]
    columns: tuple[str, ...]
    sections: tuple[Section, ...]
    notes: tuple[str, ...]
