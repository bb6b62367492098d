"""What is known of the Airflow of one home: its port, its components, and who needs it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import psutil
from filelock import FileLock, Timeout
from pydantic import BaseModel, ValidationError

from embedded.airflow.environment import write_private
from embedded.airflow.errors import AirflowError
from embedded.airflow.processes import Identity, members, stop

ATTENDANT = "attendant"
LOCK_TIMEOUT_S = 300
Say = Callable[[str], None]


class Component(Identity):
    """One of Airflow's processes."""

    log_offset: int = 0  # where its log began with this start
    started: datetime = datetime.min.replace(tzinfo=UTC)


class State(BaseModel):
    """Written under the lock, each time a component was started."""

    port: int = 0
    stopping: bool = False  # a command stops, or has stopped, all of it
    kept: bool = False  # `make up`: it runs until `make down`
    defaults: str = ""  # digest of the forms' defaults that it was started with
    components: dict[str, Component] = {}
    users: list[Identity] = []  # `make run`s that follow a run; the last one to leave stops what is not kept

    @classmethod
    def read(cls, home: Path) -> State:
        """An unreadable file counts as none: processes are found by their mark as well."""
        try:
            return cls.model_validate_json((home / "state.json").read_text())
        except (OSError, ValidationError):
            return cls()

    def write(self, home: Path) -> None:
        write_private(home / "state.json", self.model_dump_json(indent=1))

    def living(self) -> dict[str, psutil.Process]:
        """component -> its process, of those that run."""
        found = {name: identity.process() for name, identity in self.components.items()}
        return {name: process for name, process in found.items() if process}

    def needed(self) -> bool:
        """Whether anyone still wants this Airflow to run."""
        return self.kept or any(user.process() for user in self.users)


@contextmanager
def locked(home: Path, say: Say) -> Iterator[State]:
    """The state, while no other command starts or stops anything here."""
    home.mkdir(parents=True, exist_ok=True, mode=0o700)
    lock = FileLock(home / "lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        say("another command is starting or stopping this Airflow: waiting for it")
        try:
            lock.acquire(timeout=LOCK_TIMEOUT_S)
        except Timeout as error:
            raise AirflowError(
                f"{home / 'lock'} is held for {LOCK_TIMEOUT_S} s: end the command that holds it"
            ) from error
    try:
        yield State.read(home)
    finally:
        lock.release()


def stop_all(home: Path, state: State, say: Say) -> tuple[int, list[psutil.Process]]:
    """Stop everything of this home; the caller has the lock.  Returns how many processes ended and which still run.

    The attendant goes last: it finishes the work of a caller that is interrupted.
    """
    state.stopping, state.users, state.kept = True, [], False
    state.write(home)
    last = state.components[ATTENDANT].pid if ATTENDANT in state.components else 0
    ended, _ = stop(lambda: [process for process in members(home) if process.pid != last], say)
    ended_last, remaining = stop(lambda: members(home), say)
    pids = {process.pid for process in remaining}
    state.components = {name: one for name, one in state.components.items() if one.pid in pids}
    state.write(home)
    return ended + ended_last, remaining
