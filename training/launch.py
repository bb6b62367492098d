"""torchrun with the workers' exit status, and a job's part on this node.

Examples:
  one process      python -m training pretrain --config run.json
  two processes    python -m training.launch --standalone --nproc-per-node 2 -m training pretrain --config run.json
  a job, one node  python -m training.launch --job s3://bucket/run/job.json
  two nodes        python -m training.launch --job JOB --node-rank 0 --rdzv-endpoint HOST0:29400    on HOST0
                   python -m training.launch --job JOB --node-rank 1 --rdzv-endpoint HOST0:29400    on the other
  Slurm            sbatch --nodes 4 --gres gpu:8 docker/slurm/pretrain.sbatch s3://bucket/run/job.json
  Kubernetes       kubectl create -f docker/kubernetes/jobset.json        (or trainjob.json, with Kubeflow Trainer)

torchrun itself ends with 1 whatever its workers say.  Here 2 stays 2 (asking again gives the same answer); a lost
worker, a lost node or a stop from outside is 75 (the same command goes on from the last checkpoint).
"""

from __future__ import annotations

import argparse
import logging
import sys
import tempfile
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

from training.errors import EXIT_DONE, EXIT_TRY_AGAIN, EXIT_WRONG, exit_status

log = logging.getLogger(__name__)


def launch(arguments: Sequence[str]) -> int:
    """Run torchrun with these arguments in this process; the exit status."""
    from torch.distributed import DistError
    from torch.distributed.elastic.multiprocessing.api import SignalException
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
    from torch.distributed.elastic.rendezvous import RendezvousError

    torchrun = import_module("torch.distributed.run")  # the package has a function of that name
    try:
        torchrun.run(torchrun.parse_args(list(arguments)))
    except ChildFailedError as error:
        return _status_of_workers({failure.exitcode for failure in error.failures.values()})
    except SignalException as error:
        log.warning("training: asked to stop by %s; run it again to go on", error.sigval.name)
        return EXIT_TRY_AGAIN
    except (RendezvousError, DistError, ConnectionError) as error:
        log.warning("training: lost the other nodes: %s", error)
        return EXIT_TRY_AGAIN
    return EXIT_DONE


def _status_of_workers(codes: set[int]) -> int:
    """2 where one worker says that the run is wrong; a fault of the program is 1; else 75."""
    if EXIT_WRONG in codes:
        return EXIT_WRONG
    return 1 if 1 in codes else EXIT_TRY_AGAIN


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m training.launch", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="All other options are torchrun's.", allow_abbrev=False,
    )  # fmt: skip
    parser.add_argument("--job", help="job file: a path, file:// or s3:// (docs/training.md)")
    parser.add_argument("--work", type=Path, help="folder of this node for inputs and checkpoints; default: temporary")
    parser.add_argument("--node-rank", type=int, help="number of this node, from 0; node 0 holds the rendezvous")
    if not any(argument == "--job" or argument.startswith("--job=") for argument in arguments):
        if set(arguments) & {"-h", "--help"}:
            parser.print_help()
            return EXIT_DONE
        return launch(arguments)
    chosen, options = parser.parse_known_args(arguments)
    try:
        return _run_job(chosen.job, chosen.work, chosen.node_rank, options)
    except Exception as error:
        status = exit_status(error)
        if status is None:  # a fault of the program
            raise
        print(f"training: {type(error).__name__}: {error}", file=sys.stderr)
        return status


def _run_job(uri: str, work: Path | None, node_rank: int | None, options: Sequence[str]) -> int:
    from training.job import TrainingJob
    from training.node import Node, forget_outcomes, torchrun_arguments
    from training.storage import read_bytes

    with tempfile.TemporaryDirectory(prefix="xlmr-job-") as aside:
        try:
            job = TrainingJob.from_json(read_bytes(uri, Path(aside, "job.json")), uri)
        except FileNotFoundError as error:
            raise ValueError(f"{uri}: no such job file") from error
    work = work or Path(tempfile.gettempdir(), f"xlmr-{job.name}-{node_rank or 0}")
    work.mkdir(parents=True, exist_ok=True)
    arguments = torchrun_arguments(job, work, node_rank, options)
    if job.nodes == 1 and not job.restarts:
        return launch(arguments)
    if not node_rank:
        forget_outcomes(job.state)
    return Node(job, arguments).run()


if __name__ == "__main__":
    logging.basicConfig(level=logging.WARNING, format="%(message)s", stream=sys.stderr)
    sys.exit(main(sys.argv[1:]))
