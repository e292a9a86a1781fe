"""Waiting and following logs: written once, over the seam."""

from __future__ import annotations

import threading
import time
from dataclasses import field
from typing import TYPE_CHECKING, Any, TypeVar

from cloudml.errors import CloudMLError, UnavailableError, WaitTimeoutError
from cloudml.records import dataclass
from cloudml.states import JobState
from cloudml.status import Status

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import timedelta

    from cloudml.seam import Logs, Plugin, Provider, TellsOfEnds

GROWTH = 1.5
"""Each pause is this much longer than the one before, up to the provider's longest."""
GROWTH_TOLD = 3.0
"""The same where the end is told: then only what happens before it is found by looking."""
PATIENCE_S = 120.0
"""For so long a service that cannot be reached is asked again, while its work goes on."""

S = TypeVar("S", bound=Status)


class StoppedError(CloudMLError):
    """The caller asked us to stop waiting; the work goes on."""

    exit_code = 130


@dataclass(frozen=True, slots=True)
class Waiter:
    """Looks again and again, with growing pauses, until something is over.

    Attributes:
        first_s: The first pause.
        longest_s: The longest.
        sleep: How to let time pass; None sleeps in real time and wakes when stopped.
        stopped: Set it to end every wait at once.
    """

    first_s: float
    longest_s: float
    sleep: Callable[[float], None] | None = None
    stopped: threading.Event = field(default_factory=threading.Event)

    @classmethod
    def of(cls, plugin: Plugin[object], provider: Provider) -> Waiter:
        """The waiter with that provider's rhythm."""
        return cls(*plugin.poll_s, sleep=provider.sleep)

    def until_over(
        self,
        get: Callable[[str], S],
        name: str,
        *,
        timeout: timedelta | None = None,
        seen: Callable[[S], None] = lambda _: None,
        ends: TellsOfEnds | None = None,
    ) -> S:
        """The status of *name* once its state is over.

        Args:
            get: Asks the provider.
            timeout: Our patience, counted from this call; the work goes on afterwards.
            seen: Told every status on the way.
            ends: Tells when it ends; as long as it does, pauses are longer, and the longest once it runs.

        Raises:
            WaitTimeoutError: It is not over after *timeout*.
            UnavailableError: The service could not be reached for two minutes.
        """
        waited, unreachable_s, runs, pause = 0.0, 0.0, False, self.first_s
        while True:
            try:
                status = get(name)
            except UnavailableError:
                if (unreachable_s := unreachable_s + pause) > PATIENCE_S:
                    raise
            else:
                unreachable_s = 0.0
                seen(status)
                if status.state.over:
                    return status
                runs = status.state is JobState.RUNNING
            if timeout is not None and waited >= timeout.total_seconds():
                raise WaitTimeoutError(
                    f"`{name}` is not over after {timeout}", hint="it goes on; wait again, or cancel it"
                )
            most = self.longest_s if runs else pause
            left = most if timeout is None else min(most, timeout.total_seconds() - waited)
            told = self._told(name, left, ends)
            waited += told or self.pause(pause)
            pause = min(pause * (GROWTH_TOLD if told else GROWTH), self.longest_s)

    def pause(self, seconds: float) -> float:
        """Let *seconds* pass, and say how many did.

        Raises:
            StoppedError: Somebody set `stopped`.
        """
        if self.sleep is not None:
            self.sleep(seconds)
        else:
            self.stopped.wait(seconds)
        self._go_on()
        return seconds

    def _told(self, name: str, seconds: float, ends: TellsOfEnds | None) -> float:
        """Let *seconds* pass, or less when *name* ends; how many did, and 0, at once, where its end is not told."""
        began = time.monotonic()
        if ends is None or not ends.wait_for_end(name, seconds, self.stopped):
            return 0.0
        self._go_on()
        return time.monotonic() - began

    def _go_on(self) -> None:
        if self.stopped.is_set():
            raise StoppedError("interrupted", hint="what was started goes on; `cloudml up` again finishes the rest")


def telling(nouns: Any) -> TellsOfEnds | None:
    """The same, if they tell of ends."""
    return nouns if hasattr(nouns, "wait_for_end") else None


def follow(logs: Logs, section: str, name: str, waiter: Waiter, over: Callable[[], bool]) -> Iterator[str]:
    """The lines of a log as they come, until it is *over* and nothing is left to read."""
    cursor = ""
    while True:
        last = over()
        page = logs.read(section, name, cursor)
        while page.lines:
            yield from page.lines
            cursor = page.cursor
            page = logs.read(section, name, cursor)
        if last:
            return
        waiter.pause(waiter.first_s)


def elapsed(since: float) -> float:
    """Seconds since a `time.monotonic()`, to a tenth."""
    return round(time.monotonic() - since, 1)
