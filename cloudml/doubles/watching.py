"""The containers of one job, watched while they run, and ended together."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from cloudml.doubles.clock import Clock
    from cloudml.doubles.containers import Container

IDLE_S = 2.0
"""A container that has done nothing for so long in real time is not at work: the clock's limits count for it."""
LOOK_S = 0.05
SYNC_S = 0.5


@dataclass(slots=True, kw_only=True)
class Host:
    """One container of a job.

    Attributes:
        name: As the cloud calls it.
        folder: What it sees at the place that its cloud fixes, such as /opt/ml.
    """

    name: str
    folder: Path
    container: Container | None = None


@dataclass(slots=True, kw_only=True)
class Ending:
    """How the containers ended: the exit code of the first that failed, and why they were stopped."""

    code: int
    host: Host
    stopped: str = ""


@dataclass(slots=True, kw_only=True)
class Watch:
    """What is looked at while containers run.

    Attributes:
        limit_s: The time that they have, on the double's clock.
        stop: Says why they shall stop; empty while they shall not.
        sync: Called now and then, and at the end.
        grace_s: What a container has between SIGTERM and SIGKILL, on the double's clock.
        failed: The first whose command failed.
    """

    limit_s: float
    stop: Callable[[], str]
    sync: Callable[[], None] = lambda: None
    grace_s: float = 120.0
    reason: str = ""
    failed: Host | None = None
    _asked_at: float = 0.0
    _busy_at: float = field(default_factory=time.monotonic)

    def run(self, clock: Clock, hosts: Sequence[Host]) -> Ending:
        """Wait until every container has ended."""
        began, synced = clock.seconds(), time.monotonic()
        with clock.real():
            while running := [host.container for host in hosts if host.container and host.container.running]:
                running[0].wait(LOOK_S)
                self._look(clock, began, running)
                self._others(hosts)
                if time.monotonic() - synced > SYNC_S:
                    self.sync()
                    synced = time.monotonic()
            self.sync()
        self._others(hosts)
        host = self.failed or hosts[0]
        return Ending(code=_code(host), host=host, stopped=self.reason)

    def _look(self, clock: Clock, began: float, running: list[Container]) -> None:
        now = clock.seconds()
        if not self.reason:
            self.reason = self.stop() or ("time" if now - began > self.limit_s and self.idle(running) else "")
            if self.reason:
                self._asked_at = now
                for container in running:
                    container.terminate()
        elif now - self._asked_at > self.grace_s and self.idle(running):
            for container in running:
                container.kill()

    def idle(self, running: list[Container]) -> bool:
        """Whether none of them has worked for a while of real time."""
        at_work = [container.works() for container in running]
        if any(at_work):
            self._busy_at = time.monotonic()
        return time.monotonic() - self._busy_at > IDLE_S

    def _others(self, hosts: Sequence[Host]) -> None:
        """One that failed takes the others with it."""
        if self.failed is None:
            self.failed = next((host for host in hosts if _code(host)), None)
        if self.failed is not None:
            for host in hosts:
                if host.container and host.container.running:
                    host.container.terminate()
                    host.container.kill()


def _code(host: Host) -> int:
    return (host.container.wait(0) or 0) if host.container is not None else 0
