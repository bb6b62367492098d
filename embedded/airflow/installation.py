"""The Airflow of one home: start what is missing, wait until it can be used, stop all of it."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil

from embedded.airflow import attendant, component
from embedded.airflow.client import Client
from embedded.airflow.database import close_jobs, migrate
from embedded.airflow.environment import Secrets, environment
from embedded.airflow.errors import AirflowError, PortTaken
from embedded.airflow.log_files import advice, reason, said_since
from embedded.airflow.ports import FIRST_PORT, choose_port, is_free
from embedded.airflow.processes import Identity, family, members, myself, stop
from embedded.airflow.state import ATTENDANT, Component, Say, State, locked, stop_all
from embedded.deployment import FILE
from pipeline.deployment import POOLS

COMMANDS = {
    "api-server": [component.__name__, "api-server", "--workers", "1"],
    "scheduler": [component.__name__, "scheduler", "--skip-serve-logs"],  # its log server listens on every interface
    "dag-processor": [component.__name__, "dag-processor"],
    ATTENDANT: [attendant.__name__],
}
JOB_TYPES = {"scheduler": "SchedulerJob", "dag-processor": "DagProcessorJob"}
FIRST_DAG = "xlmr_end_to_end"
READY_TIMEOUT_S = 240.0
IMPORT_ERROR_GRACE_S = 10.0  # another file's error may be told before our DAG is
LOOK_EVERY_S = 0.2
STARTS = 3  # with another port each, where one was taken meanwhile


class EmbeddedAirflow:
    """Started, used and stopped by any number of commands; one of them at a time starts or stops."""

    def __init__(self, home: Path, dags: Path, defaults: Mapping[str, Any], say: Say = lambda text: None) -> None:
        self.home = home.resolve()
        self.dags = dags.resolve()
        self.defaults = dict(defaults)
        self.say = say
        self.secrets = Secrets.of(self.home)
        self._client: Client | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{State.read(self.home).port}"

    @property
    def client(self) -> Client:
        """The API of the Airflow that runs now."""
        if self._client is None or self._client.url != self.url:
            self._client = Client(self.url, self.secrets.password, self.home)
        return self._client

    def running(self) -> bool:
        return not self.missing()

    def living(self) -> list[str]:
        """Components that run."""
        living = State.read(self.home).living()
        return [name for name in COMMANDS if name in living]

    def missing(self) -> list[str]:
        """Components that do not run."""
        living = self.living()
        return [name for name in COMMANDS if name not in living]

    def was_stopped(self) -> bool:
        """Whether a command stopped it on purpose."""
        return State.read(self.home).stopping

    def start(self, *, keep: bool) -> list[str]:
        """Start what is missing, wait until all can be used; returns what was started.  Raises AirflowError.

        Kept, it runs until `stop`; else until the last command that started it so called `leave` or ended.
        """
        for attempt in range(1, STARTS + 1):
            launched: set[str] = set()
            kept_before = State.read(self.home).kept
            try:
                with locked(self.home, self.say) as state:
                    self._enter(state, keep)
                    self._start_missing(state, launched, keep)
                self._wait_ready(launched)
                if launched:
                    self.client.set_pools(POOLS)
                return [name for name in COMMANDS if name in launched]
            except BaseException as error:
                if isinstance(error, KeyboardInterrupt):
                    self.say("interrupted: stopping what was started of Airflow")
                self._withdraw(launched, kept=kept_before)
                if not isinstance(error, PortTaken) or attempt == STARTS:
                    raise
                self.say(str(error))
        raise AssertionError("unreachable")

    def stop(self) -> tuple[int, list[psutil.Process]]:
        """Stop everything of this home.  Returns how many processes ended, and those that still run."""
        with locked(self.home, self.say) as state:
            return stop_all(self.home, state, self.say)

    def leave(self) -> bool:
        """This command needs Airflow no longer.  True if it was stopped, because nobody else does."""
        with locked(self.home, self.say) as state:
            state.users = [user for user in state.users if user.process() and user.pid != myself().pid]
            state.write(self.home)
            if state.needed():
                return False
            stop_all(self.home, state, self.say)
            return True

    def stops_with_us(self) -> bool:
        """Whether `leave` would stop it."""
        state = State.read(self.home)
        others = [user for user in state.users if user.process() and user.pid != myself().pid]
        return not state.kept and not others

    def why_ended(self, names: list[str]) -> AirflowError:
        """One line: which components, why the first one, what to do."""
        state = State.read(self.home)
        log = self.home / f"{names[0]}.log"
        said = said_since(log, state.components[names[0]].log_offset if names[0] in state.components else 0)
        if "address already in use" in said.lower():
            return PortTaken(f"port {state.port} was taken while Airflow started: taking another one")
        what = f"Airflow's {', '.join(names)} ended: {reason(said)}"
        return AirflowError(f"{what}. What to do: {advice(said)} ({log})")

    def _enter(self, state: State, keep: bool) -> None:
        state.stopping = False
        if keep:
            state.kept = True
        else:
            state.users = [*(user for user in state.users if user.process()), myself()]
        state.write(self.home)

    def _start_missing(self, state: State, launched: set[str], keep: bool) -> None:
        living = state.living()
        self._clear(list(living.values()))
        if "api-server" not in living and living and not is_free(state.port):
            self.say(f"port {state.port} was taken by another program: starting all of Airflow again on another")
            stop_all(self.home, state.model_copy(), self.say)  # who needs it stays as it is
            living = {}
        digest = hashlib.sha256(json.dumps(self.defaults, sort_keys=True).encode()).hexdigest()
        if not set(living) - {ATTENDANT}:
            self._choose_port(state)
            state.defaults = digest
        elif keep and state.defaults != digest:
            self.say(
                "Airflow runs already, so its forms keep the defaults of its start (make down; make up takes new ones)"
            )
        missing = [name for name in COMMANDS if name not in living]
        if not missing:
            return
        variables = environment(self.home, self.dags, state.port, self.secrets, self.home.parent / FILE)
        if not living.keys() & JOB_TYPES.keys():
            self.secrets.write_passwords(self.home)
            if migrate(self.home, variables):
                self.say("Airflow's database is made")
        close_jobs(self.home, [JOB_TYPES[name] for name in missing if name in JOB_TYPES])
        for name in missing:
            launched.add(name)
            self._spawn(name, variables, state)

    def _clear(self, living: list[psutil.Process]) -> None:
        """Stop what components that ended left behind: their tasks would write beside those of the next one."""
        ended, remaining = stop(lambda: self._outside(living), self.say)
        if remaining:
            pids = ", ".join(str(process.pid) for process in remaining)
            raise AirflowError(f"processes of an earlier Airflow of this folder cannot be stopped: end {pids} first")
        if ended:
            self.say(f"ended {ended} processes that an earlier Airflow of this folder left behind")

    def _outside(self, living: list[psutil.Process]) -> list[psutil.Process]:
        spared = family(living)
        return [process for process in members(self.home) if process.pid not in spared]

    def _choose_port(self, state: State) -> None:
        wanted = state.port or FIRST_PORT
        state.port = choose_port(state.port)
        if state.port != wanted:
            self.say(f"port {wanted} is taken by another program: Airflow is on port {state.port}")

    def _spawn(self, name: str, variables: Mapping[str, str], state: State) -> None:
        arguments = [str(self.home)] if name == ATTENDANT else []
        command = [sys.executable, "-m", *COMMANDS[name], *arguments]
        started = datetime.now(UTC)
        with (self.home / f"{name}.log").open("ab") as out:
            offset = out.tell()
            process = subprocess.Popen(
                command, env=variables, cwd=self.home, stdin=subprocess.DEVNULL, stdout=out, stderr=out,
                start_new_session=True,
            )  # fmt: skip
        known = Identity.of(psutil.Process(process.pid))
        state.components[name] = Component(**known.model_dump(), log_offset=offset, started=started)
        state.write(self.home)

    def _withdraw(self, launched: set[str], *, kept: bool) -> None:
        """Stop what this command started, and need Airflow no longer."""
        with locked(self.home, self.say) as state:
            others = [process for name, process in state.living().items() if name not in launched]
            if launched:
                stop(lambda: self._outside(others), self.say)
            state.components = {name: one for name, one in state.components.items() if name not in launched}
            state.users = [user for user in state.users if user.process() and user.pid != myself().pid]
            state.kept = kept
            state.write(self.home)

    def _wait_ready(self, launched: set[str]) -> None:
        deadline = time.monotonic() + READY_TIMEOUT_S
        while waits_for := self._not_ready(launched):
            if ended := self.missing():
                if self.was_stopped():
                    raise AirflowError("Airflow was stopped by another command while it started")
                raise self.why_ended(ended)
            if time.monotonic() > deadline:
                raise AirflowError(
                    f"Airflow was not ready after {READY_TIMEOUT_S:.0f} s: {waits_for}; logs: {self.home}"
                )
            time.sleep(LOOK_EVERY_S)

    def _not_ready(self, launched: set[str]) -> str:
        """What is still missing; empty when the pages can be used."""
        state = State.read(self.home)
        living = state.living()
        if set(living) != set(COMMANDS) or not _listens(living["api-server"], state.port):
            return "the api-server does not listen yet"
        try:
            health = self.client.health()
            for name in ("scheduler", "dag_processor"):
                if health.get(name) != "healthy":
                    return f"the {name} does not report yet"
            return self._unread_dag(state.components["dag-processor"].started)
        except AirflowError as error:
            return str(error)

    def _unread_dag(self, since: datetime) -> str:
        """Empty when the DAG was read since the component started that reads it."""
        read_at = self.client.dags().get(FIRST_DAG)
        if read_at and datetime.fromisoformat(read_at) >= since:
            return ""
        waited = (datetime.now(UTC) - since).total_seconds()
        errors = self.client.import_errors() if waited > IMPORT_ERROR_GRACE_S else []
        return f"{FIRST_DAG} is not read yet" + (f" ({'; '.join(errors)})" if errors else "")


def _listens(process: psutil.Process, port: int) -> bool:
    try:
        found = process.net_connections("tcp4")
    except psutil.Error:
        return False
    return any(one.status == psutil.CONN_LISTEN and one.laddr.port == port for one in found)
