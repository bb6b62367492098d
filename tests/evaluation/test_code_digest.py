"""The digest of a score's code covers what runs for the score, and no more."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from evaluation import code_digest
from evaluation.benchmarks import BENCHMARKS
from evaluation.code_digest import modules_of

ROOT = Path(__file__).resolve().parents[2]
LOADED = """
import sys
from pathlib import Path
from evaluation.finetune import run
from evaluation.settings import FinetuneConfig
run({name!r}, Path({model!r}), Path({data!r}), Path({output!r}), FinetuneConfig(epochs=1, batch=16, max_tokens=64))
print(*sorted(name for name in sys.modules if name.split(".")[0] in ("evaluation", "training")))
"""


@pytest.mark.parametrize("name", ["sst2", "tatoeba"])
def test_every_module_that_an_evaluation_loads_is_covered(name: str, model: Path, data: Path, tmp_path: Path) -> None:
    (tmp_path / "tatoeba").mkdir()
    for side in ("swh", "eng"):
        (tmp_path / "tatoeba" / f"tatoeba.swh-eng.{side}").write_text("habari\nasante\n")
    given = {"name": name, "model": str(model), "output": str(tmp_path / "out")}
    code = LOADED.format(**given, data=str(tmp_path if name == "tatoeba" else data))
    said = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    loaded = {each for each in said.stdout.split() if (ROOT / Path(*each.split("."))).with_suffix(".py").is_file()}
    others = {each for each in loaded if each.startswith("evaluation.benchmarks.")}  # the list loads all benchmarks
    readers = {each for each in loaded if each.startswith(("evaluation.readers.", "evaluation.metrics."))}
    assert loaded - others - readers <= set(modules_of(name))


def test_reports_comparisons_and_other_benchmarks_are_not_covered() -> None:
    every = {name for benchmark in BENCHMARKS for name in modules_of(benchmark)}
    assert not [name for name in every if "report" in name or "compare" in name or "presets" in name]
    covered = modules_of("xquad")
    assert {"evaluation.benchmarks.mlqa", "evaluation.readers.squad", "evaluation.tuning", "training.model"} <= set(
        covered
    )
    assert not {"evaluation.benchmarks", "evaluation.benchmarks.tatoeba", "evaluation.readers.retrieval"} & set(covered)


def test_another_benchmarks_reader_leaves_the_digest_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for package in code_digest.PACKAGES:
        for path in (ROOT / package).rglob("*.py"):
            copy = tmp_path / path.relative_to(ROOT)
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_bytes(path.read_bytes())
    monkeypatch.setattr(code_digest, "ROOT", tmp_path)
    digest = code_digest.code_digest.__wrapped__
    before = {name: digest(name) for name in ("sst2", "mlqa")}
    for changed in ("report_page.py", "report_tables.py", "benchmarks/tatoeba.py", "benchmarks/__init__.py"):
        with (tmp_path / "evaluation" / changed).open("a") as file:
            file.write("\n# changed\n")
    assert {name: digest(name) for name in before} == before
    with (tmp_path / "evaluation" / "readers" / "squad.py").open("a") as file:
        file.write("\n# changed\n")
    assert digest("sst2") == before["sst2"]
    assert digest("mlqa") != before["mlqa"]
    with (tmp_path / "training" / "model.py").open("a") as file:
        file.write("\n# changed\n")
    assert digest("sst2") != before["sst2"]
