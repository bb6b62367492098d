"""Scores in the shape of the paper's tables: our rows beside the published ones, chance and baselines below them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from statistics import fmean, stdev
from typing import Any

from evaluation.benchmark import Benchmark, Published
from evaluation.benchmarks import BENCHMARKS, glue
from evaluation.figures import SEVEN_LANGUAGES, corpus_of
from evaluation.report_shapes import BASELINE, NOTHING, OURS, PUBLISHED, Cell, Line, PaperTable, Section
from evaluation.results import ResultRow, row_of
from evaluation.settings import ONE_FOR_ALL, SELECTIONS, SETTINGS, Setting
from evaluation.summaries import is_collapsed, told_seeds

TABLE_5: dict[Setting, str] = {
    "translate-train": "monolingual baselines: a model pretrained and trained on each language",
    "transfer": "multilingual models, " + SETTINGS["transfer"],
    "translate-train-all": "multilingual models, " + SETTINGS["translate-train-all"],
}
# What monolingual models of one row have in common.
KIND = ("release", "vocabulary_size", "hidden_size", "layers", "alpha", "batch_blocks", "checkpoint_step")
GLUE_COLUMNS = ("MNLI-m/mm", "QNLI", "QQP", "SST", "MRPC", "STS-B")


@dataclass(frozen=True, slots=True)
class Pretrained:
    """What is known of a model: "" and 0 where that is not.  `kind` is what monolingual ones of a row share."""

    languages: int
    corpus: str
    vocabulary: int
    only_language: str
    kind: tuple[Any, ...]


@dataclass(slots=True)
class OurScores:
    """Rows of one model, benchmark, setting and selection: (test set, metric) -> a row for each seed.

    `model` is "" where there is only one.
    """

    model: str
    setting: str
    selection: str
    known: Pretrained
    found: dict[tuple[str, str], list[ResultRow]] = field(default_factory=dict)
    failed: set[int] = field(default_factory=set)

    def values(self, language: str, metric: str) -> list[float]:
        return [row.value for row in self.found.get((language, metric), [])]

    def seeds(self) -> int:
        return max(len(rows) for rows in self.found.values())

    def collapsed(self) -> int:
        """Seeds that have learned nothing that shows in any of their test sets."""
        alive = {row.seed for rows in self.found.values() for row in rows if not is_collapsed(row)}
        return len({row.seed for rows in self.found.values() for row in rows} - alive)

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
    if "xnli" in ours and any(each.values(name, "accuracy") for each in ours["xnli"] for name in SEVEN_LANGUAGES):
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
        scores = found.setdefault(row.benchmark, {}).setdefault(key, OurScores(*key, _origin(stored, languages)))
        scores.found.setdefault((row.language, row.metric), []).append(row)
        scores.failed.update(stored.get("failed_seeds", ()))
    return {name: list(groups.values()) for name, groups in found.items()}


def _origin(stored: Mapping[str, Any], languages: int) -> Pretrained:
    return Pretrained(
        int(stored.get("languages") or languages), corpus_of(stored.get("release") or ""),
        int(stored.get("vocabulary_size") or 0), stored.get("only_language") or "",
        tuple(stored.get(name) for name in KIND),
    )  # fmt: skip


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
    """Monolingual models, as many as there are in a row; multilingual ones by setting."""
    benchmark = BENCHMARKS["xnli"]
    alone = _monolingual(ours)
    sections = []
    for setting, title in TABLE_5.items():
        published = [row for row in benchmark.published if row.table == "5" and row.setting == setting]
        lines = [_published_table_5(row) for row in published]
        if setting == "translate-train":
            lines += [_monolingual_line(models) for models in alone]
        else:
            for each in sorted(ours, key=lambda each: each.known.languages):
                if each.setting == setting and not each.known.only_language:
                    lines += _own_lines(benchmark, each, SEVEN_LANGUAGES, _table_5_facts(each))
        sections.append(Section(title, _in_order(lines)))
    named = ["Monolingual: " + ", ".join(f"{name} {each.label}" for name, each in models.items()) + "."
             for models in alone]  # fmt: skip
    return PaperTable("Multilingual and monolingual models on XNLI (table 5)", ("D", "#vocab", "#lg"),
                      (*SEVEN_LANGUAGES, "Avg"), tuple(sections), (*named, *_notes(benchmark, ours)))  # fmt: skip


def _published_table_5(row: Published) -> Line:
    line = _published_line(row, SEVEN_LANGUAGES, ("D", "#M"))  # its #M holds the size of the vocabulary
    return replace(line, facts=(*line.facts, "1" if row.setting == "translate-train" else "7"))


def _table_5_facts(each: OurScores) -> tuple[str, ...]:
    corpus = each.known.corpus or ("ours" if each.known.languages else NOTHING)
    pieces = each.known.vocabulary
    vocabulary = f"{pieces / 1000:.0f}k" if pieces >= 1000 else str(pieces or NOTHING)
    return corpus, vocabulary, str(each.known.languages or NOTHING)


def _monolingual(ours: Iterable[OurScores]) -> list[dict[str, OurScores]]:
    """Language -> its own model's scores, a dict for each set of models of the same corpus, sizes and training.

    A model of English is the same in transfer as in translate-train.
    """
    found: dict[tuple[Any, ...], list[dict[str, OurScores]]] = {}
    for each in sorted(ours, key=lambda each: each.setting != "translate-train"):
        name = each.known.only_language.split("-")[0]  # zh-Hans is XNLI's zh
        own = ("translate-train", "transfer") if name == "en" else ("translate-train",)
        if name not in SEVEN_LANGUAGES or each.setting not in own or not each.values(name, "accuracy"):
            continue
        sets = found.setdefault((each.known.kind, each.selection), [])
        known = [models[name].model for models in sets if name in models]
        free = next((models for models in sets if name not in models), None)
        if each.model not in known and free is not None:
            free[name] = each
        elif each.model not in known:
            sets.append({name: each})
    return [{name: models[name] for name in SEVEN_LANGUAGES if name in models}
            for sets in found.values() for models in sets]  # fmt: skip


def _monolingual_line(models: Mapping[str, OurScores]) -> Line:
    cells = [_cell(models[name], name, "accuracy") if name in models else Cell() for name in SEVEN_LANGUAGES]
    means = [fmean(each.values(name, "accuracy")) for name, each in models.items()]
    first = next(iter(models.values()))
    several = f"{len(models)} model{'s' * (len(models) > 1)}"
    label = f"monolingual, {several} ({_seeds(models.values())}; {_chosen(first)})"
    return Line(OURS, label, _table_5_facts(first), (*cells, _average(means, len(SEVEN_LANGUAGES))))


def _table_4(ours: Mapping[str, list[OurScores]]) -> PaperTable:
    lines = []
    for system in glue.PAPER:
        row = next(row for row in BENCHMARKS["mnli"].published if row.system == system)
        cells = [_glue_published(name, system) for name in glue.TABLE_4]
        average = Cell(f"{glue.AVERAGES[system]:.1f}")
        lines.append(Line(PUBLISHED, system, (str(row.languages),), (*cells, average)))
    every = [(name, each) for name in glue.TABLE_4 for each in ours.get(name, ())]
    for model, selection in dict.fromkeys((each.model, each.selection) for _, each in every):
        lines += _glue_lines({name: each for name, each in every if (each.model, each.selection) == (model, selection)})
    notes = [note for name in glue.TABLE_4 if name in ours for note in _notes(BENCHMARKS[name], ours[name])]
    return PaperTable("GLUE dev sets (table 4)", ("#lgs",), (*GLUE_COLUMNS, "Avg"), (Section("", _in_order(lines)),),
                      tuple(dict.fromkeys(notes)))  # fmt: skip


def _glue_lines(own: Mapping[str, OurScores]) -> list[Line]:
    """One model's row over the tasks, and below it what needs no model."""
    any_scores = next(iter(own.values()))
    kinds: Sequence[tuple[str, str, Callable[[ResultRow], float | None]]] = (
        (OURS, f"{any_scores.label} ({_seeds(own.values())}; {_chosen(any_scores)})", lambda row: row.value),
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
        facts = (str(any_scores.known.languages or "") if kind == OURS else "",)
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
        texts.append(shown(values if linked else values[:1]))
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
        scored = [language for language, metric in each.found if metric == benchmark.headline]
        means = [fmean(each.values(name, benchmark.headline)) for name in benchmark.averaged(scored)]
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
    languages = str(each.known.languages or "")
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
    return Cell(shown([row.value for row in rows], BENCHMARKS[rows[0].benchmark].places), place_of(rows[0], each.model))


def _joined(cells: Sequence[Cell]) -> Cell:
    known = [cell for cell in cells if cell.text != NOTHING]
    return Cell(" / ".join(cell.text for cell in known), known[0].target) if known else Cell()


def _plain(value: float | None, places: int = 1) -> Cell:
    return Cell() if value is None else Cell(f"{value:.{places}f}")


def shown(values: Sequence[float], places: int = 1) -> str:
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
    most = max(every, key=lambda each: each.seeds() + len(each.failed))
    return told_seeds(most.seeds(), len(most.failed), most.collapsed())


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
    if len({row.data for row in rows}) > 1:
        notes.append(f"{benchmark.name}: rows are of different files, and cannot be compared (`data` in report.json).")
    if any(row.scored == "dev" for row in rows):
        notes.append(f"{benchmark.name}: the dev set is what was scored.")
    flagged: dict[str, list[str]] = {}
    for row in rows:
        for flag in row.flags:
            flagged.setdefault(flag, []).append(row.language)
    notes += [f"{benchmark.name}: {flag} ({', '.join(dict.fromkeys(names))})." for flag, names in flagged.items()]
    return tuple(notes)
