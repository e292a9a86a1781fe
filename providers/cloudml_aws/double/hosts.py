"""The containers of one job: one on each host, started together, watched, and ended together."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from cloudml.doubles import containers
from cloudml.doubles.clock import ClosedError
from cloudml.doubles.containers import Box, Container

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from cloudml_aws.double.world import World

ROOT = "/opt/ml"
GRACE_S = 120.0
"""What SageMaker gives a container between SIGTERM and SIGKILL."""
IDLE_S = 2.0
"""A container that has done nothing for so long in real time is not at work: the clock's limits count for it."""
LOOK_S = 0.05
SYNC_S = 0.5


@dataclass(slots=True, kw_only=True)
class Host:
    """One container of a job.

    Attributes:
        name: ``algo-1`` and so on.
        folder: What it sees as /opt/ml.
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
        failed: The first whose command failed.
    """

    limit_s: float
    stop: Callable[[], str]
    sync: Callable[[], None] = lambda: None
    reason: str = ""
    failed: Host | None = None
    _asked_at: float = 0.0
    _busy_at: float = field(default_factory=time.monotonic)

    def run(self, world: World, hosts: Sequence[Host]) -> Ending:
        """Wait until every container has ended."""
        began, synced = world.clock.seconds(), time.monotonic()
        with world.clock.real():
            while running := [host.container for host in hosts if host.container and host.container.running]:
                running[0].wait(LOOK_S)
                self._look(world, began, running)
                self._others(hosts)
                if time.monotonic() - synced > SYNC_S:
                    self.sync()
                    synced = time.monotonic()
            self.sync()
        self._others(hosts)
        host = self.failed or hosts[0]
        return Ending(code=_code(host), host=host, stopped=self.reason)

    def _look(self, world: World, began: float, running: list[Container]) -> None:
        now = world.clock.seconds()
        if not self.reason:
            self.reason = self.stop() or ("time" if now - began > self.limit_s and self.idle(running) else "")
            if self.reason:
                self._asked_at = now
                for container in running:
                    container.terminate()
        elif now - self._asked_at > GRACE_S and self.idle(running):
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


def start(
    world: World, host: Host, command: Sequence[str], environment: Mapping[str, str], on_line: Callable[[str], None]
) -> None:
    """Start a host's container; each line also tells the clock that something happened."""
    if world.clock.closed:
        raise ClosedError
    why_not = containers.forbidden()
    binds = {ROOT: host.folder}
    scratch = host.folder.with_name(f"{host.folder.name}.scratch")
    scratch.mkdir(exist_ok=True)
    if why_not:
        on_line(f"cloudml double: /opt/ml is {host.folder} here, because folders cannot be bound ({why_not})")
        command = containers.redirected(command, binds)
        environment = {**environment, "CLOUDML_OPT_ML": str(host.folder), "SAGEMAKER_BASE_DIR": str(host.folder)}
        binds = {}

    def printed(line: str) -> None:
        on_line(line)
        world.clock.happened()

    box = Box(command=command, environment=environment, scratch=scratch, binds=binds)
    host.container = Container(box, printed, world.clock.happened)
    world.live[f"container/{id(host)}"] = host.container


def end(world: World, host: Host) -> None:
    """Leave nothing of a container that has ended."""
    if host.container is not None:
        host.container.close()
        world.live.pop(f"container/{id(host)}", None)


def surroundings(world: World, *, isolated: bool) -> dict[str, str]:
    """What SageMaker sets in every container; without a network no credentials help."""
    region = {"AWS_REGION": world.region, "AWS_DEFAULT_REGION": world.region}
    return region if isolated else {**region, **world.environ}
