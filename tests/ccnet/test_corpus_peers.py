"""The corpus benchmark's peers: which documents of cc_net are equal to ours, and what a partial run leaves."""

from __future__ import annotations

import gzip
import json
import sys
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.corpus_peers import OUR_NAMES, Peer, compare_documents, measure_peers


def write_ours(folder: Path, rows: list[dict[str, Any]]) -> None:
    (folder / "corpus").mkdir(parents=True)
    ours = [{OUR_NAMES[name]: value for name, value in row.items()} for row in rows]
    pq.write_table(pa.Table.from_pylist(ours), folder / "corpus" / "0.parquet")


def write_theirs(folder: Path, rows: list[dict[str, Any]]) -> None:
    """As cc_net: fields of its own besides, and no perplexity where the language has no model."""
    (folder / "out").mkdir(parents=True)
    with gzip.open(folder / "out" / "en_all.json.gz", "wt", encoding="utf-8") as file:
        for row in rows:
            kept = {name: value for name, value in row.items() if value is not None}
            file.write(json.dumps(kept | {"source_domain": "a.example"}, ensure_ascii=False) + "\n")


def document(number: int, **changed: Any) -> dict[str, Any]:
    found: dict[str, Any] = dict.fromkeys(OUR_NAMES, f"ä {number}")
    return found | {"line_ids": [0, number], "language_score": 0.5, "perplexity": None} | changed


def test_documents_are_equal_only_in_all_fields(tmp_path: Path) -> None:
    ours = [document(n) for n in range(3)] + [document(3, perplexity=10.5)]
    write_ours(tmp_path / "ours", ours)
    write_theirs(tmp_path / "same", ours[::-1])
    write_theirs(tmp_path / "other", [document(0, line_ids=[1, 0]), document(1, bucket="head"), *ours[2:], ours[3]])
    counts = {"ours": 4, "fields": list(OUR_NAMES)}
    assert compare_documents(tmp_path / "ours", tmp_path / "same") == counts | {"cc_net": 4, "equal": 4}
    assert compare_documents(tmp_path / "ours", tmp_path / "other") == counts | {"cc_net": 5, "equal": 2}


def test_a_peer_that_is_not_run_keeps_its_earlier_numbers(tmp_path: Path) -> None:
    command = [sys.executable, "-c", 'print(\'{"documents": {"read": 1}}\')']
    peer = Peer(lambda folder: command, lambda folder, printed: json.loads(printed))
    standing = {"datatrove": {"date": "2026-01-02", "times_ours": 5.0}}
    (tmp_path / "a").mkdir(), (tmp_path / "b").mkdir()
    found = measure_peers({"ours": peer}, 1, tmp_path / "a", standing)
    assert found["datatrove"] == standing["datatrove"]
    assert found["cc_net"]["not_run"] == "no --cc-net was given"
    found = measure_peers({"ours": peer, "datatrove": peer}, 2, tmp_path / "b", standing)
    assert found["datatrove"]["rounds"] == len(found["datatrove"]["ours_cpu_s"]) == 2
    low, high = found["datatrove"]["times_ours_spread"]
    assert 0 < low <= found["datatrove"]["times_ours"] <= high
