"""The next updates' batches, made in a thread while this one is computed."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Generic, TypeVar

T = TypeVar("T")


class Prefetch(Generic[T]):
    """`make(n)` for n, n + 1, ... in order, up to `ahead` of them before they are asked for.

    `waited_s` is how long the caller has waited.  What `make` raises is raised where its result is taken.
    """

    def __init__(self, make: Callable[[int], T], first: int, ahead: int) -> None:
        self.waited_s = 0.0
        self._make = make
        self._ahead = ahead
        self._next = first
        self._pending: deque[Future[T]] = deque()
        self._thread = ThreadPoolExecutor(1, "prefetch") if ahead else None

    def take(self) -> T:
        """The next one."""
        began = time.monotonic()
        try:
            if self._thread is None:
                self._next += 1
                return self._make(self._next - 1)
            while len(self._pending) <= self._ahead:
                self._pending.append(self._thread.submit(self._make, self._next))
                self._next += 1
            return self._pending.popleft().result()
        finally:
            self.waited_s += time.monotonic() - began

    def close(self) -> None:
        if self._thread is not None:
            self._thread.shutdown(wait=True, cancel_futures=True)
