"""Manifests for a Kubernetes cluster: their fields are those of the APIs; the shipped ones are what is submitted."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator, ValidationError

from pipeline.errors import BadConfig
from pipeline.launchers.kubernetes import KubernetesScheduler, manifest, status_of
from pipeline.launchers.scheduler import Phase
from pipeline.launchers.settings import Kubernetes
from training.job import TrainingJob

FOLDER = Path(__file__).resolve().parents[2] / "docker" / "kubernetes"
JOB = TrainingJob.from_json((FOLDER / "job.json").read_text(), "job.json")
URI = "s3://bucket/runs/base.json"
SETTINGS = Kubernetes(kind="kubernetes", image="registry.example/xlmr-gpu:1", nodes=4, secret="xlmr-s3",
                      resources={"nvidia.com/gpu": "8", "memory": "512Gi", "ephemeral-storage": "200Gi"})  # fmt: skip


def made(api: str) -> dict[str, Any]:
    return manifest(JOB, URI, SETTINGS.model_copy(update={"api": api}))


def check(api: str, found: dict[str, Any]) -> None:
    Draft202012Validator(json.loads((FOLDER / f"{api}.schema.json").read_text())).validate(found)


@pytest.mark.parametrize("api", ["trainjob", "jobset"])
def test_a_manifest_has_the_fields_of_its_api_and_is_the_shipped_one(api: str) -> None:
    found = made(api)
    check(api, found)
    assert found == json.loads((FOLDER / f"{api}.json").read_text())
    found["spec"]["maxRestart"] = 3
    with pytest.raises(ValidationError, match="maxRestart"):
        check(api, found)


def test_the_nodes_find_each_other_by_the_first_pods_name() -> None:
    [job] = made("jobset")["spec"]["replicatedJobs"]
    spec = job["template"]["spec"]
    assert (spec["completions"], spec["parallelism"], spec["completionMode"]) == (4, 4, "Indexed")
    [container] = spec["template"]["spec"]["containers"]
    assert container["args"] == ["--job", URI, "--node-rank", "$(XLMR_NODE_RANK)",
                                 "--rdzv-endpoint", "xlmr-base-node-0-0.xlmr-base:29400"]  # fmt: skip
    assert container["env"][0]["name"] == "XLMR_NODE_RANK"


def test_wrong_settings_end_the_job_and_a_lost_pod_does_not() -> None:
    spec = made("jobset")["spec"]
    [rule] = spec["replicatedJobs"][0]["template"]["spec"]["podFailurePolicy"]["rules"]
    assert (rule["action"], rule["onExitCodes"]["values"]) == ("FailJob", [1, 2])
    assert spec["failurePolicy"]["rules"][0]["onJobFailureReasons"] == ["PodFailurePolicy"]
    assert spec["failurePolicy"]["maxRestarts"] > 0


def test_a_store_that_pods_cannot_reach_is_refused() -> None:
    with pytest.raises(BadConfig, match="pods have no disk in common"):
        manifest(JOB, "file:///store/job.json", SETTINGS)


@pytest.mark.parametrize(
    ("status", "phase"),
    [
        ({}, Phase.WAITING),
        ({"replicatedJobsStatus": [{"name": "node", "active": 1}]}, Phase.RUNNING),
        ({"conditions": [{"type": "Completed", "status": "True"}]}, Phase.DONE),
        ({"conditions": [{"type": "Complete", "status": "True"}]}, Phase.DONE),
        ({"conditions": [{"type": "Failed", "status": "True", "message": "too many restarts"}]}, Phase.FAILED),
        ({"conditions": [{"type": "Failed", "status": "False"}]}, Phase.WAITING),
        ({"conditions": [{"type": "Suspended", "status": "True"}]}, Phase.WAITING),
    ],
)
def test_the_controllers_conditions_say_where_a_job_stands(status: dict[str, Any], phase: Phase) -> None:
    assert status_of({"status": status}).phase is phase


def test_a_missing_kubectl_is_said_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(BadConfig, match="kubectl is not installed where the task runs"):
        KubernetesScheduler(SETTINGS).status("jobset/xlmr-base")
