"""A short run of the fuzzer; the long one is `python -m tests.ccnet.fuzz_readers`."""

from __future__ import annotations

from tests.ccnet.fuzz_readers import fuzz


def test_two_thousand_mutated_files_are_read_or_counted() -> None:
    found = fuzz(2000, seed=2)
    assert found["documents_kept"] > 100
    assert found["slowest_s"] < 10  # a hang, not a speed
    assert found["grown_mb"] < 300
