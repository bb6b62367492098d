"""Jobs of a Kubernetes cluster: manifests for Kubeflow Trainer (TrainJob) or JobSet, and kubectl.

The manifests are checked against docker/kubernetes/*.schema.json; they have not run on a cluster.
"""

from __future__ import annotations

import json
import subprocess
from typing import Any

from pipeline.errors import BadConfig
from pipeline.launchers.scheduler import JobStatus, Phase, SchedulerUnavailable, call
from pipeline.launchers.settings import Kubernetes
from training.job import TrainingJob

RENDEZVOUS_PORT = 29400  # torchrun's own default
STOP_S = 300  # a pod that is asked to stop writes a checkpoint first
NODES = "node"  # the replicated job: Kubeflow's runtimes have that name
INDEX = "metadata.annotations['batch.kubernetes.io/job-completion-index']"
AWAY = ("Unable to connect to the server", "connection refused", "i/o timeout", "TLS handshake timeout",
        "was refused", "etcdserver", "the server is currently unable")  # fmt: skip


class KubernetesScheduler:
    """The id of a job is KIND/NAME."""

    def __init__(self, settings: Kubernetes) -> None:
        self.settings = settings

    def submit(self, job: TrainingJob, uri: str) -> str:
        made = manifest(job, uri, self.settings)
        job_id = f"{self.settings.api}/{job.name}"
        self._kubectl("delete", job_id, "--ignore-not-found", "--wait=true")  # one that ended before
        self._kubectl("create", "-f", "-", text=json.dumps(made))
        return job_id

    def find(self, name: str) -> str | None:
        job_id = f"{self.settings.api}/{name}"
        return job_id if self.status(job_id).phase in {Phase.WAITING, Phase.RUNNING} else None

    def status(self, job_id: str) -> JobStatus:
        said = self._kubectl("get", job_id, "--ignore-not-found", "--output=json")
        if not said.strip():
            return JobStatus(Phase.GONE, "no such job")
        return status_of(json.loads(said))

    def cancel(self, job_id: str) -> None:
        self._kubectl("delete", job_id, "--ignore-not-found", "--wait=false")

    def _kubectl(self, *arguments: str, text: str = "") -> str:
        return _checked(call(["kubectl", "--namespace", self.settings.namespace, *arguments], text))


def manifest(job: TrainingJob, uri: str, settings: Kubernetes) -> dict[str, Any]:
    """A TrainJob or a JobSet whose pods run the job file at `uri`.  Raises BadConfig."""
    if not uri.startswith("s3://"):
        raise BadConfig(f"{uri}: pods have no disk in common: use a store s3://… with the launcher kubernetes")
    return _train_job(job, uri, settings) if settings.api == "trainjob" else _job_set(job, uri, settings)


def _train_job(job: TrainingJob, uri: str, settings: Kubernetes) -> dict[str, Any]:
    trainer: dict[str, Any] = {
        "image": settings.image,
        "command": ["python", "-m", "training.launch"],
        "args": _arguments(job, uri),
        "env": _environment(settings),
        "numNodes": job.nodes,
        "numProcPerNode": job.processes,
    }
    if settings.resources:
        trainer["resourcesPerNode"] = {"requests": dict(settings.resources), "limits": dict(settings.resources)}
    return {
        "apiVersion": "trainer.kubeflow.org/v1alpha1",
        "kind": "TrainJob",
        "metadata": _metadata(job, settings),
        "spec": {"runtimeRef": {"kind": "ClusterTrainingRuntime", "name": settings.runtime}, "trainer": trainer},
    }


def _job_set(job: TrainingJob, uri: str, settings: Kubernetes) -> dict[str, Any]:
    container: dict[str, Any] = {
        "name": NODES,
        "image": settings.image,
        "command": ["python", "-m", "training.launch"],
        "args": _arguments(job, uri),
        "env": _environment(settings),
    }
    if settings.resources:
        container["resources"] = {"requests": dict(settings.resources), "limits": dict(settings.resources)}
    pod = {"restartPolicy": "Never", "terminationGracePeriodSeconds": STOP_S, "containers": [container]}
    one = {
        "parallelism": job.nodes,
        "completions": job.nodes,
        "completionMode": "Indexed",
        "backoffLimit": 0,
        # Wrong settings or data, or a fault of the program: no pod is started again.
        "podFailurePolicy": {
            "rules": [
                {"action": "FailJob",
                 "onExitCodes": {"containerName": NODES, "operator": "In", "values": [1, 2]}},
            ]
        },
        "template": {"spec": pod},
    }  # fmt: skip
    return {
        "apiVersion": "jobset.x-k8s.io/v1alpha2",
        "kind": "JobSet",
        "metadata": _metadata(job, settings),
        "spec": {
            "network": {"enableDNSHostnames": True},
            "failurePolicy": {
                "maxRestarts": 100,
                "rules": [
                    {"name": "wrong", "action": "FailJobSet", "onJobFailureReasons": ["PodFailurePolicy"]},
                ],
            },
            "replicatedJobs": [{"name": NODES, "replicas": 1, "template": {"spec": one}}],
        },
    }  # fmt: skip


def _arguments(job: TrainingJob, uri: str) -> list[str]:
    arguments = ["--job", uri]
    if job.nodes > 1:
        first = f"{job.name}-{NODES}-0-0.{job.name}"  # JobSet's name of the first pod
        arguments += ["--node-rank", "$(XLMR_NODE_RANK)", "--rdzv-endpoint", f"{first}:{RENDEZVOUS_PORT}"]
    return arguments


def _environment(settings: Kubernetes) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = [{"name": "XLMR_NODE_RANK", "valueFrom": {"fieldRef": {"fieldPath": INDEX}}}]
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_ENDPOINT_URL", "AWS_REGION"):
        if settings.secret:
            found.append(
                {"name": name,
                 "valueFrom": {"secretKeyRef": {"name": settings.secret, "key": name, "optional": True}}}
            )  # fmt: skip
    return found


def _metadata(job: TrainingJob, settings: Kubernetes) -> dict[str, Any]:
    return {"name": job.name, "namespace": settings.namespace, "labels": {"app.kubernetes.io/part-of": "xlmr"}}


def status_of(found: dict[str, Any]) -> JobStatus:
    """By the conditions that the controllers of TrainJob and JobSet set."""
    status = found.get("status", {})
    true = {one["type"]: one.get("message", "") for one in status.get("conditions", ()) if one.get("status") == "True"}
    for kind, phase in (("Complete", Phase.DONE), ("Completed", Phase.DONE), ("Failed", Phase.FAILED)):
        if kind in true:
            return JobStatus(phase, f"{kind.lower()} {true[kind]}".strip())
    if "Suspended" in true:
        return JobStatus(Phase.WAITING, "suspended")
    begun = any(one.get("active") or one.get("ready") for one in
                [*status.get("replicatedJobsStatus", ()), *status.get("jobsStatus", ())])  # fmt: skip
    return JobStatus(Phase.RUNNING, "running") if begun else JobStatus(Phase.WAITING, "waiting for pods")


def _checked(said: subprocess.CompletedProcess[str]) -> str:
    if said.returncode == 0:
        return said.stdout
    text = " ".join(said.stderr.split())
    if any(reason in text for reason in AWAY):
        raise SchedulerUnavailable(f"kubectl: {text}")
    raise BadConfig(f"kubectl: {text}: look at `launcher` in the deployment file")
