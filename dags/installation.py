"""This installation, as the environment variable XLMR_DEPLOYMENT names it (docs/operating.md)."""

from __future__ import annotations

import os
from pathlib import Path

from pipeline.crawl_list import read_crawl_list
from pipeline.deployment import ROOT, Deployment
from pipeline.deployment_file import DEFAULT_FILE, VARIABLE


def _load() -> Deployment:
    named = os.environ.get(VARIABLE, "")
    path = Path(named) if named else ROOT / DEFAULT_FILE
    return Deployment.load(path) if named or path.exists() else Deployment()


DEPLOYMENT = _load()
CRAWLS = tuple(crawl.id for crawl in read_crawl_list(DEPLOYMENT.crawl_list))  # oldest first
