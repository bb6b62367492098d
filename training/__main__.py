"""`python -m training`: pretrain under torchrun, export a checkpoint.

Examples:
  python -m training pretrain --config run.json
  python -m training.launch --standalone --nproc-per-node 2 -m training pretrain --config run.json
  python -m training export --checkpoint run/final --vocabulary sentencepiece.bpe.model --output model

Exit status: 0 done; 2 wrong, asking again gives the same answer; 75 stopped or cut off, the same command goes on.
"""

from __future__ import annotations

import argparse
import logging
import os
import sys
from pathlib import Path

from training.errors import exit_status


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
    arguments = parser.parse_args()
    level = logging.INFO if os.environ.get("RANK", "0") == "0" else logging.WARNING
    logging.basicConfig(level=level, format="%(message)s", stream=sys.stderr)
    try:
        _export(arguments) if arguments.verb == "export" else _pretrain(arguments)
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


if __name__ == "__main__":
    status = main()
    sys.stdout.flush()
    sys.stderr.flush()
    # All files are written and all threads of ours have ended.  A worker of two was once seen to abort after its last
    # update ("terminate called without an active exception"), so libraries' threads are not taken down one by one.
    os._exit(status) if int(os.environ.get("WORLD_SIZE", "1")) > 1 else sys.exit(status)
