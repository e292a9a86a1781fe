"""Processing jobs: inputs and outputs under /opt/ml/processing, and the user's code really run."""

from __future__ import annotations

import json
from functools import partial
from typing import TYPE_CHECKING, Any

from cloudml.doubles.watching import Host, Watch
from cloudml_aws.double import hosts
from cloudml_aws.double.jobs import Kind, fetch
from cloudml_aws.double.objects import files
from cloudml_aws.double.refusals import invalid

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from cloudml.doubles.watching import Ending
    from cloudml_aws.double.tables import Record
    from cloudml_aws.double.world import World

GROUP = "/aws/sagemaker/ProcessingJobs"
INSIDE = f"{hosts.ROOT}/processing"
DAY_S = 86_400


def create(world: World, asked: Mapping[str, Any]) -> dict[str, Any]:
    """Take a processing job on."""
    for one in asked.get("ProcessingInputs", ()):
        local = one.get("S3Input", {}).get("LocalPath", INSIDE)
        if not local.startswith(INSIDE):
            raise invalid(f"LocalPath {local} of input {one['InputName']} must start with {INSIDE}")
    for one in asked.get("ProcessingOutputConfig", {}).get("Outputs", ()):
        local = one.get("S3Output", {}).get("LocalPath", INSIDE)
        if not local.startswith(INSIDE):
            raise invalid(f"LocalPath {local} of output {one['OutputName']} must start with {INSIDE}")
    stopping = {"MaxRuntimeInSeconds": DAY_S, **asked.get("StoppingCondition", {})}
    return JOBS.create(world, asked, StoppingCondition=stopping)


def run(world: World, record: Record) -> None:
    """A worker's life with one job."""
    if not world.pass_time("processing", key=record["_arn"], unless=record["_stop"].is_set):
        JOBS.finish(world, record, "Stopped")
        return
    words = world.no_capacity(
        record["ProcessingJobName"], record["ProcessingResources"]["ClusterConfig"]["InstanceType"]
    )
    if words:
        JOBS.finish(world, record, "Failed", f"CapacityError: {words}")
        return
    count = record["ProcessingResources"]["ClusterConfig"]["InstanceCount"]
    group = [Host(name=f"algo-{index + 1}", folder=record["_folder"] / f"algo-{index + 1}") for index in range(count)]
    for host in group:
        lay_out(world, record, host, group)
    record["ProcessingStartTime"] = world.clock.now()
    ending = _carried_out(world, record, group)
    _upload(world, record, group, "EndOfJob")
    _end(world, record, ending)


def lay_out(world: World, record: Record, host: Host, group: list[Host]) -> None:
    """Make /opt/ml of one host."""
    names = [one.name for one in group]
    for path in ("config", "output", "processing"):
        (host.folder / path).mkdir(parents=True)
    config = {key: value for key, value in record.items() if not key.startswith("_")}
    resources = {"current_host": host.name, "hosts": names}
    for name, content in (("processingjobconfig", config), ("resourceconfig", resources)):
        (host.folder / f"config/{name}.json").write_text(json.dumps(content, default=str), "utf-8")
    for one in record.get("ProcessingInputs", ()):
        if "S3Input" in one:
            share = (names.index(host.name), len(names))
            fetch(world, one["S3Input"], local(host, one["S3Input"]["LocalPath"]), share)
    for one in record.get("ProcessingOutputConfig", {}).get("Outputs", ()):
        if "S3Output" in one:
            local(host, one["S3Output"]["LocalPath"]).mkdir(parents=True, exist_ok=True)


def local(host: Host, path: str) -> Path:
    """The folder here of a path in the container."""
    return host.folder / path.removeprefix(hosts.ROOT).lstrip("/")


def _carried_out(world: World, record: Record, group: list[Host]) -> Ending:
    app = record["AppSpecification"]
    command = [*app.get("ContainerEntrypoint", ("python3",)), *app.get("ContainerArguments", ())]
    isolated = record.get("NetworkConfig", {}).get("EnableNetworkIsolation", False)
    own = {"PROCESSING_JOB_NAME": record["ProcessingJobName"], "PROCESSING_JOB_ARN": record["ProcessingJobArn"]}
    given = {**hosts.surroundings(world, isolated=isolated), **own, **record.get("Environment", {})}
    epoch = int(record["ProcessingStartTime"].timestamp())
    for host in group:
        stream = f"{record['ProcessingJobName']}/{host.name}-{epoch}"
        hosts.start(world, host, command, given, partial(world.say, GROUP, stream))
    watch = Watch(
        limit_s=record["StoppingCondition"]["MaxRuntimeInSeconds"],
        stop=lambda: "stop" if record["_stop"].is_set() else "",
        sync=lambda: _upload(world, record, group, "Continuous"),
    )
    ending = watch.run(world.clock, group)
    for host in group:
        hosts.end(world, host)
    return ending


def _upload(world: World, record: Record, group: list[Host], mode: str) -> None:
    sent = record.setdefault("_sent", {})
    for one in record.get("ProcessingOutputConfig", {}).get("Outputs", ()):
        output = one.get("S3Output")
        if output is None or output.get("S3UploadMode", "EndOfJob") != mode:
            continue
        for host in reversed(group):
            folder = local(host, output["LocalPath"])
            for path in files(folder):
                facts = path.stat()
                mark = facts.st_mtime_ns, facts.st_size
                if sent.get(path) != mark:
                    sent[path] = mark
                    target = f"{output['S3Uri'].rstrip('/')}/{path.relative_to(folder).as_posix()}"
                    world.objects.put(target, path.read_bytes())


def _end(world: World, record: Record, ending: Ending) -> None:
    message = ending.host.folder / "output/message"
    text = message.read_text("utf-8", "replace")[:1024] if message.is_file() else ""
    if text:
        record["ExitMessage"] = text
    world.pass_time("uploading")
    if ending.stopped == "time":
        limit = record["StoppingCondition"]["MaxRuntimeInSeconds"]
        JOBS.finish(world, record, "Stopped", f"Job exceeded the maximum runtime of {limit} seconds")
    elif ending.stopped:
        JOBS.finish(world, record, "Stopped")
    elif ending.code:
        words = f"AlgorithmError: {text or 'See job logs for more information'}"
        JOBS.finish(world, record, "Failed", f"{words[:980]}, exit code: {ending.code}")
    else:
        JOBS.finish(world, record, "Completed")


JOBS = Kind("Processing", run)
OPERATIONS: Mapping[str, Any] = JOBS.operations(create)
