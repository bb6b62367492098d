"""`python -m evaluation finetune`: fine-tune an exported model on one benchmark and score it.

Example:
  python -m evaluation finetune --benchmark xnli --model model --data benchmarks --output results --seed 1
"""

from __future__ import annotations

import argparse
import json
import logging
import sys
from dataclasses import asdict
from pathlib import Path

from evaluation.benchmark import BENCHMARKS

EXIT_WRONG = 2


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m evaluation", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    verbs = parser.add_subparsers(dest="verb", required=True)
    finetune = verbs.add_parser("finetune", help="fine-tune and score")
    finetune.add_argument("--benchmark", required=True, choices=sorted(BENCHMARKS))
    finetune.add_argument("--model", type=Path, required=True, help="exported Hugging Face folder")
    finetune.add_argument("--data", type=Path, required=True, help="folder with xnli, conll, mlqa, glue")
    finetune.add_argument("--output", type=Path, required=True, help="folder for results.json and predictions")
    finetune.add_argument("--seed", type=int, default=1, help="seed (default 1)")
    finetune.add_argument("--preset", choices=("tiny", "paper"), default="paper", help="settings (default paper)")
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    from evaluation.finetune import FinetuneConfig, run

    try:
        config = FinetuneConfig.preset(arguments.preset, arguments.benchmark, arguments.seed)
        results = run(arguments.benchmark, arguments.model, arguments.data, arguments.output, config)
    except ValueError as error:
        print(f"evaluation: {error}", file=sys.stderr)
        return EXIT_WRONG
    print(json.dumps([asdict(result) for result in results], indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
