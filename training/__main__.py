"""`python -m training`: pretrain under torchrun, compute its memory, export a checkpoint.

Examples:
  python -m training pretrain --config run.json                                    one process
  python -m training.launch --standalone --nproc-per-node 2 -m training pretrain --config run.json      two
  sbatch --nodes 4 --gres gpu:8 docker/slurm/pretrain.sbatch s3://bucket/run/job.json                   Slurm
  kubectl create -f docker/kubernetes/jobset.json                                                  Kubernetes
  python -m training memory --config run.json --processes 8
  python -m training export --checkpoint run/final --vocabulary sentencepiece.bpe.model --output model

Exit status: 0 done; 2 wrong, asking again gives the same answer; 75 stopped or cut off, the same command goes on.
"""

from __future__ import annotations

import argparse
import logging
import os
import sys
from pathlib import Path

from training.errors import EXIT_TRY_AGAIN, exit_status


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m training", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    verbs = parser.add_subparsers(dest="verb", required=True)
    pretrain = verbs.add_parser("pretrain", help="masked-LM pretraining; goes on from the newest checkpoint")
    pretrain.add_argument("--config", type=Path, required=True, help="JSON file of settings (training/settings.py)")
    pretrain.add_argument("--output", type=Path, help="folder, instead of the one that the settings name")
    export = verbs.add_parser("export", help="a Hugging Face folder of a finished run")
    export.add_argument("--checkpoint", type=Path, required=True, help="the run's `final` folder")
    export.add_argument("--vocabulary", type=Path, required=True, help="SentencePiece model")
    export.add_argument("--output", type=Path, required=True, help="folder to write")
    memory = verbs.add_parser("memory", help="computed memory of one process on a GPU; starts nothing")
    memory.add_argument("--config", type=Path, required=True, help="JSON file of settings")
    memory.add_argument("--processes", type=int, default=1, help="processes of the run, one a GPU")
    memory.add_argument("--ids", type=int, default=0, help="size of the vocabulary, instead of reading its file")
    arguments = parser.parse_args()
    level = logging.INFO if os.environ.get("RANK", "0") == "0" else logging.WARNING
    logging.basicConfig(level=level, format="%(message)s", stream=sys.stderr)
    try:
        {"export": _export, "memory": _memory, "pretrain": _pretrain}[arguments.verb](arguments)
    except KeyboardInterrupt:
        print("training: stopped by Ctrl-C; the same command goes on from the last checkpoint", file=sys.stderr)
        return EXIT_TRY_AGAIN
    except Exception as error:
        status = exit_status(error)
        if status is None:  # a fault of the program
            raise
        print(f"training: {type(error).__name__}: {error}", file=sys.stderr)
        return status
    return 0


def _pretrain(arguments: argparse.Namespace) -> None:
    from training.child import die_with_parent
    from training.distributed import processes
    from training.loop import Pretraining
    from training.settings import read_settings

    if "TORCHELASTIC_RUN_ID" in os.environ:
        die_with_parent()
    settings = read_settings(arguments.config, arguments.output)
    with processes(settings.timeout_s) as joined:
        Pretraining(settings, joined).run()


def _export(arguments: argparse.Namespace) -> None:
    from training.export import export_hugging_face

    export_hugging_face(arguments.checkpoint, arguments.vocabulary, arguments.output)


def _memory(arguments: argparse.Namespace) -> None:
    from training.memory import encoder_of, memory_of
    from training.settings import read_settings
    from training.vocabulary import Vocabulary

    settings = read_settings(arguments.config)
    if arguments.processes < 1 or settings.batch_blocks % arguments.processes:
        raise ValueError(f"batch_blocks {settings.batch_blocks} cannot be shared by {arguments.processes} processes")
    if settings.start_from:
        raise ValueError("start_from: its sizes are not read here; name the preset in `model` and leave it out")
    config = encoder_of(settings, arguments.ids or len(Vocabulary.load(settings.vocabulary)))
    print(memory_of(config, settings, arguments.processes, on_gpu=True))


if __name__ == "__main__":
    status = main()
    sys.stdout.flush()
    sys.stderr.flush()
    # All files are written and all threads of ours have ended.  A worker of two was once seen to abort after its last
    # update ("terminate called without an active exception"), so libraries' threads are not taken down one by one.
    os._exit(status) if int(os.environ.get("WORLD_SIZE", "1")) > 1 else sys.exit(status)
