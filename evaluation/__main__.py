"""`finetune`: evaluate an encoder folder on one benchmark; `score`: score a file; `compare`: two models' results.

Examples:
  python -m evaluation finetune --benchmark xnli --model model --data benchmarks --output results --seed 1
  python -m evaluation score --benchmark mlqa --gold test-context-es-question-es.json --predictions answers.json
  python -m evaluation compare results/last-week results/today --fail-on-regression
"""

from __future__ import annotations

import argparse
import json
import logging
import sys
from dataclasses import asdict, replace
from pathlib import Path
from typing import get_args

from evaluation.benchmarks import BENCHMARKS
from evaluation.settings import SELECTIONS, SETTINGS, Preset

EXIT_REGRESSION, EXIT_WRONG = 1, 2
Found = list[dict[str, object]] | dict[str, object]


def main() -> int:
    arguments = _parser().parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    try:
        found = {"finetune": _finetune, "score": _score, "compare": _compare}[arguments.verb](arguments)
    except ValueError as error:
        print(f"evaluation: {error}", file=sys.stderr)
        return EXIT_WRONG
    print(json.dumps(found, indent=1))
    regressed = isinstance(found, dict) and found["regression"]
    return EXIT_REGRESSION if regressed and arguments.fail_on_regression else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m evaluation", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    verbs = parser.add_subparsers(dest="verb", required=True)
    finetune = verbs.add_parser("finetune", help="fine-tune and score")
    finetune.add_argument("--benchmark", required=True, choices=sorted(BENCHMARKS))
    finetune.add_argument("--model", type=Path, required=True, help="Hugging Face folder of an encoder")
    finetune.add_argument("--data", type=Path, required=True, help="folder with the benchmarks' published files")
    finetune.add_argument("--output", type=Path, required=True, help="folder for results.json and predictions")
    finetune.add_argument("--state", type=Path, help="folder from which a killed run goes on (default: none)")
    finetune.add_argument("--seed", type=int, default=1, help="seed (default 1)")
    finetune.add_argument("--preset", choices=get_args(Preset), default="paper", help="(default paper)")
    finetune.add_argument("--learning-rates", type=float, nargs="+", default=[], metavar="RATE",
                          help="try each, take the best by the dev sets (default: the preset's one)")  # fmt: skip
    finetune.add_argument("--precision", choices=("auto", "float32", "bfloat16"), default="auto",
                          help="bfloat16: of products, not of weights; auto: on a GPU (default auto)")  # fmt: skip
    finetune.add_argument("--compile", action="store_true", help="with torch.compile")
    finetune.add_argument("--setting", choices=tuple(SETTINGS), default="", help="(default: the benchmark's first)")
    finetune.add_argument("--selection", choices=tuple(SELECTIONS), default="", help="(default: the preset's)")
    score = verbs.add_parser("score", help="score a file of predictions")
    score.add_argument("--benchmark", required=True, choices=sorted(BENCHMARKS))
    score.add_argument("--gold", type=Path, required=True, help="published file with its answers")
    score.add_argument("--predictions", type=Path, required=True, help="file of predictions")
    score.add_argument("--language", default="", help="test set, where the gold file's name does not say it")
    compare = verbs.add_parser("compare", help="say whether B is better or worse than A beyond noise")
    compare.add_argument("a", type=Path, metavar="A", help="folder of results, one or more seeds below it")
    compare.add_argument("b", type=Path, metavar="B", help="the same of the other model")
    compare.add_argument("--alpha", type=float, default=0.05, help="chance of a wrong verdict (default 0.05)")
    compare.add_argument("--margin", type=float, default=0.0, help="points below which all is noise (default 0)")
    compare.add_argument("--fail-on-regression", action="store_true", help="exit 1 where B is worse beyond noise")
    return parser


def _finetune(arguments: argparse.Namespace) -> Found:
    from evaluation.finetune import run
    from evaluation.hardware import precision_of
    from evaluation.presets import preset

    config = preset(arguments.preset, arguments.benchmark, arguments.seed, arguments.setting, arguments.selection,
                    tuple(arguments.learning_rates))  # fmt: skip
    config = replace(config, precision=precision_of(arguments.precision), compile=arguments.compile)
    rows = run(arguments.benchmark, arguments.model, arguments.data, arguments.output, config, arguments.state)
    return [asdict(row) for row in rows]


def _score(arguments: argparse.Namespace) -> Found:
    from evaluation.scoring import score

    rows = score(arguments.benchmark, arguments.gold, arguments.predictions, arguments.language)
    return [asdict(row) for row in rows]


def _compare(arguments: argparse.Namespace) -> Found:
    from evaluation.compare import compare_each
    from evaluation.results import read_failed_below, read_results_below

    rows = read_results_below(arguments.a), read_results_below(arguments.b)
    failed = read_failed_below(arguments.a), read_failed_below(arguments.b)
    return compare_each(*rows, alpha=arguments.alpha, margin=arguments.margin, failed=failed).to_json()


if __name__ == "__main__":
    sys.exit(main())
