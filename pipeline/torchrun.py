"""Start torchrun for a stage, follow it, and make sure that it does not outlive the stage."""

from __future__ import annotations

import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence

from pipeline.child import die_with_parent
from pipeline.errors import EXIT_TRY_AGAIN, WorkerLost

TICK_S = 1.0


def torchrun(arguments: Sequence[str], *, processes: int, on_tick: Callable[[], None]) -> None:
    """Run `torchrun ARGUMENTS` on this machine; `on_tick` is called every second and once at the end.

    Raises WorkerLost with the end of what it said: the checkpoints stand, so a retry goes on from them.
    """
    command = [
        sys.executable,
        "-m",
        "torch.distributed.run",
        "--standalone",
        "--nproc-per-node",
        str(processes),
    ]
    with tempfile.TemporaryFile() as said:
        job = subprocess.Popen([*command, *arguments], stdout=said, stderr=said, preexec_fn=die_with_parent)
        try:
            while job.poll() is None:
                time.sleep(TICK_S)
                on_tick()
        finally:
            _stop(job)
        on_tick()
        if job.returncode:
            said.seek(0)
            lines = said.read().decode(errors="replace").strip().splitlines()
            reason = "was asked to stop" if job.returncode == EXIT_TRY_AGAIN else f"ended with {job.returncode}"
            raise WorkerLost(f"torchrun {reason}; run it again to go on from its checkpoint. It said: {_tail(lines)}")


def _tail(lines: list[str]) -> str:
    errors = [line for line in lines if "Error" in line and "ChildFailedError" not in line]
    return " | ".join([*errors[-2:], *lines[-3:]])


def _stop(job: subprocess.Popen[bytes]) -> None:
    if job.poll() is None:
        job.send_signal(signal.SIGTERM)
        try:
            job.wait(30)
        except subprocess.TimeoutExpired:
            job.kill()
            job.wait()
