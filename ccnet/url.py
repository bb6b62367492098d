"""URLs as a crawl has them: some are none."""

from __future__ import annotations

from urllib.parse import SplitResult, urlsplit


def split_url(url: str) -> SplitResult:
    """The URL's parts; all empty where it cannot be parsed (http://[a.example/)."""
    try:
        return urlsplit(url)
    except ValueError:
        return SplitResult("", "", "", "", "")
