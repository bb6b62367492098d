"""Secrets, logs, ports and the store's removal: what lies around the processes of an embedded Airflow."""

from __future__ import annotations

import json
import os
import socket
from pathlib import Path

import pytest

from embedded.airflow.environment import Secrets, environment
from embedded.airflow.log_files import COMPONENT_LOG_BYTES, TASK_LOG_DAYS, advice, bound, reason, said_since
from embedded.airflow.ports import choose_port
from embedded.airflow.processes import Identity, myself
from embedded.airflow.state import State
from embedded.clean import clean_store

DAY_S = 86_400


def test_secrets_are_made_once_and_only_their_owner_reads_them(tmp_path: Path) -> None:
    first = Secrets.of(tmp_path)
    assert Secrets.of(tmp_path) == first
    assert (tmp_path / "secrets.json").stat().st_mode & 0o777 == 0o600
    assert Secrets.of(tmp_path / "other").password != first.password


def test_secrets_of_an_older_version_keep_the_password_and_get_a_viewer(tmp_path: Path) -> None:
    old = {"password": "kept", "fernet_key": "f", "jwt_secret": "j", "port": 8080}
    (tmp_path / "secrets.json").write_text(json.dumps(old))
    found = Secrets.of(tmp_path)
    assert (found.password, found.fernet_key, found.jwt_secret) == ("kept", "f", "j")
    assert found.viewer_password == Secrets.of(tmp_path).viewer_password != ""


def test_the_admin_and_the_viewer_have_passwords_that_only_the_owner_reads(tmp_path: Path) -> None:
    known = Secrets.of(tmp_path)
    known.write_passwords(tmp_path)
    path = tmp_path / "passwords.json"
    assert json.loads(path.read_text()) == {"admin": known.password, "viewer": known.viewer_password}
    assert path.stat().st_mode & 0o777 == 0o600
    users = environment(tmp_path, tmp_path / "dags", 1, known, {})["AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS"]
    assert users == "admin:admin,viewer:viewer"


def test_the_reason_is_the_last_error_of_a_log_not_its_last_line() -> None:
    log = (
        "2026-01-01 [info     ] Starting\n"
        "Traceback (most recent call last):\n"
        '  File "x.py", line 1, in <module>\n'
        "sqlite3.OperationalError: database is locked\n"
        "Shutting down\n"
    )
    assert reason(log) == "sqlite3.OperationalError: database is locked"
    assert advice(log) == "stop whatever else uses that database"


def test_a_reason_is_told_without_time_logger_and_place() -> None:
    log = "2026-01-01T00:00:00.1Z [error    ] Database migration required. [airflow.utils.db] loc=db.py:997\n"
    assert reason(log) == "Database migration required."


def test_a_log_without_an_error_is_that_of_a_killed_process() -> None:
    assert reason("Starting\nfound no errors worth a word\n") == "its log tells no error, so it was probably killed"


def test_what_a_component_said_before_this_start_is_no_reason(tmp_path: Path) -> None:
    log = tmp_path / "x.log"
    log.write_text("ValueError: old\n")
    offset = log.stat().st_size
    with log.open("a") as out:
        out.write("ValueError: new\n")
    assert said_since(log, offset) == "ValueError: new\n"
    log.write_text("cut\n")  # by the attendant meanwhile
    assert said_since(log, offset) == "cut\n"


def test_a_long_log_is_cut_while_its_component_goes_on_writing(tmp_path: Path) -> None:
    log = tmp_path / "scheduler.log"
    with log.open("ab", buffering=0) as component:
        component.write(b"x" * (COMPONENT_LOG_BYTES + 1))
        bound(tmp_path, now=0)
        component.write(b"after\n")
    assert log.read_bytes() == b"after\n"
    assert (tmp_path / "scheduler.log.1").stat().st_size == COMPONENT_LOG_BYTES + 1


def test_task_logs_of_old_runs_go_and_young_ones_stay(tmp_path: Path) -> None:
    now = 1_000 * DAY_S
    for name, age_days in (("old", TASK_LOG_DAYS + 1), ("young", 1)):
        log = tmp_path / "logs" / "dag_id=a" / f"run_id={name}" / "attempt=1.log"
        log.parent.mkdir(parents=True)
        log.write_text("x")
        os.utime(log, (now - age_days * DAY_S,) * 2)
    bound(tmp_path, now)
    assert [path.name for path in (tmp_path / "logs" / "dag_id=a").iterdir()] == ["run_id=young"]


def test_a_taken_port_is_not_chosen_and_a_free_last_one_is() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen(1)
        port = taken.getsockname()[1]
        assert choose_port(port) not in (port, 0)
    assert choose_port(port) == port


def test_a_port_that_listens_on_every_interface_is_taken() -> None:
    with socket.socket() as taken:
        taken.bind(("0.0.0.0", 0))
        taken.listen(1)
        port = taken.getsockname()[1]
        assert choose_port(port) != port


def test_a_pid_that_another_process_has_by_now_is_not_taken_for_the_first() -> None:
    mine = myself()
    assert mine.process() is not None
    assert Identity(pid=mine.pid, created=mine.created - 60).process() is None


def test_airflow_is_needed_while_it_is_kept_or_a_run_lives() -> None:
    gone = Identity(pid=myself().pid, created=0)
    assert State(kept=True).needed()
    assert State(users=[gone, myself()]).needed()
    assert not State(users=[gone]).needed()


@pytest.mark.parametrize("text", ["", "{", '{"port": "x"}'])
def test_a_broken_state_file_counts_as_none(tmp_path: Path, text: str) -> None:
    (tmp_path / "state.json").write_text(text)
    assert State.read(tmp_path) == State()


@pytest.fixture
def store(tmp_path: Path) -> Path:
    folder = tmp_path / "store"
    folder.mkdir()
    (folder / "artifact").write_bytes(b"x" * 1_500_000)
    return folder


@pytest.mark.parametrize("answer", ["", "no", "n"])
def test_the_store_stays_unless_the_answer_is_yes(store: Path, answer: str) -> None:
    asked: list[str] = []
    assert clean_store(store, confirmed=False, ask=lambda text: asked.append(text) or answer).startswith("kept")
    assert asked == [f"remove {store} with all its artifacts (1.5 MB)? [yes/no] "]
    assert (store / "artifact").exists()


def test_the_store_goes_when_asked_and_confirmed(store: Path) -> None:
    assert clean_store(store, confirmed=False, ask=lambda _: "yes").startswith("removed")
    assert not store.exists()
    assert clean_store(store, confirmed=True) == f"there is no store at {store}"
