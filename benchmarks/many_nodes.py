"""Pretraining on two nodes without a shared disk, undisturbed and disturbed: does it end with the same weights?

    python -m benchmarks.many_nodes --json FILE [--on hosts,slurm] [--rounds 1]

`hosts`: two network namespaces with c10d rendezvous; `slurm`: docker/slurm/pretrain.sbatch on a two-node cluster on
loopback (needs Debian's slurm-wlm and munge).  The job, its inputs, checkpoints and results lie in OpenStack Swift
behind its S3 interface; each node has a work folder of its own.  Needs root.  One process a node, CPU, gloo.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks import network_hosts, slurm_cluster
from benchmarks.network_hosts import ADDRESSES, HOSTS, SERVER
from benchmarks.slurm_cluster import SlurmCluster
from tests import services
from training.blocks import write_blocks
from training.job import Source, TrainingJob
from training.storage import open_folder, sha256
from training.vocabulary import Vocabulary, train_vocabulary

ROOT = Path(__file__).resolve().parents[1]
TEXTS = {
    "en": [f"The {a} {b} in the {c}." for a in ("old", "red", "small", "quiet", "long", "warm")
           for b in ("house", "bird", "river", "song", "train") for c in ("garden", "village", "morning", "winter")],
    "sw": [f"{a} {b} {c}." for a in ("Mwalimu", "Daktari", "Mkulima", "Mpishi")
           for b in ("anasoma", "anaimba", "anapika") for c in ("sokoni", "jikoni", "kijijini", "shuleni")],
}  # fmt: skip
SETTINGS = {"model": "tiny", "block_tokens": 16, "batch_blocks": 8, "warmup_steps": 2, "log_steps": 5,
            "cycle_samples": 64, "peak_learning_rate": 1e-3, "timeout_s": 20.0}  # fmt: skip
STEPS, CHECKPOINT_STEPS, DISTURB_AT = 200, 20, 60
LIMIT_S = 900.0
CUT_S = 45.0  # longer than the processes wait for each other
Disturbance = Callable[[Any], None]


@dataclass
class Run:
    """One job on its nodes, by where it is kept."""

    uri: str
    aside: Path
    noted: dict[str, Any] = field(default_factory=dict)

    def submit(self, prepared: Path) -> None:
        """Send the inputs and the job file."""
        folder = open_folder(self.uri)
        for path in prepared.iterdir():
            folder.upload(path, f"inputs/{path.name}")
        sources = {path.name: Source(f"{self.uri}/inputs/{path.name}", sha256(path)) for path in prepared.iterdir()}
        job = TrainingJob(
            name=self.uri.rsplit("/", 1)[1], settings=SETTINGS | {"steps": STEPS, "checkpoint_steps": CHECKPOINT_STEPS},
            vocabulary=sources["sentencepiece.bpe.model"], state=f"{self.uri}/state", nodes=2, restarts=5,
            join_timeout_s=150.0, blocks={language: (sources[f"{language}.npy"],) for language in TEXTS},
        )  # fmt: skip
        folder.put(job.to_json().encode(), "job.json")

    def newest(self) -> int:
        """The update of the newest kept checkpoint; 0 before the first."""
        names = open_folder(f"{self.uri}/state").names("checkpoints/step-")
        return max([0, *(int(name.split("/")[1][5:]) for name in names if name.endswith("complete.json"))])

    def wait_until(self, is_so: Callable[[], bool], what: str) -> float:
        began = time.monotonic()
        while not is_so():
            if time.monotonic() - began > LIMIT_S:
                raise RuntimeError(f"{self.uri}: waited {LIMIT_S:.0f} s for {what}")
            time.sleep(0.5)
        return round(time.monotonic() - began, 1)

    def result(self) -> dict[str, str]:
        """Digests of what must be equal: the weights, and the lines of metrics without speeds."""
        folder = open_folder(f"{self.uri}/state")
        folder.download("final/model.safetensors", self.aside)
        weights = sha256(self.aside)
        rows = [json.loads(line) for line in folder.get("metrics.jsonl", self.aside).decode().splitlines()]
        return {"weights_sha256": weights, "losses": json.dumps([[row["step"], row["loss_nats"]] for row in rows])}


# --- two hosts


class Hosts:
    """A job on two network namespaces, as two people would start it by hand."""

    def __init__(self, run: Run, work: Path) -> None:
        self.run, self.work = run, work
        self.jobs: dict[str, subprocess.Popen[bytes]] = {}
        for host in HOSTS:
            self.start(host)

    def start(self, host: str) -> None:
        rank = HOSTS.index(host)
        command = [sys.executable, "-m", "training.launch", "--job", f"{self.run.uri}/job.json", "--work",
                   str(self.work / host), "--node-rank", str(rank), "--rdzv-endpoint",
                   f"{ADDRESSES[HOSTS[0]]}:29400", "--local-addr", ADDRESSES[host]]  # fmt: skip
        environment = os.environ | {"GLOO_SOCKET_IFNAME": "eth0", "OMP_NUM_THREADS": "1"}
        with (self.work / f"{host}.log").open("ab") as log:
            self.jobs[host] = subprocess.Popen(network_hosts.inside(host, command), cwd=ROOT, env=environment,
                                               stdout=log, stderr=log, start_new_session=True)  # fmt: skip

    def finish(self) -> None:
        statuses = [job.wait(LIMIT_S) for job in self.jobs.values()]
        if any(statuses):
            raise RuntimeError(f"{self.run.uri}: ended with {statuses}: {self.log()[-3000:]}")

    def log(self) -> str:
        return "".join((self.work / f"{host}.log").read_text(errors="replace") for host in HOSTS)

    def kill_worker(self) -> None:
        _kill_worker(network_hosts.processes(HOSTS[1]))

    def _lose(self, host: str) -> None:
        """All its processes and its disk; the same command is typed again ten seconds later."""
        network_hosts.kill_all(host)
        self.jobs[host].wait()
        shutil.rmtree(self.work / host)
        time.sleep(10)
        self.start(host)

    def kill_second_host(self) -> None:
        self._lose(HOSTS[1])

    def kill_first_host(self) -> None:
        """The one that holds the rendezvous, too."""
        self._lose(HOSTS[0])

    def cut_link(self) -> None:
        network_hosts.set_link(HOSTS[1], "down")
        time.sleep(CUT_S)
        network_hosts.set_link(HOSTS[1], "up")


# --- Slurm


class SlurmJob:
    """A job of docker/slurm/pretrain.sbatch."""

    def __init__(self, run: Run, work: Path, cluster: SlurmCluster) -> None:
        self.run, self.work, self.cluster = run, work, cluster
        cluster.environment |= {
            "XLMR_PYTHON": sys.executable, "XLMR_CODE": str(ROOT), "XLMR_WORK": str(work), "OMP_NUM_THREADS": "1",
            "GLOO_SOCKET_IFNAME": "lo", "XLMR_LAUNCH_OPTIONS": "--local-addr 127.0.0.1",
        }  # fmt: skip
        self.job = cluster.said(
            "sbatch", "--parsable", "--nodes", "2", "--cpus-per-task", "1", "--output", str(work / "slurm.log"),
            str(ROOT / "docker/slurm/pretrain.sbatch"), f"{run.uri}/job.json",
        ).strip()  # fmt: skip

    def finish(self) -> None:
        self.run.wait_until(lambda: self.cluster.state(self.job) in {"COMPLETED", "FAILED", "CANCELLED"}, "the job")
        fields = self.cluster.fields(self.job)
        self.run.noted["requeued"] = int(fields["Restarts"])
        if fields["JobState"] != "COMPLETED":
            raise RuntimeError(f"job {self.job} {fields['JobState']} {fields['ExitCode']}: {self.log()[-3000:]}")

    def log(self) -> str:
        return (self.work / "slurm.log").read_text(errors="replace")

    def kill_worker(self) -> None:
        _kill_worker(self.cluster.tasks("node2"))

    def kill_node(self) -> None:
        """The node comes back once the controller has noticed."""
        self.cluster.kill_node("node2")
        for folder in self.work.glob(f"xlmr-{self.job}-1"):
            shutil.rmtree(folder)
        self.run.wait_until(lambda: self.cluster.state(self.job) == "PENDING", "the requeue")
        self.cluster.start_node("node2")

    def warn(self) -> None:
        """As Slurm does before the time limit (--signal=B:USR1@…)."""
        self.cluster.said("scancel", "--batch", "--signal=USR1", self.job)


def _kill_worker(pids: list[int]) -> None:
    for pid in pids:
        with contextlib.suppress(OSError):
            words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
            if b"training" in words and b"training.launch" not in words:
                os.kill(pid, signal.SIGKILL)
                return
    raise RuntimeError("no worker is running")


# --- rounds


def measure(start: Callable[[Run, Path], Any], name: str, disturb: Disturbance | None, bucket: str,
            prepared: Path, above: Path) -> dict[str, Any]:  # fmt: skip
    """One job from its submission to its end."""
    work = Path(tempfile.mkdtemp(prefix=f"{name}-", dir=above))
    run = Run(f"{bucket}/{work.name}", work / "aside")
    run.submit(prepared)
    began = time.monotonic()
    job = start(run, work)
    if disturb is not None:
        run.wait_until(lambda: run.newest() >= DISTURB_AT, f"update {DISTURB_AT}")
        run.noted["disturbed_after_update"] = run.newest()
        since = time.monotonic()
        disturb(job)
        stands = run.newest()
        run.wait_until(lambda: run.newest() > stands, "a newer checkpoint")
        run.noted["s_to_next_checkpoint"] = round(time.monotonic() - since, 1)
    job.finish()
    went_on = [int(line.rsplit(" ", 1)[1]) for line in job.log().splitlines() if line.startswith("going on from")]
    return run.result() | run.noted | {"went_on_from": went_on, "seconds": round(time.monotonic() - began, 1)}


def compare(start: Callable[[Run, Path], Any], disturbances: dict[str, Disturbance], rounds: int, bucket: str,
            prepared: Path, above: Path) -> dict[str, Any]:  # fmt: skip
    """Every disturbance beside the undisturbed run."""
    whole = measure(start, "undisturbed", None, bucket, prepared, above)
    table: dict[str, Any] = {"undisturbed": {key: whole[key] for key in ("weights_sha256", "seconds")}}
    print(f"undisturbed: {whole['seconds']} s, {whole['weights_sha256'][:12]}", file=sys.stderr, flush=True)
    for name, disturb in disturbances.items():
        table[name] = []
        for _ in range(rounds):
            found = measure(start, name, disturb, bucket, prepared, above)
            equal = all(found.pop(key) == whole[key] for key in ("weights_sha256", "losses"))
            table[name].append({"weights_and_losses_equal": equal} | found)
            print(f"{name}: {table[name][-1]}", file=sys.stderr, flush=True)
    return table


@contextmanager
def storage(address: str) -> Iterator[str]:
    """Swift at that address, for this process and those that it starts; the URI of a bucket."""
    with tempfile.TemporaryDirectory(prefix="xlmr-swift-") as name:
        servers, endpoint = services.start(Path(name), address)
        try:
            os.environ.update(AWS_ACCESS_KEY_ID=services.KEY, AWS_SECRET_ACCESS_KEY=services.SECRET,
                              AWS_ENDPOINT_URL=endpoint, AWS_DEFAULT_REGION="us-east-1")  # fmt: skip
            import boto3

            boto3.client("s3").create_bucket(Bucket=services.BUCKET)
            yield f"s3://{services.BUCKET}"
        finally:
            for server in servers:
                server.terminate()
                server.wait()


def prepare(folder: Path) -> Path:
    """A vocabulary and blocks of two languages."""
    folder.mkdir()
    model = folder / "sentencepiece.bpe.model"
    characters = {language: sum(map(len, texts)) for language, texts in TEXTS.items()}
    train_vocabulary({name: (lambda texts=texts: texts) for name, texts in TEXTS.items()}, characters, model, size=150)
    for language, texts in TEXTS.items():
        write_blocks(texts, Vocabulary.load(model), folder / f"{language}.npy", block_tokens=16)
    return folder


def on_hosts(rounds: int) -> dict[str, Any]:
    """In this process's network namespace, which is the switch."""
    disturbances = {"kill_worker": Hosts.kill_worker, "kill_second_host": Hosts.kill_second_host,
                    "kill_first_host": Hosts.kill_first_host, "cut_link": Hosts.cut_link}  # fmt: skip
    with tempfile.TemporaryDirectory(prefix="xlmr-nodes-") as name, storage(SERVER) as bucket:
        prepared = prepare(Path(name, "prepared"))
        return compare(Hosts, disturbances, rounds, bucket, prepared, Path(name))


def on_slurm(rounds: int) -> dict[str, Any]:
    disturbances = {"kill_worker": SlurmJob.kill_worker, "warn": SlurmJob.warn, "kill_node": SlurmJob.kill_node}
    with (
        tempfile.TemporaryDirectory(prefix="xlmr-nodes-") as name,
        storage("127.0.0.1") as bucket,
        tempfile.TemporaryDirectory(prefix="xlmr-slurm-") as slurm,
        slurm_cluster.cluster(Path(slurm)) as cluster,
    ):
        prepared = prepare(Path(name, "prepared"))
        return compare(lambda run, work: SlurmJob(run, work, cluster), disturbances, rounds, bucket, prepared,
                       Path(name))  # fmt: skip


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, help="file for the results; what it has of other clusters is kept")
    parser.add_argument("--on", default="hosts,slurm")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)  # of the switch's namespace
    arguments = parser.parse_args()
    services.install()
    found: dict[str, Any] = json.loads(arguments.json.read_text()) if arguments.json.exists() else {}
    found["conditions"] = (
        f"{os.cpu_count()} cores shared with other work, two nodes of one process, tiny model, {STEPS} updates, a "
        f"checkpoint every {CHECKPOINT_STEPS}, processes wait {SETTINGS['timeout_s']:.0f} s for each other; state on S3"
    )
    for where in arguments.on.split(","):
        if where == "hosts" and not arguments.inside:
            own = [sys.executable, "-m", "benchmarks.many_nodes", "--json", str(arguments.json), "--on", "hosts",
                   "--rounds", str(arguments.rounds), "--inside"]  # fmt: skip
            with network_hosts.hosts():
                if subprocess.run(network_hosts.inside(network_hosts.SWITCH, own), check=False).returncode:
                    return 1
            found |= json.loads(arguments.json.read_text())
        else:
            found[where] = on_hosts(arguments.rounds) if where == "hosts" else on_slurm(arguments.rounds)
    arguments.json.write_text(json.dumps(found, indent=1, sort_keys=True) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
