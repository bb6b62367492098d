"""What a start of the command line loads, and that a verb's exit status is the program's."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from pipeline.cli import main

ROOT = Path(__file__).resolve().parents[2]


def loaded(code: str) -> set[str]:
    """The modules that a new process has loaded after the code."""
    said = subprocess.run(
        [sys.executable, "-c", f"{code}\nimport sys; print(*sys.modules)"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    return set(said.stdout.split())


def test_the_recipe_starts_without_the_settings_of_the_runs() -> None:
    call = "try:\n    main()\nexcept SystemExit: pass"
    found = loaded(
        f"import sys\nfrom pipeline.cli import main\nsys.argv = ['xlmr', 'corpus', '--recipe', 'ccnet']\n{call}"
    )
    assert "pipeline.cli.corpus" in found
    assert not found & {"pydantic", "pipeline.runs", "pipeline.cli.run", "pipeline.cli.look", "pyarrow"}


def test_arrow_alone_converts_without_pandas() -> None:
    pytest.importorskip("pandas")
    assert "pandas" in loaded("import pyarrow; pyarrow.array([1])"), "pyarrow no longer imports it: remove arrow_alone"
    assert "pandas" not in loaded(
        "from ccnet.arrow_alone import use_arrow_alone; import pyarrow\nuse_arrow_alone()\n"
        "assert pyarrow.array(['a', None]).to_pylist() == ['a', None]"
    )


@pytest.mark.parametrize(("flags", "status"), [(["--fail-on-regression"], 1), ([], None)])
def test_a_regression_is_the_exit_status(monkeypatch: pytest.MonkeyPatch, flags: list[str], status: int | None) -> None:
    told = {"regression": True, "differences": [], "notes": []}
    monkeypatch.setattr("evaluation.compare.compare_each", lambda *_, **__: SimpleNamespace(to_json=lambda: told))
    monkeypatch.setattr("pipeline.cli.results._scored", lambda *_: ([], []))
    monkeypatch.setattr(sys, "argv", ["xlmr", "compare", "a", "b", "--json", *flags])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == status
