"""A Slurm cluster of two nodes on loopback, with a munge key of its own; nothing in /etc is read or written (root)."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PROGRAMS = ("slurmctld", "slurmd", "sbatch", "munged")
SBIN = "/usr/sbin"
SETTINGS = """ClusterName=xlmr
SlurmctldHost={host}(127.0.0.1)
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
CredType=cred/munge
AuthInfo=socket={folder}/munge/munge.socket
MpiDefault=none
SlurmctldPort={ports[0]}
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.%n.pid
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool.%n
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SwitchType=switch/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
ReturnToService=2
SlurmctldTimeout=30
SlurmdTimeout=20
InactiveLimit=0
KillWait=10
MinJobAge=600
JobRequeue=1
SchedulerParameters=bf_interval=2,sched_interval=2,batch_sched_delay=0
SlurmdParameters=config_overrides
TreeWidth=50
NodeName=node1 NodeHostname={host} NodeAddr=127.0.0.1 Port={ports[1]} CPUs=2 RealMemory=4000 State=UNKNOWN
NodeName=node2 NodeHostname={host} NodeAddr=127.0.0.1 Port={ports[2]} CPUs=2 RealMemory=4000 State=UNKNOWN
PartitionName=debug Nodes=ALL Default=YES MaxTime=INFINITE State=UP
"""


def can_start() -> bool:
    found = all(shutil.which(program, path=f"{os.environ.get('PATH', '')}:{SBIN}") for program in PROGRAMS)
    return found and os.geteuid() == 0


class SlurmCluster:
    """Its daemons; `environment` is for the client programs."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.environment = os.environ | {"SLURM_CONF": str(folder / "slurm.conf")}

    def start(self) -> None:
        folder = self.folder
        folder.chmod(0o755)  # munge wants all above its socket to be others' to read
        (folder / "state").mkdir()
        munge = folder / "munge"
        munge.mkdir(mode=0o755)
        (munge / "key").write_bytes(os.urandom(128))
        (munge / "key").chmod(0o400)
        for path in (munge, munge / "key"):
            shutil.chown(path, "munge", "munge")
        (folder / "slurm.conf").write_text(
            SETTINGS.format(host=socket.gethostname().split(".")[0], folder=folder, ports=_free_ports(3))
        )
        options = {"key-file": "key", "socket": "munge.socket", "pid-file": "pid", "log-file": "log",
                   "seed-file": "seed"}  # fmt: skip
        call = [f"{SBIN}/munged", "--force", *(f"--{name}={munge / file}" for name, file in options.items())]
        subprocess.run(call, user="munge", group="munge", check=True, capture_output=True)
        subprocess.run([f"{SBIN}/slurmctld"], env=self.environment, check=True, capture_output=True)
        for node in ("node1", "node2"):
            self.start_node(node)
        self.wait_for_nodes()

    def start_node(self, node: str) -> None:
        subprocess.run([f"{SBIN}/slurmd", "-N", node], env=self.environment, check=True, capture_output=True)

    def wait_for_nodes(self) -> None:
        deadline = time.monotonic() + 60
        while self.said("sinfo", "-h", "-N", "-o", "%T").split().count("idle") < 2:
            if time.monotonic() > deadline:
                raise RuntimeError(f"the nodes did not come up: {self.said('sinfo', '-N')}")
            time.sleep(0.3)

    def said(self, *command: str) -> str:
        return subprocess.run(command, env=self.environment, check=True, capture_output=True, text=True).stdout

    def state(self, job: str) -> str:
        """E.g. RUNNING, or PENDING with its reason."""
        return self.fields(job).get("JobState", "")

    def fields(self, job: str) -> dict[str, str]:
        said = self.said("scontrol", "show", "job", "--oneliner", job)
        return dict(pair.split("=", 1) for pair in said.split() if "=" in pair)

    def tasks(self, node: str) -> list[int]:
        """Processes of jobs on that node."""
        found = []
        for path in Path("/proc").glob("[0-9]*/environ"):
            try:
                variables = path.read_bytes().split(b"\0")
            except OSError:
                continue
            if f"SLURMD_NODENAME={node}".encode() in variables and f"SLURM_CONF={self.folder}/slurm.conf".encode() in (
                variables
            ):
                found.append(int(path.parent.name))
        return found

    def kill_node(self, node: str) -> None:
        """As if it lost its power: its daemon, the steps' daemons and all that they run."""
        victims = self.tasks(node)
        above = {parent for pid in victims if (parent := _parent(pid)) and "slurmstepd" in _name(parent)}
        daemon = int((self.folder / f"slurmd.{node}.pid").read_text())
        for pid in (daemon, *above, *victims):
            _kill(pid)

    def stop(self) -> None:
        for node in ("node1", "node2"):
            if (self.folder / f"slurmd.{node}.pid").exists():
                self.kill_node(node)
        for path in (self.folder / "slurmctld.pid", self.folder / "munge" / "pid"):
            if path.exists():
                _kill(int(path.read_text()))


@contextmanager
def cluster(folder: Path) -> Iterator[SlurmCluster]:
    made = SlurmCluster(folder)
    try:
        made.start()
        yield made
    finally:
        made.stop()


def _kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return


def _parent(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    except OSError:
        return 0


def _name(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace")
    except OSError:
        return ""


def _free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports
