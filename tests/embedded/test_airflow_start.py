"""The real Airflow of one machine: started, damaged, started again, stopped; two beside each other."""

from __future__ import annotations

import re
import shutil
import socket
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import httpx
import psutil
import pytest

from embedded.airflow.errors import AirflowError
from embedded.airflow.installation import COMMANDS, FIRST_DAG, EmbeddedAirflow
from embedded.airflow.processes import is_running, members, wait_ended
from embedded.airflow.state import Say, State
from embedded.deployment import FILE, write_deployment
from pipeline.deployment import Deployment

DAGS = Path(__file__).resolve().parents[2] / "dags"
pytestmark = [pytest.mark.slow, pytest.mark.airflow]


def installed(home: Path, say: Say = lambda text: None) -> EmbeddedAirflow:
    """The Airflow of a home, with the deployment file that `make up` writes beside it."""
    home.parent.mkdir(parents=True, exist_ok=True)
    write_deployment(Deployment(store=(home.parent / "store").as_uri()), home.parent / FILE)
    return EmbeddedAirflow(home, DAGS, {}, say)


def pids(home: Path) -> dict[str, int]:
    return {name: one.pid for name, one in State.read(home).components.items()}


def listeners(home: Path) -> set[str]:
    """Addresses that processes of a home listen on."""
    found = [one for process in members(home) for one in process.net_connections("inet")]
    return {one.laddr.ip for one in found if one.status == psutil.CONN_LISTEN}


@pytest.fixture(scope="module")
def said() -> list[str]:
    return []


@pytest.fixture(scope="module")
def airflow(tmp_path_factory: pytest.TempPathFactory, said: list[str]) -> Iterator[EmbeddedAirflow]:
    """Started while another program listens on the port that it had last."""
    home = tmp_path_factory.mktemp("one") / "airflow"
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen(1)
        State(port=taken.getsockname()[1]).write(home)
        started = installed(home, said.append)
        try:
            started.start(keep=True)
            yield started
        finally:
            started.stop()


def test_a_taken_port_moves_to_a_free_one_and_is_told(airflow: EmbeddedAirflow, said: list[str]) -> None:
    told = re.findall(r"port (\d+) is taken by another program: Airflow is on port (\d+)", " ".join(said))
    assert told
    assert all(taken != used for taken, used in told)
    assert airflow.url.endswith(f":{told[-1][1]}")  # another test's Airflow may have taken the first one meanwhile
    assert FIRST_DAG in airflow.client.dags()


def test_every_listener_is_on_the_loopback_address(airflow: EmbeddedAirflow) -> None:
    assert listeners(airflow.home) == {"127.0.0.1"}


def test_the_viewer_may_look_and_not_trigger(airflow: EmbeddedAirflow) -> None:
    with httpx.Client(base_url=airflow.url, trust_env=False) as web:
        login = {"username": "viewer", "password": airflow.secrets.viewer_password}
        token = web.post("/auth/token", json=login).json()["access_token"]
        headers = {"Authorization": f"Bearer {token}"}
        assert web.get("/api/v2/dags", headers=headers).status_code == 200
        path = f"/api/v2/dags/{FIRST_DAG}/dagRuns"
        assert web.post(path, headers=headers, json={"logical_date": None}).status_code == 403


def test_starting_what_runs_starts_nothing(airflow: EmbeddedAirflow) -> None:
    before = pids(airflow.home)
    assert airflow.start(keep=True) == []
    assert pids(airflow.home) == before


def test_only_a_killed_component_is_started_again_and_its_forks_are_gone(airflow: EmbeddedAirflow) -> None:
    before = pids(airflow.home)
    forks = psutil.Process(before["scheduler"]).children(recursive=True)
    assert forks  # the workers of its executor
    scheduler = psutil.Process(before["scheduler"])
    scheduler.kill()
    assert wait_ended([scheduler], 10) == []
    assert airflow.missing() == ["scheduler"]
    assert airflow.start(keep=True) == ["scheduler"]
    after = pids(airflow.home)
    assert after.pop("scheduler") != before.pop("scheduler")
    assert after == before
    assert not [fork for fork in forks if is_running(fork)]


def test_two_homes_run_beside_each_other_and_stop_alone(airflow: EmbeddedAirflow, tmp_path: Path) -> None:
    home = tmp_path / "airflow"
    shutil.copytree(airflow.home, home, ignore=shutil.ignore_patterns("airflow.db*", "logs", "*.json", "*.log*"))
    with sqlite3.connect(airflow.home / "airflow.db") as ours, sqlite3.connect(home / "airflow.db") as copy:
        ours.backup(copy)  # spares the second migration
    shutil.copy(airflow.home / "database.json", home)
    second = installed(home)
    try:
        assert second.start(keep=False) == list(COMMANDS)
        assert second.url != airflow.url
        assert FIRST_DAG in second.client.dags()
        assert second.stops_with_us()
    finally:
        assert second.leave()
    assert not members(home)
    assert airflow.running()


def test_a_failed_start_stops_what_it_started_and_says_why(airflow: EmbeddedAirflow, tmp_path: Path) -> None:
    (tmp_path / "airflow.db").write_text(
        "this is no database, but a text that is long enough to be taken for one\n" * 9
    )
    broken = installed(tmp_path)
    with pytest.raises(AirflowError, match=r"airflow.db cannot be used: .*not a database.* move airflow.db away"):
        broken.start(keep=True)
    assert not members(tmp_path)
    assert not State.read(tmp_path).kept


def test_a_component_that_ends_while_others_start_is_named_with_its_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("embedded.airflow.installation.migrate", lambda *_: False)  # so the database has no tables
    broken = installed(tmp_path)
    with pytest.raises(AirflowError, match=r"Airflow's .* ended: (.*no such table|Database migration re).*\.log"):
        broken.start(keep=True)
    assert not members(tmp_path)


def test_stopping_leaves_no_process(airflow: EmbeddedAirflow) -> None:
    everything = members(airflow.home)
    assert len(everything) >= len(COMMANDS)
    ended, remaining = airflow.stop()
    assert ended >= len(COMMANDS)
    assert remaining == []
    assert not [process for process in everything if is_running(process)]
