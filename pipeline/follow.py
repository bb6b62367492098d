"""What a person sees while a plan is run: one line a stage, with amounts and rates, and a bar while it runs."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from pipeline.draft import PROGRESS_NAME
from pipeline.errors import FactoryError
from pipeline.manifest import MANIFEST_NAME, Manifest
from pipeline.plan import Work
from pipeline.store import ArtifactStore

# The amount that a stage's line tells first, and its unit.
MEASURABLE_S = 0.05  # less time gives no rate worth printing
AMOUNTS = {
    "bytes": "bytes", "bytes_in": "bytes", "documents_in": "documents", "lines": "lines", "pieces": "pieces",
    "samples": "samples", "tokens": "tokens", "results": "results", "texts": "documents",
}  # fmt: skip


@dataclass
class StageProgress:
    """How far one stage is."""

    works: dict[str, Work]
    done: set[str] = field(default_factory=set)
    skipped: set[str] = field(default_factory=set)


class Follower:
    """Follows a plan by looking for its manifests; prints a line when a stage is whole."""

    def __init__(self, works: Sequence[Work], store: ArtifactStore, console: Console) -> None:
        self.store = store
        self.console = console
        self.stages: dict[str, StageProgress] = {}
        for work in works:
            self.stages.setdefault(work.stage, StageProgress({})).works[work.key] = work
        self.bar = Progress(
            TextColumn("{task.description:<18}"), BarColumn(20), MofNCompleteColumn(),
            TextColumn("{task.fields[note]}"),
            TimeElapsedColumn(), console=console, transient=True, disable=not console.is_terminal,
        )  # fmt: skip
        self._bars: dict[str, TaskID] = {}

    def done(self, work: Work, skipped: bool) -> None:
        progress = self.stages[work.stage]
        if work.key in progress.done:
            return
        progress.done.add(work.key)
        if skipped:
            progress.skipped.add(work.key)
        self._show(work.stage)
        if len(progress.done) == len(progress.works):
            self.console.print(self._line(work.stage), highlight=False, soft_wrap=True)
            if work.stage in self._bars:
                self.bar.remove_task(self._bars.pop(work.stage))

    def poll(self) -> None:
        """Look for manifests that were not there, and for the progress of what runs."""
        for stage, progress in self.stages.items():
            missing = [work for key, work in progress.works.items() if key not in progress.done]
            for work in missing:
                if self.store.exists(work.key):
                    self.done(work, False)
                elif set(work.inputs) <= self._all_done():
                    self._show(stage, self._note(work))

    @property
    def finished(self) -> bool:
        return all(len(progress.done) == len(progress.works) for progress in self.stages.values())

    def summary(self) -> dict[str, dict[str, float | int | bool]]:
        """stage -> units, seconds of their bodies, and whether all of it was already there."""
        rows: dict[str, dict[str, float | int | bool]] = {}
        for stage, progress in self.stages.items():
            seconds = sum(manifest.seconds for manifest in self._manifests(progress.done))
            skipped = len(progress.skipped) == len(progress.works)
            rows[stage] = {"units": len(progress.works), "seconds": round(seconds, 2), "skipped": skipped}
        return rows

    def _all_done(self) -> set[str]:
        return set().union(*(progress.done for progress in self.stages.values()))

    def _manifests(self, keys: Iterable[str]) -> list[Manifest]:
        return [self.store.manifest(key) for key in sorted(keys)]

    def _note(self, work: Work) -> str:
        try:
            record = json.loads(self.store.get(work.key.replace(MANIFEST_NAME, PROGRESS_NAME)))
        except (FactoryError, ValueError):
            return ""
        return f"{record['done']:,.0f} of {record['total']:,.0f} {record['unit']}"

    def _show(self, stage: str, note: str = "") -> None:
        progress = self.stages[stage]
        if stage not in self._bars:
            self._bars[stage] = self.bar.add_task(stage, total=len(progress.works), note=note)
        self.bar.update(self._bars[stage], completed=len(progress.done), note=note)

    def _line(self, stage: str) -> str:
        progress = self.stages[stage]
        units = f"{len(progress.works)} unit{'s' if len(progress.works) > 1 else ''}"
        if progress.skipped == progress.done:
            return f"[green]✓[/] {stage:<18} {units:>9}   already there"
        manifests = self._manifests(progress.done)
        seconds = sum(manifest.seconds for manifest in manifests)
        return f"[green]✓[/] {stage:<18} {units:>9} {seconds:8.1f} s   {amounts(manifests)}"


def amounts(manifests: Sequence[Manifest]) -> str:
    """What went through, its rate, and how many documents were kept."""
    sums: dict[str, int] = {}
    for manifest in manifests:
        for name, n in manifest.counts.items():
            sums[name] = sums.get(name, 0) + n
    seconds = sum(manifest.seconds for manifest in manifests) or 1e-9
    for name, unit in AMOUNTS.items():
        if name in sums:
            text = _amount(sums[name], unit, seconds)
            break
    else:
        text = ""
    if "documents_kept" in sums:
        text += f", {sums['documents_kept']:,} of {sums['documents_in']:,} documents kept"
    return text


def _amount(n: int, unit: str, seconds: float) -> str:
    if unit == "bytes":
        return f"{n / 2**20:,.1f} MiB" + (f" ({n / 2**20 / seconds:,.1f} MiB/s)" if seconds >= MEASURABLE_S else "")
    return f"{n:,} {unit}" + (f" ({n / seconds:,.0f}/s)" if n >= seconds >= MEASURABLE_S else "")
