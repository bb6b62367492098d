"""One Airflow component as a process: `python -m embedded.airflow.component scheduler …`.

Airflow imports some thousands of modules.  With Python's default threshold a third of the start is spent in the garbage
collector, which finds nothing there.
"""

from __future__ import annotations

import gc
import os
import runpy
import sys

GC_THRESHOLD = (50_000, 20, 50)
PARSING_NICENESS = 5  # the pages are wanted first; reading the DAGs' files takes as much processor time


def main() -> None:
    gc.set_threshold(*GC_THRESHOLD)
    if sys.argv[1] == "dag-processor":
        os.nice(PARSING_NICENESS)
    sys.argv = ["airflow", *sys.argv[1:]]
    runpy.run_module("airflow", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
