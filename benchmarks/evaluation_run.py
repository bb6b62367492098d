"""A checkpoint on published data through the DAG `xlmr_evaluate`: three seeds, beside chance and a baseline.

    make up                                                     # its deployment names the store with the checkpoint
    python -m benchmarks.evaluation_run arrange --published FOLDER --to DATA     # then `benchmark_data` is DATA
    python -m benchmarks.evaluation_run run --checkpoint NAME --json benchmarks/results/evaluation_run.json

FOLDER has published files: xnli, conll2002, mlqa, tydiqa_goldp, glue (MRPC, QNLI's dev set, SST-2, STS-B), masakhaner,
tatoeba.
Two sets are made from what is there: QNLI's dev set is split, four fifths to train on and a fifth to score, by its
questions' order; TyDi QA's English questions stand for SQuAD (train-v1.1.json), which is not among the files.  `sib200`
has sentences written by templates, to show the layout's way through the DAG: its scores say nothing.
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

from benchmarks.machine import measured
from embedded.airflow.client import DONE_STATES, Client
from embedded.airflow.installation import EmbeddedAirflow
from embedded.run import DAGS
from pipeline.deployment import Deployment
from pipeline.runs import EVALUATE
from pipeline.store import open_store

POLL_S = 10.0
# benchmarks, setting and selection of each run of the DAG; units of a run are its benchmarks x seeds
ASKED: tuple[dict[str, Any], ...] = (
    {"benchmarks": ["tatoeba"], "benchmark_setting": "default"},
    {"benchmarks": ["sst2", "mrpc", "stsb", "qnli"], "benchmark_setting": "default"},
    {"benchmarks": ["xnli"], "benchmark_setting": "transfer", "selection": "source"},
    {"benchmarks": ["xnli"], "benchmark_setting": "translate-train-all"},
    {"benchmarks": ["mlqa"], "benchmark_setting": "default"},
    {"benchmarks": ["sib200"], "benchmark_setting": "transfer"},
    {"benchmarks": ["masakhaner"], "benchmark_setting": "each"},
    {"benchmarks": ["ner"], "benchmark_setting": "each"},
)
SIB_WORDS = {
    "eng_Latn": ("the {} is described in this report", {
        "science/technology": ("telescope", "experiment"), "travel": ("hotel", "journey"),
        "politics": ("election", "parliament"), "sports": ("match", "championship"), "health": ("vaccine", "hospital"),
        "entertainment": ("film", "concert"), "geography": ("mountain", "river")}),
    "spa_Latn": ("este informe describe: {}", {
        "science/technology": ("telescopio", "experimento"), "travel": ("hotel", "viaje"),
        "politics": ("elección", "parlamento"), "sports": ("partido", "campeonato"), "health": ("vacuna", "hospital"),
        "entertainment": ("película", "concierto"), "geography": ("montaña", "río")}),
    "swh_Latn": ("ripoti hii inaeleza: {}", {
        "science/technology": ("darubini", "jaribio"), "travel": ("hoteli", "safari"),
        "politics": ("uchaguzi", "bunge"), "sports": ("mechi", "mashindano"), "health": ("chanjo", "hospitali"),
        "entertainment": ("filamu", "tamasha"), "geography": ("mlima", "mto")}),
}  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    verbs = parser.add_subparsers(dest="verb", required=True)
    arranging = verbs.add_parser("arrange", help="copy published files to where their readers look for them")
    arranging.add_argument("--published", type=Path, required=True)
    arranging.add_argument("--to", type=Path, required=True)
    running = verbs.add_parser("run", help="start the runs one after another and write the scores")
    running.add_argument("--checkpoint", required=True, help="name of a checkpoint in the store")
    running.add_argument("--finetuning", default="small", help="preset (default small)")
    running.add_argument("--seeds", type=int, default=3, help="(default 3)")
    running.add_argument("--only", nargs="+", metavar="BENCHMARK", help="(default: all)")
    running.add_argument("--var", type=Path, default=Path("var"), help="folder of `make up` (default var)")
    running.add_argument("--json", type=Path, help="write the result there, after each run")
    arguments = parser.parse_args()
    if arguments.verb == "arrange":
        arrange(arguments.published, arguments.to)
        return
    for result in measure(arguments, _standing(arguments.json)):
        text = json.dumps(result, indent=1, ensure_ascii=False)
        if arguments.json:
            arguments.json.write_text(text + "\n", encoding="utf-8")
    print(text)


def arrange(published: Path, to: Path) -> None:
    for name in ("xnli", "mlqa", "masakhaner", "tatoeba"):
        shutil.copytree(published / name, to / name, dirs_exist_ok=True)
    shutil.copytree(published / "conll2002", to / "conll", dirs_exist_ok=True)
    for name in ("MRPC", "SST-2", "STS-B"):
        shutil.copytree(published / "glue" / name, to / "glue" / name, dirs_exist_ok=True)
    shutil.copyfile(published / "tydiqa_goldp" / "tydiqa.goldp.en.train.json", to / "mlqa" / "train-v1.1.json")
    header, *rows = (published / "glue" / "QNLI" / "dev.tsv").read_text(encoding="utf-8").rstrip("\n").split("\n")
    cut = len(rows) * 4 // 5
    (to / "glue" / "QNLI").mkdir(parents=True, exist_ok=True)
    for name, part in (("train", rows[:cut]), ("dev", rows[cut:])):
        (to / "glue" / "QNLI" / f"{name}.tsv").write_text("\n".join([header, *part]) + "\n", encoding="utf-8")
    for language, (frame, words) in SIB_WORDS.items():
        _write_sib(to / "sib200" / language, frame, words)


def _write_sib(folder: Path, frame: str, words: dict[str, tuple[str, str]]) -> None:
    """SIB-200's layout and sizes: 701, 99 and 204 sentences."""
    folder.mkdir(parents=True, exist_ok=True)
    chance, topics = random.Random(1), sorted(words)
    for name, count in (("train", 701), ("dev", 99), ("test", 204)):
        lines = ["index_id\tcategory\ttext"]
        for index in range(count):
            topic, other = chance.sample(topics, 2)
            said = [chance.choice(words[topic]), chance.choice(words[topic]), chance.choice(words[other])]
            lines.append(f"{index}\t{topic}\t{frame.format(', '.join(said))}")
        (folder / f"{name}.tsv").write_text("\n".join(lines) + "\n", encoding="utf-8")


def _standing(file: Path | None) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(file.read_text(encoding="utf-8")) if file and file.is_file() else {}
    return found


def measure(arguments: argparse.Namespace, standing: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The result so far, after each run of the DAG; how long runs took that an earlier call started is kept."""
    client = EmbeddedAirflow(arguments.var / "airflow", DAGS, {}, print).client
    deployment = Deployment.load(arguments.var / "deployment.json")
    seconds: dict[str, float] = standing.get("seconds_of_runs", {})
    states: dict[str, str] = standing.get("states", {})
    for asked in ASKED:
        if arguments.only and not set(arguments.only) & set(asked["benchmarks"]):
            continue
        name = f"{'+'.join(asked['benchmarks'])} {asked['benchmark_setting']}"
        began = time.monotonic()
        states[name] = _follow(client, arguments, asked)
        seconds[name] = round(time.monotonic() - began)
        print(f"{name}: {states[name]} in {seconds[name]} s", flush=True)
        yield {
            **measured("torch", "apache-airflow"),
            "checkpoint": arguments.checkpoint,
            "finetuning": arguments.finetuning,
            "seeds": arguments.seeds,
            "states": states,
            "seconds_of_runs": seconds,
            "scores": list(_scores(deployment.store, arguments.checkpoint)),
        }


def _follow(client: Client, arguments: argparse.Namespace, asked: dict[str, Any]) -> str:
    """Trigger one run of the DAG and wait for its end."""
    conf = asked | {
        "checkpoint": arguments.checkpoint,
        "finetuning": arguments.finetuning,
        "seeds": list(range(1, arguments.seeds + 1)),
    }
    run = client.trigger(EVALUATE.dag_id, conf)
    while run.state not in DONE_STATES:
        time.sleep(POLL_S)
        run = client.run(EVALUATE.dag_id, run.run_id)
    return run.state


def _scores(store_uri: str, checkpoint: str) -> Iterator[dict[str, Any]]:
    """Mean and deviation over seeds of every test set and metric, beside chance and baseline."""
    from pipeline.result_store import newest, read_results

    found: dict[tuple[str, str, str, str, str], list[Any]] = {}
    for each in newest(read_results(open_store(store_uri), checkpoint_name=checkpoint)):
        found.setdefault(each.row.place, []).append(each)
    for (benchmark, setting, selection, language, metric), rows in found.items():
        values = [each.row.value for each in rows]
        yield {
            "benchmark": benchmark, "setting": setting, "selection": selection, "language": language, "metric": metric,
            "mean": round(fmean(values), 2), "deviation": round(stdev(values), 2) if len(values) > 1 else None,
            "seeds": len(values), "examples": rows[0].row.examples, "chance": rows[0].row.chance,
            "baseline": rows[0].row.baseline, "baseline_is": rows[0].row.baseline_is,
            "flags": sorted({flag for each in rows for flag in each.row.flags}),
            "unit_seconds": round(fmean([each.origin.seconds for each in rows])),
        }  # fmt: skip


if __name__ == "__main__":
    main()
