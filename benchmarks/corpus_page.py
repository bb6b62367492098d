"""First paint of the Corpus page in headless Chromium, with recorded statistics of 116 languages and 100 dumps.

    python -m benchmarks.corpus_page --json benchmarks/results/corpus_page.json

Each page is opened by a new browser that keeps nothing; `first` is the first request of the server's process.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Playwright, sync_playwright

from benchmarks.api_server import ApiServer, api_server
from benchmarks.machine import measured
from benchmarks.recorded_statistics import make_store
from ccnet.languages import LANGUAGES
from pipeline.statistics import Kind, StatisticsReader
from pipeline.store import open_store

CHROMIUM = "/usr/bin/chromium"
PAINTED_S = 20.0
PAINT = "performance.getEntriesByName('first-contentful-paint')[0].startTime"


def crawl_ids(number: int) -> list[str]:
    """Eight a year, as CommonCrawl has had them."""
    weeks = (5, 9, 13, 18, 22, 26, 30, 35)
    return [f"CC-MAIN-{2013 + n // len(weeks)}-{weeks[n % len(weeks)]:02d}" for n in range(number)]


def measure_pages(playwright: Playwright, server: ApiServer, pages: Mapping[str, str], times: int) -> dict[str, Any]:
    """Each of the pages by its name, first and then `times` times; `first` is the first of a fresh process."""
    browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
    found = {"first": measure(browser, server, pages["overview"], 1)}
    time.sleep(5)  # the chart library is started after the first page
    for name, path in pages.items():
        found[f"{name}, first"] = measure(browser, server, path, 1)
        found[name] = measure(browser, server, path, times)
    browser.close()
    return found


def measure(browser: Browser, server: ApiServer, path: str, times: int) -> dict[str, Any]:
    """Milliseconds from navigation to the first contentful paint, and to the end of loading; bytes of the page."""
    paints, loads, sizes = [], [], []
    for _ in range(times):
        context = browser.new_context()
        context.add_cookies([{"name": "_token", "value": server.token("viewer"), "url": server.url}])
        page = context.new_page()
        reply = page.goto(server.url + path, wait_until="load")
        if reply is None or reply.status != 200:
            raise RuntimeError(f"{path}: {reply and reply.status}")
        deadline = time.monotonic() + PAINTED_S
        while not page.evaluate("performance.getEntriesByName('first-contentful-paint').length"):
            if time.monotonic() > deadline:
                raise RuntimeError(f"{path}: nothing was painted within {PAINTED_S} s")
            page.wait_for_timeout(20)  # wait_for_function is refused by the page's Content-Security-Policy
        paints.append(page.evaluate(PAINT))
        loads.append(page.evaluate("performance.getEntriesByType('navigation')[0].loadEventEnd"))
        sizes.append(len(reply.body()))
        context.close()
    return {
        "paint_ms": round(statistics.median(paints)), "worst_paint_ms": round(max(paints)),
        "load_ms": round(statistics.median(loads)), "page_bytes": sizes[-1], "times": times,
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dumps", type=int, default=100)
    parser.add_argument("--times", type=int, default=7)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    crawls = crawl_ids(options.dumps)
    last = crawls[-1]
    pages = {
        "overview": "/corpus/", "dump": f"/corpus/dumps/{last}", "language": f"/corpus/dumps/{last}/languages/sw",
        "release": "/corpus/releases/cc100",
    }  # fmt: skip
    with tempfile.TemporaryDirectory() as scratch, sync_playwright() as playwright:
        store = open_store(f"{scratch}/store")
        make_store(store, crawls)
        size_bytes = [corpus.artifact.size_bytes for corpus in StatisticsReader(store).corpora(Kind.DUMP)]
        with api_server(Path(scratch) / "airflow", store.root) as server:
            found = measure_pages(playwright, server, pages, options.times)
    result = {
        **measured("apache-airflow", "playwright"), "dumps": len(crawls), "languages": len(LANGUAGES),
        "statistics_bytes_a_dump": max(size_bytes), "pages": found,
    }  # fmt: skip
    json.dump(result, sys.stdout, indent=1)
    if options.json:
        options.json.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
