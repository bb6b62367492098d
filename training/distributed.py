"""Processes of one run, as torchrun starts them; one process works without.

An error on one process ends all: before a phase in which they wait for each other they say whether they are fit
(`together`); an error in between is left in the store that they joined by, where the others look when a collective
breaks, and every few seconds in case it only hangs.
"""

from __future__ import annotations

import json
import logging
import os
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeVar

import torch
import torch.distributed as dist
from torch.distributed import PrefixStore, Store  # type: ignore[attr-defined]
from torch.distributed.rendezvous import rendezvous

from training.errors import EXIT_FAULT, EXIT_TRY_AGAIN, OtherProcessFailed, Stopped, exit_status

log = logging.getLogger(__name__)

T = TypeVar("T")
ERROR_KEY = "error"
WATCH_S = 2.0


@dataclass(frozen=True, slots=True)
class Processes:
    """Which of how many processes this is, which on its host, and on what device it computes."""

    rank: int
    size: int
    local_rank: int
    device: torch.device

    @property
    def name(self) -> str:
        return f"process {self.rank} of {self.size} on {socket.gethostname()}"

    def sum(self, values: torch.Tensor) -> torch.Tensor:
        """The sum over all processes, on all of them."""
        if self.size > 1:
            dist.all_reduce(values)
        return values

    def gather(self, value: T) -> list[T]:
        """Every process's value, in order of ranks, on all of them."""
        if self.size == 1:
            return [value]
        found: list[T | None] = [None] * self.size
        dist.all_gather_object(found, value)
        return found  # type: ignore[return-value]

    def send(self, values: torch.Tensor, source: int) -> None:
        """Overwrite the values by those of the process `source`, on all of them."""
        if self.size > 1:
            dist.broadcast(values, source)

    def together(self, work: Callable[[], T]) -> T:
        """The result of `work`, which has no collective in it; where it fails on one process, all raise."""
        failure: BaseException | None = None
        try:
            result = work()
        except Exception as error:
            failure = error
        self.agree(failure)
        return result

    def agree(self, failure: BaseException | None) -> None:
        """Raise on all processes if one has failed: there its own error, elsewhere what it was."""
        said = self.gather(None if failure is None else _Report.of(failure, self.name))
        if failure is not None:
            raise failure
        for report in said:
            if report is not None:
                raise report.error()


@dataclass(frozen=True, slots=True)
class _Report:
    """How a process ended, for the others."""

    text: str
    status: int

    @classmethod
    def of(cls, error: BaseException, name: str) -> _Report:
        status = exit_status(error)
        return cls(f"{name}: {type(error).__name__}: {error}", EXIT_FAULT if status is None else status)

    def error(self) -> OtherProcessFailed:
        return OtherProcessFailed(self.text, self.status)


@contextmanager
def processes(timeout_s: float = 600.0) -> Iterator[Processes]:
    """Join the process group that torchrun's environment describes; gloo on CPU, NCCL on GPU.

    No process waits longer than `timeout_s` for the others.  Where another one failed, OtherProcessFailed says how.
    """
    rank, size, local = (int(os.environ.get(name, default)) for name, default in
                         (("RANK", "0"), ("WORLD_SIZE", "1"), ("LOCAL_RANK", "0")))  # fmt: skip
    device = torch.device("cuda", local) if torch.cuda.is_available() else torch.device("cpu")
    if device.type == "cuda":
        torch.cuda.set_device(device)
    joined = Processes(rank, size, local, device)
    if size == 1:
        yield joined
        return
    timeout = timedelta(seconds=timeout_s)
    joining, _, _ = next(iter(rendezvous("env://", rank, size, timeout=timeout)))
    store = PrefixStore("training", joining)
    backend = "cpu:gloo,cuda:nccl" if device.type == "cuda" else "gloo"
    try:
        dist.init_process_group(
            backend, store=PrefixStore("group", joining), rank=rank, world_size=size, timeout=timeout
        )
    except (dist.DistError, RuntimeError) as error:
        reason = f"the {size} processes did not come together within {timeout_s:g} s ({error})"
        raise OtherProcessFailed(reason, EXIT_TRY_AGAIN) from error
    with _watch(store):
        try:
            yield joined
        except Exception as error:
            raise _explained(error, store, joined) from error
        finally:
            dist.destroy_process_group()


def _explained(error: Exception, store: Store, joined: Processes) -> Exception:
    """The error itself, left in the store for the others; or what broke the connection, if it is but that."""
    if isinstance(error, Stopped | OtherProcessFailed):  # all know it
        return error
    if not _is_lost_connection(error):
        _leave(_Report.of(error, joined.name), store)
        return error
    found = _left(store)
    if found is not None:
        return found.error()
    return OtherProcessFailed(f"{joined.name} lost the others: {str(error).splitlines()[0]}", EXIT_TRY_AGAIN)


def _is_lost_connection(error: Exception) -> bool:
    """gloo raises plain RuntimeErrors that differ from others in their text only."""
    said = str(error)
    return isinstance(error, dist.DistError) or (
        isinstance(error, RuntimeError) and ("gloo" in said or "Connection" in said or "NCCL" in said)
    )


def _leave(report: _Report, store: Store) -> None:
    try:
        store.set(ERROR_KEY, json.dumps([report.text, report.status]))
    except RuntimeError as error:  # the store went with its host; the text stands on this process's stderr
        log.debug("could not tell the others: %s", error)


def _left(store: Store) -> _Report | None:
    try:
        return _Report(*json.loads(store.get(ERROR_KEY))) if store.check([ERROR_KEY]) else None
    except RuntimeError:
        return None


@contextmanager
def _watch(store: Store) -> Iterator[None]:
    """End this process where another one left an error and the collective that waits for it does not return."""
    done = threading.Event()

    def look() -> None:
        hanging = False
        while not done.wait(WATCH_S):
            found = _left(store)
            if found is not None and hanging:
                print(f"training: {found.text}", file=sys.stderr, flush=True)
                os._exit(found.status)
            hanging = found is not None  # one more look's time for the collective to break by itself

    thread = threading.Thread(target=look, name="watch", daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
