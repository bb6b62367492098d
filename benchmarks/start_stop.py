"""Start and stop the embedded Airflow again and again, under load: seconds of each, and what failed.

Example: python -m benchmarks.start_stop --times 20 --burners 2
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil

from embedded.airflow.errors import AirflowError
from embedded.airflow.installation import EmbeddedAirflow
from embedded.airflow.processes import members

DAGS = Path(__file__).resolve().parent.parent / "dags"
BURNER = "while True: pass"


def start_and_stop(airflow: EmbeddedAirflow) -> tuple[float, float]:
    """Seconds until the pages can be used, and until nothing runs any more.  Raises AirflowError."""
    begun = time.monotonic()
    airflow.start(keep=True)
    ready = time.monotonic()
    _, remaining = airflow.stop()
    if remaining or (left := members(airflow.home)):
        raise AirflowError(f"still running after the stop: {remaining or left}")
    return ready - begun, time.monotonic() - ready


def row(name: str, seconds: list[float]) -> str:
    return f"{name:<6} median {statistics.median(seconds):5.1f} s   longest {max(seconds):5.1f} s"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=20)
    parser.add_argument(
        "--burners", type=int, default=psutil.cpu_count() or 2, help="processes that only take CPU time"
    )
    chosen = parser.parse_args()
    burners = [subprocess.Popen([sys.executable, "-c", BURNER]) for _ in range(chosen.burners)]
    starts, stops, failures = [], [], 0
    try:
        with tempfile.TemporaryDirectory() as folder:
            airflow = EmbeddedAirflow(Path(folder) / "airflow", DAGS, {}, print)
            for number in range(1, chosen.times + 1):
                try:
                    start, stop = start_and_stop(airflow)
                except AirflowError as error:
                    failures += 1
                    print(f"{number:>3}  failed: {error}", flush=True)
                    airflow.stop()
                    continue
                starts.append(start)
                stops.append(stop)
                print(f"{number:>3}  start {start:5.1f} s   stop {stop:5.1f} s", flush=True)
    finally:
        for burner in burners:
            burner.kill()
    print(f"{chosen.times} times with {chosen.burners} burners: {failures} failed")
    if starts:
        print(row("start", starts), row("stop", stops), sep="\n")
    sys.exit(bool(failures))


if __name__ == "__main__":
    main()
