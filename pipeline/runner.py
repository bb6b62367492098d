"""Run a plan on this machine without Airflow: a pool of processes, a bar, and the same stages."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from multiprocessing import get_context
from queue import Empty, SimpleQueue

from pipeline import dump_order, stages
from pipeline.errors import FactoryError, WorkerLost
from pipeline.plan import Work
from pipeline.store import ArtifactStore, open_store

log = logging.getLogger(__name__)

OnDone = Callable[[Work, bool], None]
LOOK_EVERY_S = 1.0


def run_work(work: Work, root: str, on_milestone: Callable[[str], None] | None = None) -> str:
    """One unit of one stage: what a worker process, a test and an Airflow task all call.  Returns the URI."""
    store = open_store(root)
    uri = stages.load(work.stage).run(work.config, work.inputs, store, work.unit, work.launcher, on_milestone)
    if series := getattr(work.config, "series", ""):
        dump_order.take_place(store, series, work.key)
    return uri


def point_to(work: Work, store: ArtifactStore) -> None:
    """What is there already becomes the current one of its name, as if it had been made now."""
    stages.load(work.stage).register(store, work.unit, work.key)


def run_plan(
    works: Sequence[Work],
    root: str,
    *,
    workers: int,
    on_done: OnDone,
    on_wait: Callable[[], None] = lambda: None,
) -> None:
    """Run what is not there yet, each as soon as what it reads is there.

    `on_done(work, skipped)` is called for every piece, `on_wait` every second.  The first error ends the run when
    what is in flight has finished; all that was finished stands.
    """
    store = open_store(root)
    missing = []
    for work in works:
        if store.exists(work.key):
            point_to(work, store)
            on_done(work, True)
        else:
            missing.append(work)
    if not missing:
        return
    level = logging.getLogger().level  # -v: the workers' own lines too
    with ProcessPoolExecutor(
        workers, mp_context=get_context("spawn"), initializer=_log_to_stderr, initargs=(level,)
    ) as pool:
        _run_waiting(Waiting(missing), root, pool, on_done, on_wait)


def _log_to_stderr(level: int) -> None:
    logging.basicConfig(level=level, format="%(message)s")


class Waiting:
    """Work that waits for other work of the same run, by how many of its inputs are not made yet.

    Each input is looked at twice, however much work there is: once here, once when it is made.
    """

    def __init__(self, works: Sequence[Work]) -> None:
        made_here = {work.key for work in works}  # all other inputs are there: earlier runs made them
        self._missing: dict[str, int] = {}
        self._readers: dict[str, list[Work]] = {}
        self.ready: list[Work] = []
        for work in works:
            inputs = made_here.intersection(work.inputs)
            self._missing[work.key] = len(inputs)
            for key in inputs:
                self._readers.setdefault(key, []).append(work)
            if not inputs:
                self.ready.append(work)

    def take(self) -> list[Work]:
        """What can start now, each once."""
        found, self.ready = self.ready, []
        return found

    def made(self, key: str) -> None:
        """What this manifest was the last missing input of becomes ready."""
        for work in self._readers.pop(key, ()):
            self._missing[work.key] -= 1
            if not self._missing[work.key]:
                self.ready.append(work)


def _run_waiting(
    waiting: Waiting, root: str, pool: ProcessPoolExecutor, on_done: OnDone, on_wait: Callable[[], None]
) -> None:
    running: dict[Future[str], Work] = {}
    ended: SimpleQueue[Future[str]] = SimpleQueue()  # futures.wait() would look at all that run, each time
    error: BaseException | None = None
    while running or (waiting.ready and error is None):
        for work in waiting.take() if error is None else ():
            future = pool.submit(run_work, work, root)
            running[future] = work
            future.add_done_callback(ended.put)
        on_wait()
        for future in _taken(ended):
            done = running.pop(future, None)
            if done is None:  # cancelled
                continue
            failure = future.exception()
            if failure is None:
                waiting.made(done.key)
                on_done(done, False)
            elif error is None:
                error = _named(done, failure)
                running = {other: work for other, work in running.items() if not other.cancel()}
    if error is not None:
        raise error


def _taken(ended: SimpleQueue[Future[str]]) -> Iterator[Future[str]]:
    """Those that have ended; the first is waited for a second."""
    timeout = LOOK_EVERY_S
    with suppress(Empty):
        while True:
            yield ended.get(timeout=timeout)
            timeout = 0.0


def _named(work: Work, failure: BaseException) -> BaseException:
    if isinstance(failure, BrokenProcessPool):
        return WorkerLost(f"{work.stage} {work.unit}: its process was killed (memory?): run it again to go on")
    if isinstance(failure, FactoryError) and work.unit not in str(failure):
        return type(failure)(f"{work.stage} {work.unit}: {failure}")
    return failure
