"""Runs beside Airflow's components: bounds their logs, and stops an Airflow that nobody needs any more, also after the
`make run` that started it was killed.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

from embedded.airflow.log_files import bound
from embedded.airflow.processes import myself
from embedded.airflow.state import ATTENDANT, State, locked, stop_all

LOOK_EVERY_S = 1.0
BOUND_EVERY_S = 60.0


def attend(home: Path) -> None:
    """Until this process is no longer the attendant of the home."""
    next_bound = 0.0
    while (mine := State.read(home).components.get(ATTENDANT)) is None or mine.pid == myself().pid:
        if time.monotonic() >= next_bound:
            bound(home, time.time())
            next_bound = time.monotonic() + BOUND_EVERY_S
        if not State.read(home).needed():
            with locked(home, say) as state:
                if not state.needed():
                    say("the last command that used this Airflow is gone: stopping it")
                    stop_all(home, state, say)
                    return
        time.sleep(LOOK_EVERY_S)


def say(text: str) -> None:
    print(time.strftime("%FT%T"), text, flush=True)


if __name__ == "__main__":
    attend(Path(sys.argv[1]))
