"""Walk a plan on this machine without Airflow: a pool of processes, a bar, and the same stages."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context

from pipeline import stages
from pipeline.errors import FactoryError, WorkerLost
from pipeline.flow import Work
from pipeline.store import open_store

log = logging.getLogger(__name__)

OnDone = Callable[[Work, bool], None]
LOOK_EVERY_S = 1.0


def run_work(work: Work, root: str) -> str:
    """One unit of one stage: what a worker process, a test and an Airflow task all call.  Returns the URI."""
    return stages.load(work.stage).run(work.config, work.inputs, open_store(root), work.unit)


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
    waiting = []
    done = {key for work in works for key in work.inputs} - {work.key for work in works}  # made by earlier flows
    for work in works:
        if store.exists(work.key):
            done.add(work.key)
            on_done(work, True)
        else:
            waiting.append(work)
    if not waiting:
        return
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        _walk(waiting, done, root, pool, on_done, on_wait)


def _walk(
    waiting: list[Work],
    done: set[str],
    root: str,
    pool: ProcessPoolExecutor,
    on_done: OnDone,
    on_wait: Callable[[], None],
) -> None:
    running: dict[Future[str], Work] = {}
    error: BaseException | None = None
    while running or (waiting and error is None):
        if error is None:
            for work in [work for work in waiting if done.issuperset(work.inputs)]:
                waiting.remove(work)
                running[pool.submit(run_work, work, root)] = work
        on_wait()
        for future in wait(running, timeout=LOOK_EVERY_S, return_when=FIRST_COMPLETED).done:
            work = running.pop(future)
            failure = future.exception()
            if failure is None:
                done.add(work.key)
                on_done(work, False)
            elif error is None:
                error = _named(work, failure)
                for queued in running:
                    queued.cancel()
                running = {f: w for f, w in running.items() if not f.cancelled()}
    if error is not None:
        raise error


def _named(work: Work, failure: BaseException) -> BaseException:
    if isinstance(failure, BrokenProcessPool):
        return WorkerLost(f"{work.stage} {work.unit}: its process was killed (memory?): run it again to go on")
    if isinstance(failure, FactoryError) and work.unit not in str(failure):
        return type(failure)(f"{work.stage} {work.unit}: {failure}")
    return failure
