"""Where pretraining runs: processes of this machine, a Slurm cluster, a Kubernetes cluster; one job file for all."""

from __future__ import annotations

from pipeline.launchers.kubernetes import KubernetesScheduler
from pipeline.launchers.scheduler import Scheduler
from pipeline.launchers.settings import Kubernetes, Slurm
from pipeline.launchers.slurm import SlurmScheduler

__all__ = ["Scheduler", "open_scheduler"]


def open_scheduler(settings: Slurm | Kubernetes) -> Scheduler:
    return SlurmScheduler(settings) if isinstance(settings, Slurm) else KubernetesScheduler(settings)
