"""One owner at a time of a unit's state, told by the store alone: no server, no equal clocks.

Ownership is a row of generations `lease/00001.json`, `lease/00002.json`, …, each written once by `put_if_absent`.
The owner is who wrote the highest.  It renews `lease/NNNNN.beat` from a thread; who finds that content unchanged for
`expiry_s` of his own clock, or the owner's process gone from this machine, writes the next generation.  An owner that
was only slow (a suspended machine) finds the next generation there and stops.  Claims are never changed, and stand
until the unit's manifest does, so a number is used once.
"""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime

from pipeline.errors import FactoryError, HeldElsewhere, MissingArtifact, TakenOver
from pipeline.process_identity import ProcessIdentity, this_process
from pipeline.store import ArtifactStore, FileStore

log = logging.getLogger(__name__)

LEASE_NAME = "lease"
STATE_NAME = "state"
RELEASED = b"released\n"


@dataclass(frozen=True)
class LeaseTimes:
    """Seconds."""

    expiry_s: float = 60.0  # without a sign of life the owner counts as gone
    look_s: float = 2.0  # how often one who waits looks
    tell_s: float = 30.0  # how often it says so
    wait_s: float = 3600.0  # how long it waits for a living owner
    settle_s: float = 0.5  # on S3: Swift lets several conditional puts of the same moment succeed; the last stands

    @property
    def renew_s(self) -> float:
        return self.expiry_s / 4


@dataclass(frozen=True)
class Claim:
    """What a generation's file says."""

    attempt: str
    process: ProcessIdentity
    since: str

    def __str__(self) -> str:
        return f"process {self.process.pid} on {self.process.host} (attempt {self.attempt}, since {self.since})"

    def to_json(self) -> bytes:
        return json.dumps(asdict(self), sort_keys=True).encode()

    @classmethod
    def from_json(cls, data: bytes) -> Claim | None:
        try:
            values = json.loads(data)
            return cls(values["attempt"], ProcessIdentity(**values["process"]), values["since"])
        except (ValueError, KeyError, TypeError):
            return None


class Lease:
    """The ownership of the state under `prefix`.  `take`, work and `check`, then `release` (or `finish`)."""

    def __init__(
        self,
        store: ArtifactStore,
        prefix: str,
        attempt: str,
        what: str,
        times: LeaseTimes | None = None,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.store, self.prefix, self.attempt, self.what = store, prefix, attempt, what
        self.times = times or LeaseTimes()
        self.sleep, self.clock = sleep, clock
        self.generation = 0
        self.earlier: Claim | None = None  # whose state this one goes on with
        self._claim = b""
        self._beats = 0
        self._renewed = 0.0
        self._lost = ""
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def take(self, is_finished: Callable[[], bool]) -> bool:
        """Become the owner, waiting for a living one.  False if the unit was finished meanwhile.

        Raises HeldElsewhere after `wait_s`.
        """
        began = told = self.clock()
        seen, since = b"", began
        while True:
            highest = self._highest()
            owner, beat = self._owner(highest)
            if is_finished():
                return False
            now = self.clock()
            if (beat_of := b"%d " % highest + beat) != seen:
                seen, since = beat_of, now
            free = not highest or beat == RELEASED or (owner is not None and owner.process.has_ended())
            if free or now - since >= self.times.expiry_s:
                if self._write_claim(highest + 1, owner):
                    return True
                continue
            if now - began >= self.times.wait_s:
                raise HeldElsewhere(f"{self.what}: its state is held by {owner} for {now - began:.0f} s: "
                                    "wait for it or stop it, and run this again")  # fmt: skip
            if now - told >= self.times.tell_s or told == began:
                log.warning("%s: %s works on it; waiting for it", self.what, owner)
                told = now
            self.sleep(self.times.look_s)

    def check(self) -> None:
        """Raises TakenOver if another attempt owns the state.  Costs nothing while renewals succeed."""
        if self.clock() - self._renewed >= self.times.expiry_s:  # this process stood still, or the store is away
            self.confirm()
        if self._lost:
            raise TakenOver(f"{self.what}: {self._lost}: this attempt stops")

    def confirm(self) -> None:
        """As `check`, by asking the store."""
        self._renew()
        if self._lost:
            raise TakenOver(f"{self.what}: {self._lost}: this attempt stops")

    @property
    def is_lost(self) -> bool:
        return bool(self._lost)

    def owns(self) -> bool:
        """Whether the store still names this attempt as the owner."""
        self._renew()
        return not self._lost

    def release(self) -> None:
        """Give it up, so that the next attempt need not wait.  Nothing is raised."""
        self._end_thread()
        if self.generation and not self._lost:
            try:
                self.store.put(self._beat_key(self.generation), RELEASED)
            except (FactoryError, OSError) as error:
                log.info("%s: the lease could not be given up: %s", self.what, error)

    def finish(self) -> None:
        """The manifest stands: nobody needs the lease any more."""
        self._end_thread()
        self.store.delete_folder(f"{self.prefix}/{LEASE_NAME}")

    def _highest(self) -> int:
        """The highest generation that left a lease or a state (old leases may have been cleaned away)."""
        leases = generations(self.store, f"{self.prefix}/{LEASE_NAME}/")
        return max([0, *leases, *generations(self.store, f"{self.prefix}/{STATE_NAME}/")])

    def _owner(self, generation: int) -> tuple[Claim | None, bytes]:
        """Who wrote the claim, and its last sign of life.  A claim that was cleaned away counts as given up."""
        if not generation:
            return None, b""
        try:
            owner = Claim.from_json(self.store.get(self._claim_key(generation)))
        except MissingArtifact:
            return None, RELEASED
        try:
            return owner, self.store.get(self._beat_key(generation))
        except MissingArtifact:
            return owner, b""

    def _write_claim(self, generation: int, earlier: Claim | None) -> bool:
        claim = Claim(self.attempt, this_process(), datetime.now(UTC).isoformat(timespec="seconds"))
        key = self._claim_key(generation)
        if not self.store.put_if_absent(key, claim.to_json()):
            return False
        if not isinstance(self.store, FileStore):
            self.sleep(self.times.settle_s)
        if self.store.get(key) != claim.to_json():
            return False
        self.generation, self._claim, self.earlier = generation, claim.to_json(), earlier
        self._renew()
        if earlier is not None:
            log.info("%s: going on with what %s left", self.what, earlier)
        self._thread = threading.Thread(target=self._keep_renewing, name=f"lease {self.what}", daemon=True)
        self._thread.start()
        return True

    def _keep_renewing(self) -> None:
        while not self._stop.wait(self.times.renew_s) and not self._lost:
            try:
                self._renew()
            except (FactoryError, OSError) as error:
                log.warning("%s: the lease could not be renewed, tried again: %s", self.what, error)

    def _renew(self) -> None:
        asked = self.clock()
        try:
            own = self.store.get(self._claim_key(self.generation)) == self._claim
        except MissingArtifact:
            own = False
        if not own or self.store.exists(self._claim_key(self.generation + 1)):
            self._lost = f"another attempt took over generation {self.generation} of its state"
            return
        self._beats += 1
        self.store.put(self._beat_key(self.generation), b"%d\n" % self._beats)
        self._renewed = asked

    def _end_thread(self) -> None:
        self._stop.set()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join()

    def _claim_key(self, generation: int) -> str:
        return f"{self.prefix}/{LEASE_NAME}/{generation:05d}.json"

    def _beat_key(self, generation: int) -> str:
        return f"{self.prefix}/{LEASE_NAME}/{generation:05d}.beat"


def is_owned(store: ArtifactStore, prefix: str) -> bool:
    """Whether a process of this machine that runs has the state under `prefix`."""
    held = generations(store, f"{prefix}/{LEASE_NAME}/")
    if not held:
        return False
    try:
        owner = Claim.from_json(store.get(f"{prefix}/{LEASE_NAME}/{max(held):05d}.json"))
        released = store.get(f"{prefix}/{LEASE_NAME}/{max(held):05d}.beat") == RELEASED
    except MissingArtifact:
        return False
    return owner is not None and not released and owner.process.is_of_this_machine() and not owner.process.has_ended()


def generations(store: ArtifactStore, prefix: str) -> set[int]:
    """The numbers NNNNN of what lies directly under `prefix` as NNNNN, NNNNN.json or NNNNN/…."""
    names = {key.removeprefix(prefix)[:5] for key in store.list(prefix)}
    return {int(name) for name in names if name.isdigit()}
