"""`python -m training`: pretrain under torchrun, export a checkpoint.

Example:
  torchrun --nproc-per-node 2 -m training pretrain --config run.json
  python -m training export --checkpoint run/final --vocabulary sentencepiece.bpe.model --output model
"""

from __future__ import annotations

import argparse
import logging
import os
import sys
from pathlib import Path

EXIT_WRONG = 2
EXIT_TRY_AGAIN = 75


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
        if arguments.verb == "export":
            _export(arguments)
        else:
            return _pretrain(arguments)
    except ValueError as error:
        print(f"training: ValueError: {error}", file=sys.stderr)
        return EXIT_WRONG
    return 0


def _pretrain(arguments: argparse.Namespace) -> int:
    from training.distributed import processes
    from training.loop import Pretraining, Stopped
    from training.settings import read_settings

    settings = read_settings(arguments.config, arguments.output)
    with processes() as joined:
        try:
            Pretraining(settings, joined).run()
        except Stopped as stopped:
            print(f"training: {stopped}; run it again to go on", file=sys.stderr)
            return EXIT_TRY_AGAIN
    return 0


def _export(arguments: argparse.Namespace) -> None:
    from training.export import export_hugging_face

    export_hugging_face(arguments.checkpoint, arguments.vocabulary, arguments.output)


if __name__ == "__main__":
    sys.exit(main())
