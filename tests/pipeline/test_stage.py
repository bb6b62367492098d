"""The one contract, on stages made for the test."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from pipeline.draft import Draft
from pipeline.errors import BadConfig, BadInput, EmptyOutput, MissingArtifact, StoreUnavailable, UnbalancedCounts
from pipeline.needs import same_unit
from pipeline.stage import Inputs, Stage, StageConfig
from pipeline.store import ArtifactStore, FileStore

calls: list[str] = []


class CountConfig(StageConfig):
    n: int = 3


def count(config: CountConfig, inputs: Inputs, draft: Draft) -> None:
    calls.append(draft.unit)
    draft.path("numbers.txt").write_text("".join(f"{i}\n" for i in range(config.n)))
    draft.add({"documents_in": config.n, "documents_kept": config.n})


def double(config: StageConfig, inputs: Inputs, draft: Draft) -> None:
    text = inputs.path(inputs.one("count"), "numbers.txt").read_text()
    draft.path("doubled.txt").write_text("".join(f"{2 * int(line)}\n" for line in text.split()))


COUNT = Stage(name="count", version=1, config=CountConfig, body=count)
DOUBLE = Stage(name="double", version=1, config=StageConfig, body=double, needs={"count": same_unit})


@pytest.fixture
def store(tmp_path: Path) -> FileStore:
    calls.clear()
    return FileStore(tmp_path / "store")


def test_a_second_run_does_nothing(store: FileStore) -> None:
    first = COUNT.run({"n": 3}, [], store, "u")
    second = COUNT.run({"n": 3}, [], store, "u")
    assert first == second
    assert calls == ["u"]


def test_another_config_unit_version_or_input_is_other_work(store: FileStore) -> None:
    keys = {
        COUNT.key(CountConfig(n=3), "u", []),
        COUNT.key(CountConfig(n=4), "u", []),
        COUNT.key(CountConfig(n=3), "v", []),
        COUNT.key(CountConfig(n=3), "u", ["x/y/z/manifest.json"]),
        Stage(name="count", version=2, config=CountConfig, body=count).key(CountConfig(n=3), "u", []),
    }
    assert len(keys) == 5


def test_a_stage_reads_what_it_is_given(store: FileStore) -> None:
    uri = COUNT.run({"n": 2}, [], store, "u")
    manifest = store.manifest(DOUBLE.run({}, [uri], store, "u"))
    assert manifest.inputs == (store.key(uri),)
    assert store.open(manifest.artifact("doubled.txt")).read_text() == "0\n2\n"


def test_a_missing_input_is_named(store: FileStore) -> None:
    with pytest.raises(MissingArtifact, match="double u reads count: no such manifest among the inputs"):
        DOUBLE.run({}, [], store, "u")


def test_an_unknown_setting_is_refused(store: FileStore) -> None:
    with pytest.raises(BadConfig, match="stage count: m: Extra inputs"):
        COUNT.run({"m": 3}, [], store, "u")


def _stage(body: object) -> Stage:
    return Stage(name="bad", version=1, config=StageConfig, body=body)  # type: ignore[arg-type]


def test_an_error_publishes_nothing_and_leaves_no_scratch(store: FileStore) -> None:
    def fail(config: StageConfig, inputs: Inputs, draft: Draft) -> None:
        draft.path("half.txt").write_text("half")
        raise RuntimeError("stopped here")

    with pytest.raises(RuntimeError, match="stopped here"):
        _stage(fail).run({}, [], store, "u")
    assert list(store.list("")) == []
    assert list((store.folder / ".scratch").iterdir()) == []


def test_documents_lost_without_a_reason_are_an_error(store: FileStore) -> None:
    def lose(config: StageConfig, inputs: Inputs, draft: Draft) -> None:
        draft.add({"documents_in": 5, "documents_kept": 3, "dropped_too_short": 1})

    with pytest.raises(UnbalancedCounts, match="5 documents in, 3 kept, 1 dropped"):
        _stage(lose).run({}, [], store, "u")


def test_nothing_out_of_something_is_an_error_with_its_reason(store: FileStore) -> None:
    def drop(config: StageConfig, inputs: Inputs, draft: Draft) -> None:
        draft.add({"documents_in": 5, "documents_kept": 0, "dropped_too_short": 5})

    with pytest.raises(EmptyOutput, match="all 5 documents were dropped \\(too_short 5\\)"):
        _stage(drop).run({}, [], store, "u")


def test_a_full_disk_is_something_to_try_again(store: FileStore) -> None:
    def fill(config: StageConfig, inputs: Inputs, draft: Draft) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(StoreUnavailable, match="the disk is full"):
        _stage(fill).run({}, [], store, "u")


def test_what_a_library_refuses_is_not_tried_again(store: FileStore) -> None:
    from training.sampling import language_probabilities

    def refuses(config: StageConfig, inputs: Inputs, draft: Draft) -> None:
        language_probabilities({"en": 0}, 0.3)

    with pytest.raises(BadInput, match="no language has any text"):
        _stage(refuses).run({}, [], store, "u")


def test_a_fault_of_the_program_is_not_told_as_bad_input(store: FileStore) -> None:
    def slips(config: StageConfig, inputs: Inputs, draft: Draft) -> None:
        int("seven")

    with pytest.raises(ValueError, match="invalid literal") as caught:
        _stage(slips).run({}, [], store, "u")
    assert caught.value.__notes__ == ["bad u: this is a fault of the program, not of its settings or input"]


def test_two_attempts_at_once_leave_one_manifest_with_its_own_artifacts(store: FileStore) -> None:
    def slow(config: CountConfig, inputs: Inputs, draft: Draft) -> None:
        if not calls:
            calls.append("outer")
            stage.run({"n": 3}, [], store, "u")  # another attempt starts and finishes meanwhile
        draft.path("out.txt").write_text("same bytes")

    stage = Stage(name="slow", version=1, config=CountConfig, body=slow)
    manifest = store.manifest(stage.run({"n": 3}, [], store, "u"))
    assert store.open(manifest.artifact("out.txt")).read_text() == "same bytes"
    assert len([key for key in store.list("slow/") if key.endswith("manifest.json")]) == 1


def test_state_outlives_an_attempt_that_failed(store: FileStore) -> None:
    def resume(config: StageConfig, inputs: Inputs, draft: Draft) -> None:
        state = draft.state()
        mark = state.folder / "step"
        if not mark.exists():
            mark.write_text("7")
            state.keep()
            raise RuntimeError("killed")
        draft.path("out.txt").write_text(mark.read_text())

    stage = _stage(resume)
    with pytest.raises(RuntimeError, match="killed"):
        stage.run({}, [], store, "u")
    manifest = store.manifest(stage.run({}, [], store, "u"))
    assert store.open(manifest.artifact("out.txt")).read_text() == "7"
    assert not [key for key in store.list("bad/") if "/state/" in key]


def test_the_manifest_says_how_it_was_made(store: ArtifactStore) -> None:
    manifest = store.manifest(COUNT.run({"n": 3}, [], store, "u"))
    assert manifest.config == {"n": 3}
    assert manifest.counts == {"documents_in": 3, "documents_kept": 3}
    assert manifest.library_versions["python"]
    assert manifest.seconds >= 0
    assert manifest.code_version
