"""One module a stage, named for what it does; `load(name)` imports just that one."""

from __future__ import annotations

from importlib import import_module

from pipeline.stage import Stage

# In the order of the data.
NAMES = (
    "ingest", "train_lid", "train_lm", "fetch", "extract", "hash_paragraphs", "gather_hashes", "find_duplicates",
    "deduplicate", "identify", "choose_cut_offs", "filter_perplexity", "fetch_robots", "read_robots", "gather_robots",
    "filter_documents", "summarize", "index_benchmarks", "find_copies", "list_hosts", "find_removals", "regroup",
    "publish", "sample_vocabulary", "train_vocabulary", "encode", "pretrain", "export", "evaluate", "report",
)  # fmt: skip


def load(name: str) -> Stage:
    """The stage of that name, e.g. load("identify").  Raises ValueError with the names there are."""
    if name not in NAMES:
        raise ValueError(f"{name!r} is not a stage; the stages are {', '.join(NAMES)}")
    stage = import_module(f"pipeline.stages.{name}").STAGE
    assert isinstance(stage, Stage)
    assert stage.name == name
    return stage
