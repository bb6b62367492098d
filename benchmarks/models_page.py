"""First paint of the Models page in headless Chromium, with recorded checkpoints of 116 languages and their scores.

    python -m benchmarks.models_page --json benchmarks/results/models_page.json

Each page is opened by a new browser that keeps nothing; `first` is the first request of the server's process.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import sync_playwright

from benchmarks.api_server import api_server
from benchmarks.corpus_page import measure_pages
from benchmarks.machine import measured
from benchmarks.recorded_models import make_store
from ccnet.languages import LANGUAGES
from pipeline.result_store import read_results
from pipeline.store import open_store


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--checkpoints", type=int, default=20)
    parser.add_argument("--times", type=int, default=7)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch, sync_playwright() as playwright:
        store = open_store(f"{scratch}/store")
        names = make_store(store, options.checkpoints)
        pages = {
            "overview": "/models/", "checkpoint": f"/models/checkpoints/{names[-1]}",
            "benchmark": "/models/benchmarks/xnli", "comparison": f"/models/compare?a={names[0]}&b={names[-1]}",
        }  # fmt: skip
        with api_server(Path(scratch) / "airflow", store.root) as server:
            found = measure_pages(playwright, server, pages, options.times)
        result = {
            **measured("apache-airflow", "playwright"), "checkpoints": len(names), "languages": len(LANGUAGES),
            "scores": len(read_results(store)), "pages": found,
        }  # fmt: skip
    json.dump(result, sys.stdout, indent=1)
    if options.json:
        options.json.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
