"""One module a stage, named for what it does; `load(name)` imports just that one."""

from __future__ import annotations

from importlib import import_module

from pipeline.stage import Stage

# In the order of the data's walk.
NAMES = (
    "ingest", "fetch", "extract", "hash_paragraphs", "find_duplicates", "deduplicate", "train_lid", "identify",
    "train_lm", "choose_cut_offs", "filter_perplexity", "filter_documents", "regroup", "publish", "train_vocabulary",
    "encode", "pretrain", "export", "evaluate", "report",
)  # fmt: skip


def load(name: str) -> Stage:
    """The stage of that name, e.g. load("identify").  Raises ValueError with the names there are."""
    if name not in NAMES:
        raise ValueError(f"{name!r} is no stage; the stages are {', '.join(NAMES)}")
    stage = import_module(f"pipeline.stages.{name}").STAGE
    assert isinstance(stage, Stage)
    assert stage.name == name
    return stage
