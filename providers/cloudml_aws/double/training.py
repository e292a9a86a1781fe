"""Training jobs: SageMaker's steps, and the user's code really run in /opt/ml as SageMaker lays it out."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from cloudml.doubles.watching import Host, Watch
from cloudml_aws.double import checkpoints, hosts, toolkit
from cloudml_aws.double.jobs import Kind, fetch
from cloudml_aws.double.refusals import invalid

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from cloudml.doubles.watching import Ending
    from cloudml_aws.double.tables import Record
    from cloudml_aws.double.world import World

GROUP = "/aws/sagemaker/TrainingJobs"
DAY_S = 86_400
FOLDERS = ("input/config", "input/data", "model", "output/data", "checkpoints", "code")
TRAINED = "Training image download completed. Training in progress."
SAYS: Mapping[str, str] = {
    "Starting": "Preparing the instances for training",
    "Pending": "Preparing the instances for training",
    "Downloading": "Downloading the training image",
    "Training": TRAINED,
    "Uploading": "Uploading generated training model",
    "Completed": "Training job completed",
    "Stopping": "Stopping the training job",
    "Stopped": "Training job stopped",
    "Interrupted": "Training job interrupted: the managed spot instance was reclaimed",
    "Restarting": "Restarting the training job on a new instance",
}
"""SecondaryStatus -> StatusMessage."""


def create(world: World, asked: Mapping[str, Any]) -> dict[str, Any]:
    """Take a training job on."""
    stopping = {"MaxRuntimeInSeconds": DAY_S, **asked.get("StoppingCondition", {})}
    _refuse(asked, stopping)
    JOBS.refuse_second(world, asked["TrainingJobName"])
    _refuse_empty(world, asked)
    return JOBS.create(
        world,
        asked,
        StoppingCondition=stopping,
        SecondaryStatus="Starting",
        SecondaryStatusTransitions=[_transition(world, "Starting")],
    )


def _refuse(asked: Mapping[str, Any], stopping: Mapping[str, Any]) -> None:
    spot, longest = asked.get("EnableManagedSpotTraining", False), stopping.get("MaxWaitTimeInSeconds")
    if longest is not None and not spot:
        raise invalid(
            "Invalid MaxWaitTimeInSeconds. It is only supported when EnableManagedSpotTraining is set to true"
        )
    if spot and (longest is None or longest < stopping["MaxRuntimeInSeconds"]):
        raise invalid(
            "Invalid MaxWaitTimeInSeconds. It must be present and be greater than or equal to MaxRuntimeInSeconds"
        )
    algorithm = asked.get("AlgorithmSpecification", {})
    if not algorithm.get("TrainingImage") and not algorithm.get("AlgorithmName"):
        raise invalid("You must provide either TrainingImage or AlgorithmName in AlgorithmSpecification.")
    if "ResourceConfig" not in asked:
        raise invalid("ResourceConfig is required for this training job.")


def _refuse_empty(world: World, asked: Mapping[str, Any]) -> None:
    for channel in asked.get("InputDataConfig", ()):
        source = channel.get("DataSource", {}).get("S3DataSource")
        if source and not world.objects.keys(source["S3Uri"]):
            raise invalid(
                f'No S3 objects found under S3 URL "{source["S3Uri"]}" given in input data source. Please ensure that '
                f"the bucket exists in the selected region ({world.region}), that objects exist under that S3 prefix, "
                f'and that the role "{asked["RoleArn"]}" has "s3:ListBucket" permissions on bucket.'
            )


def _transition(world: World, status: str, message: str = "") -> dict[str, Any]:
    return {"Status": status, "StartTime": world.clock.now(), "StatusMessage": message or SAYS.get(status, "")}


def step(world: World, record: Record, status: str, message: str = "") -> None:
    """The next step: it shows in SecondaryStatus and in the list of transitions."""
    done = record["SecondaryStatusTransitions"]
    now = world.clock.now()
    record["SecondaryStatusTransitions"] = [
        *done[:-1],
        {**done[-1], "EndTime": now},
        _transition(world, status, message),
    ]
    record["SecondaryStatus"] = status
    JOBS.touch(world, record)


def run(world: World, record: Record) -> None:
    """A worker's life with one job: again, when a spot machine is taken away."""
    if not _started(world, record):
        return
    while (ending := _attempt(world, record)) is not None and ending.stopped == "reclaim":
        step(world, record, "Interrupted")
        waited = (world.clock.now() - record["CreationTime"]).total_seconds()
        if waited > record["StoppingCondition"]["MaxWaitTimeInSeconds"]:
            over(world, record, "Stopped", "MaxWaitTimeExceeded")
            return
        if not _pass(world, record, "restarting"):
            return
        step(world, record, "Restarting")
    if ending is not None:
        _end(world, record, ending)


def _pass(world: World, record: Record, name: str) -> bool:
    """Let time pass; a job that is stopped meanwhile is over."""
    if world.pass_time(name, key=record["_arn"], unless=record["_stop"].is_set):
        return True
    over(world, record, "Stopped", "Stopped")
    return False


def _started(world: World, record: Record) -> bool:
    """Whether there are machines for the job."""
    if not _pass(world, record, "starting"):
        return False
    name = record["TrainingJobName"]
    kind = record["ResourceConfig"].get("InstanceType", "")
    while words := world.no_capacity(name, kind):
        if not record.get("EnableManagedSpotTraining"):
            over(world, record, "Failed", "Failed", f"CapacityError: {words}")
            return False
        step(world, record, "Pending")
        if not _pass(world, record, "pending"):
            return False
        waited = (world.clock.now() - record["CreationTime"]).total_seconds()
        if waited > record["StoppingCondition"]["MaxWaitTimeInSeconds"]:
            over(world, record, "Stopped", "MaxWaitTimeExceeded")
            return False
    return True


def _attempt(world: World, record: Record) -> Ending | None:
    """One run of the containers; None when the job is over without one."""
    step(world, record, "Downloading")
    if not _pass(world, record, "downloading"):
        return None
    group = _hosts(world, record)
    for host in group:
        lay_out(world, record, host, group)
    step(world, record, "Training")
    record.setdefault("TrainingStartTime", world.clock.now())
    began = world.clock.now()
    command = toolkit.command(record)
    reclaim = Reclaim(world, record)
    sync = checkpoints.Sync(world, record, group[0].folder / "checkpoints")
    epoch = int(began.timestamp())
    for host in group:
        stream = f"{record['TrainingJobName']}/{host.name}-{epoch}"

        def on_line(line: str, stream: str = stream) -> None:
            world.say(GROUP, stream, line)
            scrape(world, record, line)
            reclaim.read(line)

        hosts.start(world, host, command, environment(world, record), on_line)
    watch = Watch(
        limit_s=record["StoppingCondition"]["MaxRuntimeInSeconds"] - record.get("TrainingTimeInSeconds", 0),
        stop=lambda: "stop" if record["_stop"].is_set() else reclaim.due(),
        sync=sync.send,
    )
    ending = watch.run(world.clock, group)
    for host in group:
        hosts.end(world, host)
    took = max(int((world.clock.now() - began).total_seconds()), 1)
    record["TrainingTimeInSeconds"] = record.get("TrainingTimeInSeconds", 0) + took
    record["BillableTimeInSeconds"] = record["TrainingTimeInSeconds"]
    return ending


class Reclaim:
    """The domain fault `spot`: the machine is taken away when the code prints a line that holds `line`."""

    def __init__(self, world: World, record: Record) -> None:
        spot = record.get("EnableManagedSpotTraining")
        self._fault = world.domain("spot", record["TrainingJobName"]) if spot else None
        self._seen = self._fault is not None and not self._fault.facts.get("line")

    def read(self, line: str) -> None:
        if self._fault is not None and self._fault.facts.get("line", "\n") in line:
            self._seen = True

    def due(self) -> str:
        return "reclaim" if self._seen else ""


def _hosts(world: World, record: Record) -> list[Host]:
    count = record["ResourceConfig"].get("InstanceCount", 1)
    del world
    attempt = record["_attempt"] = record.get("_attempt", 0) + 1
    base: Path = record["_folder"] / str(attempt)
    return [Host(name=f"algo-{index + 1}", folder=base / f"algo-{index + 1}") for index in range(count)]


def lay_out(world: World, record: Record, host: Host, group: list[Host]) -> None:
    """Make /opt/ml of one host."""
    for name in FOLDERS:
        (host.folder / name).mkdir(parents=True)
    names = [one.name for one in group]
    kind = record["ResourceConfig"].get("InstanceType", "ml.m5.large")
    instances = [{"instance_group_name": "homogeneousCluster", "instance_type": kind, "hosts": names}]
    config = {
        "hyperparameters": record.get("HyperParameters", {}),
        "inputdataconfig": {one["ChannelName"]: _channel(one) for one in record.get("InputDataConfig", ())},
        "resourceconfig": {
            "current_host": host.name,
            "current_instance_type": kind,
            "current_group_name": "homogeneousCluster",
            "hosts": names,
            "instance_groups": instances,
            "network_interface_name": "eth0",
            "topology": None,
        },
    }
    if "CheckpointConfig" in record:
        config["checkpointconfig"] = {"LocalPath": "/opt/ml/checkpoints", **record["CheckpointConfig"]}
        checkpoints.fetch(world, record, host.folder / "checkpoints")
    for name, content in config.items():
        (host.folder / f"input/config/{name}.json").write_text(json.dumps(content), "utf-8")
    for channel in record.get("InputDataConfig", ()):
        source = channel["DataSource"]["S3DataSource"]
        share = (names.index(host.name), len(names))
        fetch(world, source, host.folder / "input/data" / channel["ChannelName"], share)


def _channel(channel: Mapping[str, Any]) -> dict[str, Any]:
    source = channel["DataSource"]["S3DataSource"]
    content = {"ContentType": channel["ContentType"]} if "ContentType" in channel else {}
    return {
        "TrainingInputMode": channel.get("InputMode", "File"),
        "S3DistributionType": source.get("S3DataDistributionType", "FullyReplicated"),
        "RecordWrapperType": channel.get("RecordWrapperType", "None"),
        **content,
    }


def environment(world: World, record: Record) -> dict[str, str]:
    """The variables of a training container."""
    isolated = record.get("EnableNetworkIsolation", False)
    own = {"TRAINING_JOB_NAME": record["TrainingJobName"], "TRAINING_JOB_ARN": record["TrainingJobArn"]}
    return {**hosts.surroundings(world, isolated=isolated), **own, **record.get("Environment", {})}


def scrape(world: World, record: Record, line: str) -> None:
    """Take the metrics out of a line, as the job's definitions say; the last value counts."""
    for metric in record.get("AlgorithmSpecification", {}).get("MetricDefinitions", ()):
        if found := re.search(metric["Regex"], line):
            try:
                value = float(found[1])
            except (ValueError, IndexError):
                continue
            kept = [one for one in record.get("FinalMetricDataList", ()) if one["MetricName"] != metric["Name"]]
            new = {"MetricName": metric["Name"], "Value": value, "Timestamp": world.clock.now()}
            record["FinalMetricDataList"] = [*kept, new]


def _end(world: World, record: Record, ending: Ending) -> None:
    """Upload what is left, and say how the job ended."""
    step(world, record, "Uploading")
    failed = ending.code != 0 and not ending.stopped
    _upload(world, record)
    world.pass_time("uploading")
    if ending.stopped == "time":
        over(world, record, "Stopped", "MaxRuntimeExceeded")
    elif ending.stopped:
        over(world, record, "Stopped", "Stopped")
    elif failed:
        over(world, record, "Failed", "Failed", failure(ending))
    else:
        over(world, record, "Completed", "Completed")


def failure(ending: Ending) -> str:
    """What SageMaker says of code that failed: the failure file, else that there is no more to say; the exit code."""
    file = ending.host.folder / "output/failure"
    text = file.read_text("utf-8", "replace") if file.is_file() else ""
    text = text.strip() or "Please use an API compatible training image"
    return f"AlgorithmError: {text[: 1024 - 40]}, exit code: {ending.code}"


def _upload(world: World, record: Record) -> None:
    """Send the model and the other outputs to S3, also those of a job that failed."""
    output = record["OutputDataConfig"]
    base = f"{output['S3OutputPath'].rstrip('/')}/{record['TrainingJobName']}/output"
    folders = sorted((record["_folder"] / str(record["_attempt"])).glob("algo-*[0-9]"), reverse=True)
    plain = output.get("CompressionType") == "NONE"
    for name, inside, archive in (("model", "model", "model.tar.gz"), ("data", "output/data", "output.tar.gz")):
        full = [folder / inside for folder in folders if any((folder / inside).iterdir())]
        if plain:
            for folder in full:
                world.objects.send(folder, f"{base}/{name}")
        elif full or name == "model":
            world.objects.send_archive(full, f"{base}/{archive}")
        if name == "model":
            record["ModelArtifacts"] = {"S3ModelArtifacts": f"{base}/{'model/' if plain else archive}"}


def over(world: World, record: Record, status: str, secondary: str, reason: str = "") -> None:
    """The end of a job."""
    step(world, record, secondary, reason or SAYS.get(secondary, ""))
    JOBS.finish(world, record, status, reason)


JOBS = Kind("Training", run)
OPERATIONS: Mapping[str, Any] = JOBS.operations(create)
