"""cc_net on one WET file, from its checkout's own cache, in one shard and one process.

Runs in cc_net's environment, in an empty working folder (cc_net reads bin/lid.bin there):
python benchmarks/cc_net_pipeline.py CHECKOUT WET MODELS IDENTIFIER
Leaves its documents in out/mined_split, and prints their number after each step as JSON.

The pipeline is cc_net's default (dedup, lid, keep_lang, sp, lm, pp_bucket, drop, split_by_lang) without its last step
(regroup), which we have no counterpart of.  A file that lies in `cache_dir` under its name is read from there, so
nothing is downloaded.  cc_net wants numpy below 2, and WET files with the headers of before 2020-24.  Of what its
setup.py asks for, `getpy` (a fork that is built from its source) may be missing: its line hashes are then in a dict.
"""

from __future__ import annotations

import gzip
import json
import logging
import re
import shutil
import subprocess
import sys
from pathlib import Path

DUMP = "2019-35"
KEPT = re.compile(r"Kept ([\d_]+) doc\w* over ([\d_]+)")


class Kept(logging.Handler):
    """(kept, before) of every step that tells it: cc_net has its counts in its log alone."""

    def __init__(self) -> None:
        super().__init__()
        self.found: dict[str, tuple[int, int]] = {}

    def emit(self, record: logging.LogRecord) -> None:
        if record.levelno != logging.INFO:  # what it says of a record that it cannot read does not format
            return
        if told := KEPT.search(record.getMessage()):
            self.found[record.name] = (int(told[1]), int(told[2]))


def version_of(checkout: Path) -> str:
    commit = subprocess.run(["git", "-C", checkout, "rev-parse", "--short", "HEAD"], capture_output=True, text=True)
    return commit.stdout.strip() or "not a git checkout"


def main() -> None:
    checkout, source, models, identifier = map(Path, sys.argv[1:5])
    sys.path.insert(0, str(checkout))
    from cc_net import flat_hash_set, mine

    kept = Kept()
    logging.getLogger().addHandler(kept)
    work = Path.cwd()
    (work / "bin").mkdir()
    (work / "bin" / "lid.bin").symlink_to(identifier.resolve())
    cache = work / "cache" / DUMP
    cache.mkdir(parents=True)
    shutil.copyfile(source, cache / source.name)
    with gzip.open(cache / f"wet_{DUMP}.paths.gz", "wt") as paths:
        paths.write(f"crawl-data/CC-MAIN-{DUMP}/segments/1/wet/{source.name}\n")
    config = mine.Config(
        config_name="benchmark", dump=DUMP, output_dir=work / "out", execution="debug", num_shards=1, hash_in_mem=1,
        lm_dir=models.resolve(), mine_num_processes=1, task_parallelism=1, cleanup_after_regroup=False,
        cache_dir=cache.parent,
    )  # fmt: skip
    try:
        mine.mine(config)
    except AssertionError:  # no document gives no file
        if "Classifier" not in kept.found:
            sys.exit(f"{source}: cc_net found no document: wanted a WET file with the headers of before 2020-24")
        raise
    long_enough, read = kept.found["cc_net.process_wet_file"]
    identified, deduplicated = kept.found["Classifier"]
    documents = {"read": read, "long_enough": long_enough, "deduplicated": deduplicated, "identified": identified}
    hash_set = flat_hash_set.FlatHashSet.__name__
    print(json.dumps({"version": version_of(checkout), "hash_set": hash_set, "documents": documents}))


if __name__ == "__main__":
    main()
