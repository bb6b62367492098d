"""Figures 2 to 7 of the paper as tables: our points in each line, the paper's numbers and statement beside them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from statistics import fmean
from typing import Any

from evaluation import figures
from evaluation.benchmarks import BENCHMARKS
from evaluation.figures import FIGURES, HIGH_RESOURCE, LOW_RESOURCE, SEVEN_LANGUAGES, PaperFigure, Point, figures_of
from evaluation.report_shapes import OURS, PUBLISHED, Cell, Line, PaperTable, Section
from evaluation.report_tables import place_of, shown
from evaluation.results import row_of
from evaluation.summaries import told_seeds

NAMED = 5  # checkpoints that are left out, by name
# What the paper says in words, section 5.1.
SAYS: Mapping[int, str] = {
    2: "accuracy falls from 71.8 (7 languages) to 67.7 (100) on Wikipedia; low-resource languages gain up to 15",
    3: "all models trained on CommonCrawl are significantly better, low-resource languages most",
    4: "a hidden size of 960 brings 30 languages on par with 7 at 768; 1,152 is not enough for 100",
    5: "a higher alpha helps high-resource languages and harms low-resource ones; 0.3 is best over all (Wikipedia, 100 "
    "languages)",
    6: "+2.8 from 32 thousand to 256 thousand pieces at a fixed number of parameters; more than +3 from 128 thousand "
    "to 512 thousand at the same width (Wikipedia, 100 languages)",
    7: "larger batches are better; no loss from SentencePiece on raw text (that comparison needs models with another "
    "tokenizer and is not drawn here)",
}
XLM_100_WIKI = 67.7  # section 5.1; its languages are not published
X_NAMES: Mapping[str, str] = {"corpus": "corpus", "languages": "languages", "alpha": "alpha",
                              "vocabulary_size": "vocabulary", "batch_blocks": "blocks an update"}  # fmt: skip
CHOSEN_BY = {"source": "the English dev set", "joint": "all dev sets", "per-language": "each language's dev set"}
TOLD: Mapping[str, Callable[[Any], str]] = {
    "corpus": lambda value: str(value),
    "languages": lambda value: f"{value} languages",
    "alpha": lambda value: f"alpha {value:g}",
    "vocabulary_size": lambda value: f"vocabulary {value:,}",
    "hidden_size": lambda value: f"hidden {value:,}",
    "layers": lambda value: f"{value} layers",
    "batch_blocks": lambda value: f"{value:,} blocks an update",
    "checkpoint_step": lambda value: f"{value:,} updates",
    "selection": lambda value: f"epoch chosen by {CHOSEN_BY[value]}",
}


@dataclass(frozen=True, slots=True)
class PaperPoint:
    """A number of the paper; `corpus` is its D."""

    x: float | str
    label: str
    high_resource: float | None
    low_resource: float | None
    average: float


@dataclass(frozen=True, slots=True)
class ShownFigure:
    """A figure for a reader: its table, what each of its lines is called in the plot, the paper's numbers."""

    figure: PaperFigure
    table: PaperTable
    labels: tuple[str, ...]
    paper: tuple[PaperPoint, ...]


def shown_figures(rows: Sequence[Mapping[str, Any]]) -> list[ShownFigure]:
    """The figures for which these scores have two points; each average leads to the first of its scores."""
    targets = _targets(rows)
    return [_shown(figure, targets) for figure in figures_of(rows)]


def not_drawn(rows: Sequence[Mapping[str, Any]]) -> str:
    """Which figures are missing beside those that are there, and what they need; "" where none is drawn."""
    drawn = {figure.number for figure in figures_of(rows)}
    missing = [f"{number} ({FIGURES[number].by})" for number in FIGURES if number not in drawn]
    if not drawn or not missing:
        return ""
    return ("Not drawn, since no two checkpoints differ in what the figure is about and are the same in all else: "
            f"figure{'s' * (len(missing) > 1)} {', '.join(missing)}.")  # fmt: skip


def as_plain(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The figures as values for a program: means over seeds, null where a group was not scored whole."""
    return [
        {
            "figure": each.figure.number,
            "title": each.figure.title,
            "x": each.figure.x,
            "languages": list(each.figure.languages),
            "lines": [{"same": dict(line.same), "kind": line.kind, "points": [_plain(point) for point in line.points]}
                      for line in each.figure.lines],
            "left_out": {why: list(names) for why, names in each.figure.left_out.items()},
            "paper": [asdict(point) for point in each.paper],
            "paper_says": SAYS[each.figure.number],
        }
        for each in shown_figures(rows)
    ]  # fmt: skip


def _plain(point: Point) -> dict[str, Any]:
    means = {name: fmean(values) if (values := getattr(point, name)) else None
             for name in ("high_resource", "low_resource", "average")}  # fmt: skip
    return asdict(point) | means


def _shown(figure: PaperFigure, targets: Mapping[tuple[str, str, str], str]) -> ShownFigure:
    sections = []
    for line in figure.lines:
        told = ", ".join(filter(None, (line.kind, _told(line.same, TOLD))))
        selection = str(line.same["selection"])
        lines = tuple(_line(point, figure, selection, targets) for point in line.points)
        sections.append(Section(told, lines))
    paper = _paper(figure.number)
    if paper:
        sections.append(Section("The paper", tuple(_paper_line(each) for each in paper)))
    columns = (X_NAMES[figure.x], ", ".join(HIGH_RESOURCE), ", ".join(LOW_RESOURCE), "Avg")
    title = f"Figure {figure.number}: {figure.title}"
    table = PaperTable(title, (), columns, tuple(sections), _notes(figure))
    return ShownFigure(figure, table, _labels(figure), paper)


def _targets(rows: Iterable[Mapping[str, Any]]) -> dict[tuple[str, str, str], str]:
    """checkpoint, selection and language -> the place of the score."""
    found: dict[tuple[str, str, str], str] = {}
    for stored in rows:
        row, model = row_of(stored), str(stored.get("checkpoint_name", ""))
        if row.benchmark == "xnli" and row.setting == "transfer" and row.headline:
            found.setdefault((model, row.selection, row.language), place_of(row, model))
    return found


def _line(point: Point, figure: PaperFigure, selection: str, targets: Mapping[tuple[str, str, str], str]) -> Line:
    groups = ((HIGH_RESOURCE, point.high_resource), (LOW_RESOURCE, point.low_resource),
              (figure.languages, point.average))  # fmt: skip
    cells = [Cell(shown(values), targets.get((point.checkpoint, selection, languages[0]), "")) if values else Cell()
             for languages, values in groups]  # fmt: skip
    label = f"{point.checkpoint} ({told_seeds(point.seeds, point.failed, point.collapsed)})"
    return Line(OURS, label, (), (Cell(told_x(figure.x, point.x)), *cells))


def told_x(x: str, value: float | str) -> str:
    return str(value) if isinstance(value, str) else f"{value:g}" if x == "alpha" else f"{value:,}"


def _told(tags: Mapping[str, Any], names: Iterable[str]) -> str:
    """`CC, 7 languages, alpha 0.3`; what rows do not say is called so."""
    return ", ".join(TOLD[name](tags[name]) if tags[name] is not None else f"{X_NAMES.get(name, name)} not recorded"
                     for name in names if name in TOLD and name in tags)  # fmt: skip


def _labels(figure: PaperFigure) -> tuple[str, ...]:
    """What sets each line apart from the others."""
    apart = [name for name in figures.SAME if len({repr(line.same.get(name, "")) for line in figure.lines}) > 1]
    kinds = len({line.kind for line in figure.lines}) > 1
    made = [", ".join(filter(None, (line.kind if kinds else "", _told(line.same, apart)))) for line in figure.lines]
    return tuple(label or f"line {number}" for number, label in enumerate(made, 1)) if len(made) > 1 else ("",)


def _paper_line(point: PaperPoint) -> Line:
    known = (point.high_resource, point.low_resource, point.average)
    x = Cell(point.x if isinstance(point.x, str) else f"{point.x:,}")
    return Line(
        PUBLISHED, point.label, (), (x, *(Cell() if value is None else Cell(f"{value:.1f}") for value in known))
    )


def _paper(number: int) -> tuple[PaperPoint, ...]:
    """What is printed in the text and in table 5; the figures themselves print no numbers."""
    seven = {row.corpus: _of_table_5(row.scores, row.corpus) for row in BENCHMARKS["xnli"].published
             if row.table == "5" and row.setting == "transfer"}  # fmt: skip
    if number == 3:
        return tuple(seven.values())
    hundred = PaperPoint(100, "XLM-100, Wiki", None, None, XLM_100_WIKI)
    counted = [PaperPoint(7, each.label, each.high_resource, each.low_resource, each.average)
               for each in seven.values()]  # fmt: skip
    return {2: (counted[0], hundred, counted[1]), 4: (counted[0], hundred)}.get(number, ())


def _of_table_5(scores: Mapping[str, float], corpus: str) -> PaperPoint:
    means = [fmean(scores[name] for name in names) for names in (HIGH_RESOURCE, LOW_RESOURCE, SEVEN_LANGUAGES)]
    return PaperPoint(corpus, f"XLM-7, {corpus}", *means)


def _notes(figure: PaperFigure) -> tuple[str, ...]:
    """The paper's statement, our differences beside it, what the average is of, what is left out."""
    notes = [f"The paper: {SAYS[figure.number]}."]
    for line, label in zip(figure.lines, _labels(figure), strict=True):
        if said := _difference(figure.x, line.points):
            notes.append(f"Here{f' ({label})' if label else ''}: {said}.")
    few = " (of the paper's seven, those that all of these were scored on)"
    named = ", ".join(figure.languages) + (few if len(figure.languages) < len(SEVEN_LANGUAGES) else "")
    notes.append(f"XNLI accuracy, transfer from English, mean over seeds. Avg: {named or 'no common language'}.")
    for why, names in figure.left_out.items():
        more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
        notes.append(f"Left out, {why.replace('_', ' ')}: {', '.join(names[:NAMED])}{more}.")
    return tuple(notes)


def _difference(x: str, points: Sequence[Point]) -> str:
    """From the first to the last x."""
    first, last = ([point for point in points if point.x == points[end].x] for end in (0, -1))
    if points[0].x == points[-1].x:
        return ""
    told = []
    for name, what in (("average", "average"), ("high_resource", "high-resource"), ("low_resource", "low-resource")):
        ends = [[fmean(values) for point in part if (values := getattr(point, name))] for part in (first, last)]
        if all(ends):
            told.append(f"{what} {fmean(ends[1]) - fmean(ends[0]):+.1f}")
    step = f"from {told_x(x, points[0].x)} to {told_x(x, points[-1].x)}"
    return f"{step} {', '.join(told)}" if told else ""
