"""A clock that can be moved: the minutes of a cloud pass at once, and what really runs gets the time that it needs.

Latencies are waited for on this clock, real processes in real time. Workers are threads that the clock knows: before it
moves on it lets each of them come to its next wait, so that after `advance(10)` everything is as it is after ten
seconds. Time also passes by itself, so that clients in other processes, which sleep really, see things go on.
"""

from __future__ import annotations

import heapq
import itertools
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterator

CHANCE_S = 0.05
LONGEST_CHANCE_S = 0.3
HANGS_S = 6.0
"""How long a sleeper waits in real time for the next thing that real work does: each time longer in which nothing was
done, so that whoever looks does not take the processor from the work. Work that has done nothing for so long seems to
hang, and time passes quickly again, for whoever waits for a limit."""
SETTLE_S = 5.0
"""How long workers may take to come to their next wait before the clock moves on without them."""


class ClosedError(Exception):
    """The clock was closed: the worker that waits on it shall end."""


@dataclass(order=True, slots=True)
class _Due:
    at: float
    number: int
    action: Callable[[], None] = field(compare=False)
    key: Hashable = field(compare=False, default=None)
    over: bool = field(compare=False, default=False)


class Clock:
    """The time in one double.

    Args:
        start: The first moment; now when left out.
        pace: How many of its seconds pass by themselves in a real one.
    """

    def __init__(self, start: datetime | None = None, *, pace: float = 1.0) -> None:
        self._start = start or datetime.now(UTC)
        self._pace = pace
        self._began = time.monotonic()
        self._ahead = 0.0
        self._changed = threading.Condition()
        self._due: list[_Due] = []
        self._numbers = itertools.count()
        self._moving = threading.RLock()
        self._busy = 0
        self._real = 0
        self._events = 0
        self._closed = False
        self._workers: list[threading.Thread] = []
        self._local = threading.local()
        self._ticker: threading.Thread | None = None

    @property
    def closed(self) -> bool:
        return self._closed

    def now(self) -> datetime:
        """The moment, in UTC."""
        return self._start + timedelta(seconds=self.seconds())

    def seconds(self) -> float:
        """The seconds since the start."""
        return (time.monotonic() - self._began) * self._pace + self._ahead

    def at(self, seconds: float, action: Callable[[], None]) -> Callable[[], None]:
        """Do something when that many seconds have passed; what is given back calls it off."""
        due = self._put(seconds, action)

        def call_off() -> None:
            due.over = True

        return call_off

    def advance(self, seconds: float) -> None:
        """Let time pass, and everything happen that is due meanwhile, in its order."""
        self._reach(self.seconds() + seconds)

    def sleep(self, seconds: float) -> None:
        """As `time.sleep` on this clock: passes at once, but gives what really runs a short chance to get on."""
        with self._changed:
            seen = self._events
        self._reach(self.seconds() + seconds)
        with self._changed:
            in_vain = getattr(self._local, "in_vain", 0.0) if self._real else 0.0
            if self._real:
                chance = min(max(CHANCE_S, in_vain), LONGEST_CHANCE_S) if in_vain < HANGS_S else CHANCE_S
                done = self._changed.wait_for(lambda: self._events != seen or self._closed, chance)
                in_vain = 0.0 if done else in_vain + chance
            self._local.in_vain = in_vain
        self._settle()

    def work(self, action: Callable[..., None], *arguments: Any) -> None:
        """Start a worker: a thread that waits on this clock alone."""

        def run() -> None:
            self._local.worker = True
            try:
                action(*arguments)
            except ClosedError:
                pass
            finally:
                self._count(busy=-1)

        with self._changed:
            if self._closed:
                raise ClosedError
            self._busy += 1
            self._workers = [one for one in self._workers if one.is_alive()]
            thread = threading.Thread(target=run, name="double-worker", daemon=True)
            self._workers.append(thread)
        thread.start()

    def wait(self, seconds: float, *, key: Hashable = None, unless: Callable[[], bool] = bool) -> bool:
        """For a worker: wait that long, or until `wake` is called with *key*, or not at all when *unless* is true.

        Returns:
            Whether the time has passed; False when it was woken.

        Raises:
            ClosedError: The clock was closed.
        """
        done = threading.Event()
        with self._changed:
            if self._closed:
                raise ClosedError
            if unless():
                return False
            due = self._put(seconds, self._rousing(done), key)
            self._busy -= 1
            self._changed.notify_all()
        done.wait()
        if self._closed:
            raise ClosedError
        return not due.over

    def wake(self, key: Hashable) -> None:
        """End the waits with that key."""
        self._rouse([due for due in self._due if due.key == key and key is not None])

    @contextmanager
    def real(self) -> Iterator[None]:
        """For whoever waits for real processes: time may pass meanwhile."""
        worker = getattr(self._local, "worker", False)
        self._count(busy=-1 if worker else 0, real=1)
        try:
            yield
        finally:
            self._count(busy=1 if worker else 0, real=-1)

    def happened(self) -> None:
        """Real work has done something that somebody may wait for."""
        self._count()

    def close(self) -> None:
        """End all waits, and return when the workers have ended."""
        with self._changed:
            self._closed = True
            waits, self._due = self._due, []
            workers = list(self._workers)
        for due in waits:
            if getattr(due.action, "rouses", False):
                due.action()
        self._count()
        for thread in [*workers, *([self._ticker] if self._ticker else [])]:
            if thread is not threading.current_thread():
                thread.join(SETTLE_S)

    def _rousing(self, done: threading.Event) -> Callable[[], None]:
        def action() -> None:
            self._count(busy=1)
            done.set()

        action.rouses = True  # type: ignore[attr-defined]  # tells a wait from an appointment
        return action

    def _rouse(self, waits: list[_Due]) -> None:
        for due in waits:
            with self._changed:
                if due.over or due not in self._due:
                    continue
                due.over = True
            if getattr(due.action, "rouses", False):
                due.action()

    def _put(self, seconds: float, action: Callable[[], None], key: Hashable = None) -> _Due:
        due = _Due(self.seconds() + max(seconds, 0.0), next(self._numbers), action, key)
        with self._changed:
            heapq.heappush(self._due, due)
            if self._pace and self._ticker is None and not self._closed:
                self._ticker = threading.Thread(target=self._tick, name="double-clock", daemon=True)
                self._ticker.start()
            self._changed.notify_all()
        return due

    def _reach(self, target: float) -> None:
        with self._moving:
            self._settle()
            while (due := self._next(target)) is not None:
                self._forward(due.at)
                due.action()
                self._settle()
            self._forward(target)

    def _next(self, target: float) -> _Due | None:
        with self._changed:
            while self._due and (self._due[0].over or self._due[0].at <= target):
                due = heapq.heappop(self._due)
                if not due.over:
                    return due
        return None

    def _forward(self, target: float) -> None:
        with self._changed:
            self._ahead += max(target - self.seconds(), 0.0)

    def _settle(self) -> None:
        """Let every worker come to its next wait, or to real work."""
        if getattr(self._local, "worker", False):
            return
        with self._changed:
            self._changed.wait_for(lambda: self._busy <= 0 or self._closed, SETTLE_S)

    def _count(self, *, busy: int = 0, real: int = 0) -> None:
        with self._changed:
            self._busy += busy
            self._real += real
            self._events += 1
            self._changed.notify_all()

    def _tick(self) -> None:
        """Do what is due when time passes by itself."""
        while not self._closed:
            with self._changed:
                if not self._due:
                    self._changed.wait()
                    continue
                pause = (self._due[0].at - self.seconds()) / self._pace
                if pause > 0:
                    self._changed.wait(pause)
                    continue
            self._reach(self.seconds())
