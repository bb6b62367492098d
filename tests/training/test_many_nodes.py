"""Two nodes without a shared disk, disturbed: the same weights as undisturbed (benchmarks/many_nodes.py).

XLMR_TEST_NODES=1 python -m pytest tests/training/test_many_nodes.py      (root; a quarter of an hour each)
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks import network_hosts, slurm_cluster
from tests.training.runs import ROOT

CAN = {"hosts": network_hosts.can_make, "slurm": slurm_cluster.can_start}


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("where", ["hosts", "slurm"])
def test_a_disturbed_run_ends_with_the_weights_of_an_undisturbed_one(where: str, tmp_path: Path) -> None:
    if not os.environ.get("XLMR_TEST_NODES") or not CAN[where]():
        pytest.skip("needs XLMR_TEST_NODES=1, root, network namespaces, for slurm Debian's slurm-wlm and munge")
    results = tmp_path / "results.json"
    call = [sys.executable, "-m", "benchmarks.many_nodes", "--json", str(results), "--on", where]
    subprocess.run(call, cwd=ROOT, check=True)
    found = json.loads(results.read_text())[where]
    rounds = {name: rounds for name, rounds in found.items() if name != "undisturbed"}
    assert rounds
    assert all(one["weights_and_losses_equal"] for several in rounds.values() for one in several)
    assert all(one["went_on_from"] for several in rounds.values() for one in several)
