"""How often the Models page's reader asks the store: what never changes is read once."""

from __future__ import annotations

from pathlib import Path

from benchmarks.recorded_models import Skill, write_checkpoint, write_scores
from pipeline.models_reader import ModelsReader
from pipeline.store import FileStore


class CountingStore(FileStore):
    """A store on a disk that notes what is read."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.asked: list[str] = []

    def get(self, key: str) -> bytes:
        self.asked.append(key)
        return super().get(key)

    def taken(self) -> list[str]:
        asked, self.asked = self.asked, []
        return sorted(asked)


def test_a_new_file_of_scores_is_read_alone_and_a_second_look_reads_none(tmp_path: Path) -> None:
    store, now = CountingStore(tmp_path / "store"), [0.0]
    base = write_checkpoint(store, "base", languages=("en", "sw"))
    write_scores(store, base, Skill("xnli", {"en": 0.8, "sw": 0.6}, 50))
    reader = ModelsReader(store, lambda: now[0])
    seeds = len([key for key in store.list("results/") if key.endswith(".parquet")])
    store.taken()
    assert [each.name for each in reader.checkpoints()] == ["base"]
    assert len([key for key in store.taken() if key.startswith("results/")]) == seeds == 3

    now[0] += 60
    reader.checkpoints()
    assert [key for key in store.taken() if not key.startswith("current/")] == []

    before = set(store.list("results/"))
    write_scores(store, base, Skill("sst2", {"en": 0.9}, 50))
    added = sorted(set(store.list("results/")) - before)
    store.taken()
    now[0] += 60
    assert {each.row.benchmark for each in reader.results()} == {"xnli", "sst2"}
    assert [key for key in store.taken() if key.startswith("results/")] == added
