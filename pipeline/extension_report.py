"""What `xlmr extend` made of a checkpoint: sizes, old text that is cut anew, perplexities before and after."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from rich import box
from rich.console import Group
from rich.table import Table

from pipeline.checkpoints import EXTENSION
from pipeline.current import current
from pipeline.store import ArtifactStore


def extension_report(store: ArtifactStore, began: str, name: str) -> dict[str, Any]:
    """`began`: the manifest before training; `name`: the checkpoint after it.

    Perplexities are those of a masked token on the same held-out blocks with the extended vocabulary: before is the
    extended model whose new rows are means of old ones.
    """
    start, end = store.manifest(began), store.manifest(current(store, "checkpoint", name))
    [pretrained] = [key for key in end.inputs if key.startswith("pretrain/")]
    text = store.open(store.manifest(pretrained).artifact("validation.jsonl")).read_text(encoding="utf-8")
    rows = [json.loads(line) for line in text.splitlines()]
    extension = json.loads(store.open(start.artifact(EXTENSION)).read_text(encoding="utf-8"))
    perplexities = {
        language: {"new": language in extension["languages"], "before": before,
                   "after": rows[-1]["perplexity_by_language"][language]}
        for language, before in rows[0]["perplexity_by_language"].items()
    }  # fmt: skip
    sizes = {key: start.counts[key] for key in ("old_ids", "ids", "old_parameters", "parameters")}
    return {
        "checkpoint": store.uri(end.key),
        **sizes,
        "updates": rows[-1]["step"],
        "old_text": extension["old_languages"],
        "perplexity": perplexities,
    }


def extension_table(found: Mapping[str, Any]) -> Group:
    """At most 80 columns wide; the new languages first."""
    title = f"perplexity, {found['updates']:,} updates"
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("language")
    for column in ("before", "after", "old lines cut anew"):
        table.add_column(column, justify="right")
    for language, row in sorted(found["perplexity"].items(), key=lambda item: (not item[1]["new"], item[0])):
        lines = found["old_text"].get(language)
        anew = "new" if row["new"] else f"{lines['lines_cut_anew']:,} of {lines['lines']:,}" if lines else ""
        table.add_row(language, f"{row['before']:,.1f}", f"{row['after']:,.1f}", anew)
    return Group(table, str(found["checkpoint"]))
