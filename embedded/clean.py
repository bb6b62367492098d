"""Remove a store with every artifact in it, but never unasked.  Standard library only: it runs without `.venv`."""

from __future__ import annotations

import argparse
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

from embedded.airflow.log_files import size


def clean_store(store: Path, *, confirmed: bool, ask: Callable[[str], str] = input) -> str:
    """Remove the store if the answer to a question that names its path and size is yes.  Returns what was done."""
    if not store.is_dir():
        return f"there is no store at {store}"
    what = f"{store} with all its artifacts ({size(store) / 1e6:,.1f} MB)"
    if not confirmed and ask(f"remove {what}? [yes/no] ").strip().lower() not in ("y", "yes"):
        return f"kept {what}"
    shutil.rmtree(store)
    return f"removed {what}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("store", type=Path)
    parser.add_argument("--yes", action="store_true", help="do not ask")
    chosen = parser.parse_args()
    try:
        print(clean_store(chosen.store.resolve(), confirmed=chosen.yes))
    except EOFError:
        sys.exit("nobody answered, so the store is kept: make clean-store CONFIRM=yes removes it unasked")


if __name__ == "__main__":
    main()
