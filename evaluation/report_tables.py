"""Scores in the shape of the paper's tables: our rows beside the published ones, chance and baselines below them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import fmean, stdev
from typing import Any

from evaluation.benchmark import Benchmark, Published
from evaluation.benchmarks import BENCHMARKS, glue
from evaluation.results import ResultRow, row_of
from evaluation.settings import ONE_FOR_ALL, SELECTIONS, SETTINGS

NOTHING = "–"
TABLE_5 = ("en", "fr", "de", "ru", "zh", "sw", "ur")
GLUE_COLUMNS = ("MNLI-m/mm", "QNLI", "QQP", "SST", "MRPC", "STS-B")
OURS, PUBLISHED, BASELINE = "ours", "published", "baseline"


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


@dataclass(slots=True)
class OurScores:
    """Rows of one model, benchmark, setting and selection: (test set, metric) -> a row for each seed.

    `model` is "" where there is only one; `languages` are those that it was pretrained on, 0 if that is not known.
    """

    model: str
    setting: str
    selection: str
    languages: int
    found: dict[tuple[str, str], list[ResultRow]] = field(default_factory=dict)

    def values(self, language: str, metric: str) -> list[float]:
        return [row.value for row in self.found.get((language, metric), [])]

    def seeds(self) -> int:
        return max(len(rows) for rows in self.found.values())

    @property
    def label(self) -> str:
        return self.model or "this model"

    def any_row(self) -> ResultRow:
        return next(iter(self.found.values()))[0]


def place_of(row: ResultRow, model: str = "") -> str:
    """An anchor of a score in the list of all scores."""
    parts = ("s", *((model,) if model else ()), *row.place)
    return "-".join("".join(c if c.isalnum() or c in "_-." else "-" for c in part) for part in parts)


def tables_of(rows: Iterable[Mapping[str, Any]], languages: int = 0) -> list[PaperTable]:
    """The paper's tables that we have a score for, then one for each other benchmark.

    `languages` is the number of languages of our corpus (#lg); of several models each row says its own.
    """
    ours = _grouped(rows, languages)
    found = [_table_1_to_3(name, ours[name]) for name in ("xnli", "ner", "mlqa") if name in ours]
    if any(name in ours for name in glue.TABLE_4):
        found.append(_table_4(ours))
    if "xnli" in ours and any(each.values(name, "accuracy") for each in ours["xnli"] for name in TABLE_5):
        found.append(_table_5(ours["xnli"]))
    shown = {"xnli", "ner", "mlqa", *glue.TABLE_4}
    return found + [
        _other_table(BENCHMARKS[name], ours[name]) for name in BENCHMARKS if name in ours and name not in shown
    ]


def _grouped(rows: Iterable[Mapping[str, Any]], languages: int) -> dict[str, list[OurScores]]:
    found: dict[str, dict[tuple[str, str, str], OurScores]] = {}
    for stored in rows:
        row = row_of(stored)
        key = (str(stored.get("checkpoint_name", "")), row.setting, row.selection)
        scores = found.setdefault(row.benchmark, {}).setdefault(
            key, OurScores(*key, int(stored.get("languages") or languages))
        )
        scores.found.setdefault((row.language, row.metric), []).append(row)
    return {name: list(groups.values()) for name, groups in found.items()}


def _in_order(lines: Iterable[Line]) -> tuple[Line, ...]:
    """Published rows, models, then what needs no model, each of these once."""
    kinds = (PUBLISHED, OURS, BASELINE)
    return tuple(dict.fromkeys(sorted(lines, key=lambda line: kinds.index(line.kind))))


def _table_1_to_3(name: str, ours: list[OurScores]) -> PaperTable:
    benchmark = BENCHMARKS[name]
    columns = list(benchmark.paper)
    facts = {"xnli": ("D", "#M", "#lg"), "ner": ("train", "#M"), "mlqa": ("train", "#lgs")}[name]
    sections = []
    for setting in benchmark.settings if name == "xnli" else ("",):
        published = [row for row in benchmark.published if row.table != "5" and setting in ("", row.setting)]
        own = [each for each in ours if setting in ("", each.setting)]
        lines = [_published_line(row, columns, facts, benchmark.places) for row in published]
        for each in own:
            lines += _own_lines(benchmark, each, columns, _own_facts(facts, each))
        sections.append(Section(SETTINGS[setting] if setting else "", _in_order(lines)))  # type: ignore[index]
    return PaperTable(benchmark.title, facts, (*columns, "Avg"), tuple(sections), _notes(benchmark, ours))


def _table_5(ours: list[OurScores]) -> PaperTable:
    benchmark, facts = BENCHMARKS["xnli"], ("D", "#vocab")
    settings = ("translate-train", "transfer", "translate-train-all")
    sections = []
    for setting in settings:
        published = [row for row in benchmark.published if row.table == "5" and row.setting == setting]
        lines = [_published_line(row, TABLE_5, ("D", "#M")) for row in published]
        for each in ours:
            if each.setting == setting:
                lines += _own_lines(benchmark, each, TABLE_5, ("ours", NOTHING))
        sections.append(Section(SETTINGS[setting], _in_order(lines)))  # type: ignore[index]
    return PaperTable("Multilingual and monolingual models on XNLI (table 5)", facts, (*TABLE_5, "Avg"),
                      tuple(sections), _notes(benchmark, ours))  # fmt: skip


def _table_4(ours: Mapping[str, list[OurScores]]) -> PaperTable:
    lines = []
    for system in glue.PAPER:
        row = next(row for row in BENCHMARKS["mnli"].published if row.system == system)
        cells = [_glue_published(name, system) for name in glue.TABLE_4]
        average = Cell(f"{glue.AVERAGES[system]:.1f}")
        lines.append(Line(PUBLISHED, system, (str(row.languages),), (*cells, average)))
    every = [(name, each) for name in glue.TABLE_4 for each in ours.get(name, ())]
    for model in dict.fromkeys(each.model for _, each in every):
        lines += _glue_lines({name: each for name, each in reversed(every) if each.model == model})
    notes = [note for name, each in every for note in _notes(BENCHMARKS[name], [each])]
    return PaperTable("GLUE dev sets (table 4)", ("#lgs",), (*GLUE_COLUMNS, "Avg"), (Section("", _in_order(lines)),),
                      tuple(dict.fromkeys(notes)))  # fmt: skip


def _glue_lines(own: Mapping[str, OurScores]) -> list[Line]:
    """One model's row over the tasks, and below it what needs no model."""
    any_scores = next(iter(own.values()))
    kinds: Sequence[tuple[str, str, Callable[[ResultRow], float | None]]] = (
        (OURS, f"{any_scores.label} ({_seeds(own.values())})", lambda row: row.value),
        (BASELINE, "most frequent label, or mean", lambda row: row.baseline),
        (BASELINE, "a random answer", lambda row: row.chance),
    )
    lines = []
    for kind, label, value in kinds:
        cells, means = [], []
        for name in glue.TABLE_4:
            cell, mean = _glue_cell(name, own.get(name), value, linked=kind == OURS)
            cells.append(cell)
            means += mean
        facts = (str(any_scores.languages or "") if kind == OURS else "",)
        lines.append(Line(kind, label, facts, (*cells, _average(means, 6))))
    return lines


def _glue_published(name: str, system: str) -> Cell:
    row = next(row for row in BENCHMARKS[name].published if row.system == system)
    return Cell("/".join(f"{value:.1f}" for value in row.scores.values()))


def _glue_cell(
    name: str, each: OurScores | None, value: Callable[[ResultRow], float | None], *, linked: bool
) -> tuple[Cell, list[float]]:
    """The cell, and the one number that enters the average (of MNLI the matched set's, as in the paper's rows)."""
    if each is None:
        return Cell(), []
    metric, texts, means, target = BENCHMARKS[name].headline, [], [], ""
    for language in ("en-matched", "en-mismatched") if name == "mnli" else ("en",):
        rows = each.found.get((language, metric), [])
        values = [found for row in rows if (found := value(row)) is not None]
        texts.append(_shown(values if linked else values[:1]))
        means += [fmean(values)] if values else []
        target = target or (place_of(rows[0], each.model) if rows and linked else "")
    return Cell("/".join(texts), target), means[:1]


def _other_table(benchmark: Benchmark, ours: list[OurScores]) -> PaperTable:
    """Test sets as rows: there may be a hundred."""
    columns = ("score", *(metric.name for metric in benchmark.metrics[1:]), "baseline", "random", "examples")
    sections = []
    for each in ours:
        lines = []
        for language in sorted({language for language, _ in each.found}):
            rows = each.found[(language, benchmark.headline)]
            cells = [_cell(each, language, metric.name) for metric in benchmark.metrics]
            cells += [_plain(rows[0].baseline), _plain(rows[0].chance), Cell(f"{rows[0].examples:,}")]
            lines.append(Line(OURS, language, (), tuple(cells)))
        means = [fmean(each.values(language, benchmark.headline)) for language, metric in each.found
                 if metric == benchmark.headline]  # fmt: skip
        empty = (Cell(""),) * (len(columns) - 1)
        lines.append(Line(OURS, f"mean of {len(means)}", (), (_average(means, len(means)), *empty)))
        named = f"{each.model}: " if each.model else ""
        title = f"{named}{SETTINGS[each.setting]}; {_chosen(each)}; {_seeds([each])}"  # type: ignore[index]
        sections.append(Section(title, tuple(lines)))
    return PaperTable(benchmark.title, (), columns, tuple(sections), _notes(benchmark, ours))


def _published_line(row: Published, columns: Sequence[str], facts: Sequence[str], places: int = 1) -> Line:
    known = {"D": row.corpus, "#M": row.models, "#lg": str(row.languages or ""), "#lgs": str(row.languages or ""),
             "train": {"transfer": "en"}.get(row.setting, row.setting)}  # fmt: skip
    cells = [_pair(row.scores.get(name), row.second.get(name), places) for name in columns]
    average = _pair(row.average, row.second_average, places)
    return Line(PUBLISHED, row.system, tuple(known[name] for name in facts), (*cells, average))


def _pair(first: float | None, second: float | None, places: int) -> Cell:
    known = [f"{value:.{places}f}" for value in (first, second) if value is not None]
    return Cell(" / ".join(known)) if known else Cell()


def _own_facts(facts: Sequence[str], each: OurScores) -> tuple[str, ...]:
    many = each.setting in ("each", "translate-train") or each.selection == "per-language"
    train = {"transfer": each.any_row().trained_on}.get(each.setting, each.setting)
    languages = str(each.languages or "")
    known = {"D": "ours" if languages else NOTHING, "#M": "N" if many else "1", "#lg": languages, "#lgs": languages,
             "train": train}  # fmt: skip
    return tuple(known[name] for name in facts)


def _own_lines(benchmark: Benchmark, each: OurScores, columns: Sequence[str], facts: tuple[str, ...]) -> list[Line]:
    """Ours, and below it what needs no model."""
    metrics = [metric.name for metric in benchmark.metrics]
    cells = [_joined([_cell(each, name, metric) for metric in metrics]) for name in columns]
    averages = []
    for metric in metrics:
        means = [fmean(values) for name in columns if (values := each.values(name, metric))]
        averages.append(_average(means, len(columns), benchmark.places))
    first = {name: rows[0] for name in columns if (rows := each.found.get((name, benchmark.headline)))}
    lines = [Line(OURS, f"{each.label} ({_seeds([each])}; {_chosen(each)})", facts, (*cells, _joined(averages)))]
    kinds = ((each.any_row().baseline_is, "baseline"), ("a random answer", "chance"))
    for label, name in kinds:
        known: dict[str, float] = {
            language: value for language, row in first.items() if (value := getattr(row, name)) is not None
        }
        if label and any(known.values()):
            shown = [_plain(known.get(language), benchmark.places) for language in columns]
            average = _average(list(known.values()), len(columns), benchmark.places)
            lines.append(Line(BASELINE, label, ("",) * len(facts), (*shown, average)))
    return lines


def _cell(each: OurScores, language: str, metric: str) -> Cell:
    rows = each.found.get((language, metric), [])
    if not rows:
        return Cell()
    return Cell(
        _shown([row.value for row in rows], BENCHMARKS[rows[0].benchmark].places), place_of(rows[0], each.model)
    )


def _joined(cells: Sequence[Cell]) -> Cell:
    known = [cell for cell in cells if cell.text != NOTHING]
    return Cell(" / ".join(cell.text for cell in known), known[0].target) if known else Cell()


def _plain(value: float | None, places: int = 1) -> Cell:
    return Cell() if value is None else Cell(f"{value:.{places}f}")


def _shown(values: Sequence[float], places: int = 1) -> str:
    """The mean over seeds with their deviation."""
    if not values:
        return NOTHING
    return f"{fmean(values):.{places}f}" + (f" ± {stdev(values):.{places}f}" if len(values) > 1 else "")


def _average(values: Sequence[float], wanted: int, places: int = 1) -> Cell:
    """Said of how many, where some are missing."""
    if not values:
        return Cell()
    return Cell(f"{fmean(values):.{places}f}" + (f" ({len(values)} of {wanted})" if len(values) < wanted else ""))


def _seeds(every: Iterable[OurScores]) -> str:
    seeds = max((each.seeds() for each in every), default=0)
    return "1 seed" if seeds == 1 else f"{seeds} seeds"


def _chosen(each: OurScores) -> str:
    if each.selection not in SELECTIONS:
        return "nothing is chosen"
    by = {"source": "its own dev set" if each.setting not in (*ONE_FOR_ALL, "transfer", "translate-test") else
          f"{each.any_row().trained_on} dev alone", "joint": "the mean of all dev sets",
          "per-language": "each language's dev set"}[each.selection]  # fmt: skip
    held = ", held out from train" if each.any_row().dev == "held out from train" else ""
    return f"epoch chosen by {by}{held}"


def _notes(benchmark: Benchmark, ours: Iterable[OurScores]) -> tuple[str, ...]:
    """Licence, which part was scored, and the flags of the rows."""
    rows = [row for each in ours for found in each.found.values() for row in found]
    notes = [f"Data: {benchmark.licence} ({benchmark.home})."]
    if any(row.scored == "dev" for row in rows):
        notes.append(f"{benchmark.name}: the dev set is what was scored.")
    flagged: dict[str, list[str]] = {}
    for row in rows:
        for flag in row.flags:
            flagged.setdefault(flag, []).append(row.language)
    notes += [f"{benchmark.name}: {flag} ({', '.join(dict.fromkeys(names))})." for flag, names in flagged.items()]
    return tuple(notes)
