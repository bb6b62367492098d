"""TensorBoard's event files: what they show, and that an update is shown once."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.training.runs import rows, train_here
from training.events import EventFile

pytestmark = pytest.mark.usefixtures("signals")


def curves(folder: Path) -> dict[str, list[tuple[int, float]]]:
    """tag -> (step, value) of all that TensorBoard reads in a folder."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    found = EventAccumulator(str(folder))
    found.Reload()
    return {tag: [(one.step, one.value) for one in found.Scalars(tag)] for tag in found.Tags()["scalars"]}


def test_a_run_shows_what_its_lines_of_metrics_say(settings: dict[str, object], tmp_path: Path) -> None:
    chosen = {"events": str(tmp_path / "events"), "validation_blocks": 4, "validate_first": True}
    run = train_here(settings | chosen, tmp_path / "run")
    shown, lines = curves(tmp_path / "events"), rows(run)
    assert shown["loss/mean"] == [(row["step"], pytest.approx(row["loss_nats"])) for row in lines]
    assert shown["loss/sw"][-1] == (12, pytest.approx(lines[-1]["loss_nats_by_language"]["sw"]))  # type: ignore[index]
    assert [step for step, _ in shown["validation_perplexity/en"]] == [0, 12]
    expected = {"optimizer/gradient_norm", "optimizer/learning_rate", "data/next_sample", "speed/tokens_per_s",
                "speed/memory_gb", "validation_loss/mean"}  # fmt: skip
    assert expected <= set(shown)
    assert "speed/mfu" not in shown  # not known of a CPU


def test_a_run_that_goes_on_shows_each_update_once(settings: dict[str, object], tmp_path: Path) -> None:
    events, lines = tmp_path / "events", tmp_path / "metrics.jsonl"
    lines.write_text('{"step": 2, "loss_nats": 5.0, "written_at_s": 100.0}\n')
    first = EventFile(events, lines, tmp_path / "none")
    first.add({"step": 4, "loss_nats": 4.0})  # lost: the run is cut back to update 2
    first.close()
    second = EventFile(events, lines, tmp_path / "none")
    second.add({"step": 4, "loss_nats": 3.0})
    second.close()
    assert curves(events) == {"loss/mean": [(2, 5.0), (4, 3.0)]}
    assert len(list(events.iterdir())) == 1
