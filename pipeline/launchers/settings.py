"""Where pretraining runs, as the deployment file says it (`launcher`)."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

ROOT = Path(__file__).resolve().parents[2]


class Processes(BaseModel):
    """torchrun as a child of the task."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["processes"] = "processes"


class Cluster(BaseModel):
    """What every cluster is asked for.  A run's `processes` are shared equally by the nodes."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    nodes: int = Field(default=1, ge=1, description="nodes of a job")
    restarts: int = Field(
        default=10, ge=0, description="restarts of a job's processes after a lost one, before the cluster decides"
    )
    join_timeout_s: float = Field(default=600.0, gt=0, description="seconds that a node waits for the others")


class Slurm(Cluster):
    """sbatch, scontrol, squeue and scancel on the machine where the task runs."""

    kind: Literal["slurm"]
    options: tuple[str, ...] = Field(
        default=(), description="options of sbatch: --partition=gpu, --gres=gpu:8, --time=24:00:00, --output=…"
    )
    script: str = Field(default=str(ROOT / "docker" / "slurm" / "pretrain.sbatch"), description="batch script")
    python: str = Field(default="python3", description="Python on the nodes, with what training/ needs")
    code: str = Field(default=str(ROOT), description="checkout of this project on the nodes")
    work: str = Field(default="/tmp", description="folder on each node's own disk, for inputs and checkpoints")
    launch_options: str = Field(
        default="", pattern="^[^,]*$", description="further options of torchrun on each node, without commas"
    )


class Kubernetes(Cluster):
    """kubectl on the machine where the task runs, with a cluster that has JobSet, or Kubeflow Trainer besides."""

    kind: Literal["kubernetes"]
    image: str = Field(description="image with training/ and boto3 (docker/gpu.Dockerfile)")
    api: Literal["trainjob", "jobset"] = Field(default="jobset", description="Kubeflow Trainer's TrainJob, or a JobSet")
    namespace: str = Field(default="default", description="namespace of the jobs")
    runtime: str = Field(default="torch-distributed", description="TrainJob: its ClusterTrainingRuntime")
    resources: dict[str, str] = Field(
        default={}, description="limits of a node: nvidia.com/gpu: 8, memory: 512Gi, ephemeral-storage: 200Gi"
    )
    secret: str = Field(default="", description="secret with AWS_* entries, given to the nodes as environment")


Launcher = Annotated[Processes | Slurm | Kubernetes, Field(discriminator="kind")]
