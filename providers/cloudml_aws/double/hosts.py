"""The containers of one job: one on each host, with /opt/ml in it, started together."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cloudml.doubles import containers
from cloudml.doubles.clock import ClosedError
from cloudml.doubles.containers import Box, Container

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from cloudml.doubles.watching import Host
    from cloudml_aws.double.world import World

ROOT = "/opt/ml"
INSIDE = "ASIACLOUDMLINSIDE"
"""The access key of the role that containers run with."""


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
    return region if isolated else {**region, **world.environ, "AWS_ACCESS_KEY_ID": INSIDE}
