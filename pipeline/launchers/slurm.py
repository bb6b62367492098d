"""Jobs of a Slurm cluster, by its client programs (docker/slurm/pretrain.sbatch)."""

from __future__ import annotations

import subprocess

from pipeline.errors import BadConfig
from pipeline.launchers.scheduler import JobStatus, Phase, SchedulerUnavailable, call
from pipeline.launchers.settings import Slurm
from training.job import TrainingJob

RUNNING = {"RUNNING", "COMPLETING", "SUSPENDED", "STOPPED", "STAGE_OUT", "SIGNALING"}
WAITING = {"PENDING", "CONFIGURING", "REQUEUED", "REQUEUE_FED", "REQUEUE_HOLD", "RESIZING", "SPECIAL_EXIT"}
UNKNOWN = "Invalid job id"
AWAY = ("Unable to contact slurm controller", "Socket timed out", "Connection refused", "Zero Bytes were transmitted")


class SlurmScheduler:
    def __init__(self, settings: Slurm) -> None:
        self.settings = settings

    def submit(self, job: TrainingJob, uri: str) -> str:
        settings = self.settings
        variables = {"XLMR_PYTHON": settings.python, "XLMR_CODE": settings.code, "XLMR_WORK": settings.work,
                     "XLMR_LAUNCH_OPTIONS": settings.launch_options}  # fmt: skip
        exported = ",".join(["ALL", *(f"{name}={value}" for name, value in variables.items() if value)])
        said = self._call(
            "sbatch", "--parsable", f"--job-name={job.name}", f"--nodes={job.nodes}", f"--export={exported}",
            *settings.options, settings.script, uri,
        )  # fmt: skip
        return said.strip().split(";")[0]

    def find(self, name: str) -> str | None:
        found = self._call("squeue", "--noheader", "--me", f"--name={name}", "--format=%A").split()
        return found[0] if found else None

    def status(self, job_id: str) -> JobStatus:
        said = call(["scontrol", "show", "job", "--oneliner", job_id])
        if UNKNOWN in said.stderr:
            return JobStatus(Phase.GONE, "no such job")
        fields = dict(pair.split("=", 1) for pair in _checked(said, "scontrol").split() if "=" in pair)
        state = fields.get("JobState", "")
        text = f"{state.lower()}, exit {fields.get('ExitCode', '?')}, requeued {fields.get('Restarts', '0')} times"
        if state in RUNNING:
            return JobStatus(Phase.RUNNING, f"running on {fields.get('NodeList', '?')}")
        if state in WAITING:
            return JobStatus(Phase.WAITING, f"waiting ({fields.get('Reason', '?')})")
        return JobStatus(Phase.DONE if state == "COMPLETED" else Phase.FAILED, text)

    def cancel(self, job_id: str) -> None:
        said = call(["scancel", job_id])
        if UNKNOWN not in said.stderr:
            _checked(said, "scancel")

    def _call(self, *command: str) -> str:
        return _checked(call(command), command[0])


def _checked(said: subprocess.CompletedProcess[str], program: str) -> str:
    if said.returncode == 0:
        return said.stdout
    text = " ".join(said.stderr.split())
    if any(reason in text for reason in AWAY):
        raise SchedulerUnavailable(f"{program}: {text}")
    raise BadConfig(f"{program}: {text}: look at `launcher` in the deployment file")
