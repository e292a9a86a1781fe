"""Processes in the place of containers: started with the buckets at /gcs, or with none for serving."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cloudml.doubles import containers
from cloudml.doubles.clock import ClosedError
from cloudml.doubles.containers import Box, Container
from cloudml_gcp.double.mounts import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from cloudml.doubles.watching import Host
    from cloudml_gcp.double.world import World

MOUNT_VARIABLE = "CLOUDML_GCS"
"""Where the buckets are when they cannot be at /gcs."""


def start(
    world: World,
    host: Host,
    command: Sequence[str],
    environment: Mapping[str, str],
    on_line: Callable[[str], None],
) -> None:
    """Start a training container; each line also tells the clock that something happened."""
    world.mount.use()
    binds = {ROOT: world.mount.folder}
    why_not = containers.forbidden()
    if why_not:
        on_line(f"cloudml double: {ROOT} is {world.mount.folder} here, because folders cannot be bound ({why_not})")
        command = containers.redirected(command, binds)
        moved = zip(environment, containers.redirected(list(environment.values()), binds), strict=True)
        environment = {**dict(moved), MOUNT_VARIABLE: str(world.mount.folder)}
        binds = {}
    host.folder.mkdir(parents=True, exist_ok=True)
    scratch = host.folder / "scratch"
    scratch.mkdir(exist_ok=True)
    _run(world, host, Box(command=command, environment=environment, scratch=scratch, binds=binds), on_line)


def serve(
    world: World,
    host: Host,
    command: Sequence[str],
    environment: Mapping[str, str],
    on_line: Callable[[str], None],
) -> None:
    """Start a serving container, in an empty folder of its own."""
    host.folder.mkdir(parents=True, exist_ok=True)
    given = {"TMPDIR": str(host.folder), **environment}
    _run(world, host, Box(command=command, environment=given, scratch=host.folder, folder=str(host.folder)), on_line)


def _run(world: World, host: Host, box: Box, on_line: Callable[[str], None]) -> None:
    if world.clock.closed:
        raise ClosedError

    def printed(line: str) -> None:
        on_line(line)
        world.clock.happened()

    host.container = Container(box, printed, world.clock.happened)
    world.live[f"container/{id(host)}"] = host.container


def end(world: World, host: Host) -> None:
    """Leave nothing of a container that has ended."""
    if host.container is not None:
        host.container.close()
        world.live.pop(f"container/{id(host)}", None)
