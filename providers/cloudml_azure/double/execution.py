"""Command jobs: Azure ML's steps, and the command really run on so many nodes, with inputs and outputs as it lays them.

Where the common runtime of Azure ML keeps a job's folders, what it sets, and its sentence for a command that fails are
from the logs and threads that users have published; what it does with outputs of a job that is cancelled is not written
down anywhere: here, mounts have what was written, uploads nothing.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from cloudml.doubles.watching import Watch
from cloudml_azure.double import images, machines, nodes, states
from cloudml_azure.double.states import EndedError
from cloudml_azure.double.uris import NowhereError

if TYPE_CHECKING:
    from cloudml.doubles.watching import Ending
    from cloudml_azure.double.resources import Record
    from cloudml_azure.double.world import World

DURATION = re.compile(r"P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:([\d.]+)S)?)?")
LONGEST_S = 21 * 86_400.0
GRACE_S = 30.0
"""What a command has between SIGTERM and SIGKILL."""
TAIL = 40
"""Lines of the log that the error of a failed command ends with."""
BUILD_LOG = "azureml-logs/20_image_build_log.txt"


def run(world: World, record: Record) -> None:
    """A worker's life with one command job: again, when a low-priority machine is taken away."""
    states.wait(world, record, "accepting")
    states.step(world, record, "Starting")
    states.wait(world, record, "starting")
    _build(world, record)
    while True:
        _machines(world, record)
        ending = _attempt(world, record)
        if ending.stopped != "reclaim":
            break
        states.step(world, record, "Queued")
        states.wait(world, record, "reclaiming")
    _end(world, record, ending)


def _build(world: World, record: Record) -> None:
    """Preparing: the image is built, unless it was before."""
    states.step(world, record, "Preparing")
    image = str(record["_asked"]["environmentId"])
    if fault := world.domain("image-build", record["name"]):
        states.log(world, record, "ERROR: Could not find a version that satisfies the requirement", BUILD_LOG)
        words = (
            fault.message or "Image build failed. For more details, check log file azureml-logs/20_image_build_log.txt."
        )
        raise EndedError("Failed", words, "ImageBuildFailure")
    slow = machines.is_built(world, image) and image not in world.images
    states.wait(world, record, "building" if slow else "preparing")
    if problem := images.build(world, image):
        states.log(world, record, problem, BUILD_LOG)
        raise EndedError("Failed", f"Image build failed: {problem}. Check log file {BUILD_LOG}.", "ImageBuildFailure")


def _machines(world: World, record: Record) -> None:
    """Queued: until there are machines."""
    states.step(world, record, "Queued")
    states.wait(world, record, "queued")
    kind = str((record["_asked"].get("resources") or {}).get("instanceType") or "Standard_DS3_v2")
    if fault := world.domain("quota", record["name"]):
        raise EndedError("Failed", fault.message or machines.over_quota(kind, 1), "OutOfQuota")
    while fault := world.domain("capacity", record["name"]):
        if not is_spot(record):
            raise EndedError("Failed", fault.message or machines.no_capacity(world, kind), "OutOfCapacity")
        states.wait(world, record, "queued")


def is_spot(record: Record) -> bool:
    """Whether the job runs on low-priority machines."""
    return (record["_asked"].get("queueSettings") or {}).get("jobTier") == "Spot"


def _attempt(world: World, record: Record) -> Ending:
    """One run of the command on all nodes."""
    record["_attempt"] += 1
    try:
        group = nodes.lay_out(world, record)
    except NowhereError as error:
        raise EndedError(
            "Failed", f'{{"NonCompliant":"DataAccessError(NotFound): failed to get an input ready: {error}"}}'
        ) from error
    states.step(world, record, "Running")
    record["_started"] = record["_started"] or world.now()
    reclaim = Reclaim(world, record)
    for node in group:
        nodes.start(world, record, node, reclaim.read)
    watch = Watch(
        limit_s=duration((record["_asked"].get("limits") or {}).get("timeout")) or LONGEST_S,
        stop=lambda: "cancel" if record["_stop"].is_set() else reclaim.due(),
        sync=lambda: nodes.sync(world, record),
        grace_s=GRACE_S,
    )
    ending = watch.run(world.clock, [node.host for node in group])
    for node in group:
        nodes.end(world, node)
    return ending


class Reclaim:
    """The domain fault `spot`: the machine is taken away when the command prints a line that holds `line`."""

    def __init__(self, world: World, record: Record) -> None:
        self._fault = world.domain("spot", record["name"]) if is_spot(record) else None
        self._seen = self._fault is not None and not self._fault.facts.get("line")

    def read(self, line: str) -> None:
        if self._fault is not None and self._fault.facts.get("line", "\n") in line:
            self._seen = True

    def due(self) -> str:
        return "reclaim" if self._seen else ""


def _end(world: World, record: Record, ending: Ending) -> None:
    """Keep what is to be kept, and say how the job ended."""
    states.step(world, record, "Finalizing")
    nodes.keep(world, record, uploads=not ending.stopped)
    if ending.stopped == "time":
        limit = record["_asked"]["limits"]["timeout"]
        words = f"The job was canceled because it ran longer than its limit of {limit}."
        states.finish(world, record, "Canceled", words)
        return
    if ending.stopped:
        world.pass_time("canceling")
        states.finish(world, record, "Canceled")
        return
    world.pass_time("finalizing")
    if ending.code:
        states.finish(world, record, "Failed", failure(world, record, ending))
    else:
        states.finish(world, record, "Completed")


def failure(world: World, record: Record, ending: Ending) -> str:
    """What the common runtime says of a command that failed."""
    name = nodes.log_name(record, ending.host.name)
    lines = nodes.printed(world, record, name).splitlines()
    return (
        f"Execution failed. User process 'bash' exited with status code {ending.code}. Please check log file "
        f"'{name}' for error details. Error: {chr(10).join(lines[-TAIL:])}"
    )


def duration(text: str | None) -> float:
    """The seconds of an ISO 8601 duration; 0 when there is none."""
    found = DURATION.fullmatch(text or "P")
    if found is None:
        return 0.0
    return sum(float(part or 0) * unit for part, unit in zip(found.groups(), (86_400, 3600, 60, 1), strict=True))
