"""Hyperparameter tuning: trials that are training jobs and really run; values are drawn at random, or from a grid."""

from __future__ import annotations

import itertools
import math
import random
import threading
import uuid
from typing import TYPE_CHECKING, Any

from cloudml_aws.double import training
from cloudml_aws.double.jobs import OVER
from cloudml_aws.double.refusals import Refused, in_use, invalid
from cloudml_aws.double.tables import chosen, page

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from cloudml_aws.double.tables import Record
    from cloudml_aws.double.world import World

KIND, NAME = "hyper-parameter-tuning-job", "HyperParameterTuningJobName"
STATUS, ARN = "HyperParameterTuningJobStatus", "HyperParameterTuningJobArn"
COUNTERS = ("Completed", "InProgress", "RetryableError", "NonRetryableError", "Stopped")
OBJECTIVES = ("Succeeded", "Pending", "Failed")
GRID_STEPS = 3
ENDED = {"Completed": "Completed", "Failed": "NonRetryableError", "Stopped": "Stopped"}


def create(world: World, asked: Mapping[str, Any]) -> dict[str, Any]:
    name, config = asked[NAME], asked["HyperParameterTuningJobConfig"]
    definition = asked.get("TrainingJobDefinition")
    if definition is None:
        raise invalid("The double tunes one TrainingJobDefinition.")
    objective = config.get("HyperParameterTuningJobObjective", {}).get("MetricName")
    known = {one["Name"] for one in definition["AlgorithmSpecification"].get("MetricDefinitions", ())}
    if objective and objective not in known:
        raise invalid("A metric is required for this hyperparameter tuning job objective. Provide a metric.")
    with world.lock:
        arn = world.arn("sagemaker", KIND, name)
        if name in world.table(KIND):
            raise in_use(f"Hyper-parameter tuning job names must be unique: {arn} already exists")
        now = world.clock.now()
        own = {"_arn": arn, ARN: arn, STATUS: "InProgress", "_stop": threading.Event(), "_trials": []}
        times = {"CreationTime": now, "LastModifiedTime": now}
        record = world.table(KIND).add(name, {**asked, **own, **times})
        world.clock.work(run, world, record)
    return {ARN: arn}


def run(world: World, record: Record) -> None:
    """A worker's life with one tuning job: trials until there are enough, some at once."""
    limits = record["HyperParameterTuningJobConfig"]["ResourceLimits"]
    drawn = itertools.islice(draws(record), limits.get("MaxNumberOfTrainingJobs", 1))
    waiting = list(drawn)
    while True:
        running = [one for one in trials(world, record) if one["TrainingJobStatus"] not in OVER]
        if record["_stop"].is_set():
            waiting = []
            stop_all(world, running)
        if not waiting and not running:
            break
        while waiting and len(running) < limits["MaxParallelTrainingJobs"]:
            running.append(_begin(world, record, waiting.pop(0)))
        with world.clock.real():
            threading.Event().wait(0.02)  # real work goes on meanwhile
        world.pass_time("tuning", key=record["_arn"])
    record["HyperParameterTuningEndTime"] = record["LastModifiedTime"] = world.clock.now()
    good = any(one["TrainingJobStatus"] == "Completed" for one in trials(world, record))
    record[STATUS] = "Stopped" if record["_stop"].is_set() else "Completed" if good else "Failed"
    if record[STATUS] == "Failed":
        record["FailureReason"] = "All training jobs failed. Please take a look at the training jobs for failures."


def draws(record: Record) -> Iterator[dict[str, str]]:
    """The values of one trial after another, as text."""
    config = record["HyperParameterTuningJobConfig"]
    ranges = config.get("ParameterRanges", {})
    if config["Strategy"] == "Grid":
        yield from _grid(ranges)
        return
    dice = random.Random(config.get("RandomSeed", 0))  # noqa: S311  a search, not a secret
    while True:
        yield {
            **{one["Name"]: str(round(_between(one, dice))) for one in ranges.get("IntegerParameterRanges", ())},
            **{one["Name"]: repr(_between(one, dice)) for one in ranges.get("ContinuousParameterRanges", ())},
            **{one["Name"]: dice.choice(one["Values"]) for one in ranges.get("CategoricalParameterRanges", ())},
        }


def _between(one: Mapping[str, Any], dice: random.Random) -> float:
    low, high = float(one["MinValue"]), float(one["MaxValue"])
    if one.get("ScalingType") == "Logarithmic":
        return math.exp(dice.uniform(math.log(low), math.log(high)))
    return dice.uniform(low, high)


def _grid(ranges: Mapping[str, Any]) -> Iterator[dict[str, str]]:
    axes = {one["Name"]: one["Values"] for one in ranges.get("CategoricalParameterRanges", ())}
    for one in ranges.get("IntegerParameterRanges", ()):
        low, high = int(one["MinValue"]), int(one["MaxValue"])
        axes[one["Name"]] = [str(value) for value in range(low, high + 1, max((high - low) // (GRID_STEPS - 1), 1))]
    for values in itertools.product(*axes.values()):
        yield dict(zip(axes, values, strict=True))


def _begin(world: World, record: Record, drawn: Mapping[str, str]) -> Record:
    definition, config = record["TrainingJobDefinition"], record["HyperParameterTuningJobConfig"]
    name = f"{record[NAME]}-{len(record['_trials']) + 1:03d}-{uuid.uuid4().hex[:8]}"
    objective = config.get("HyperParameterTuningJobObjective", {}).get("MetricName", "")
    parameters = {**definition.get("StaticHyperParameters", {}), **drawn, "_tuning_objective_metric": objective}
    left_out = {"StaticHyperParameters", "HyperParameterRanges", "DefinitionName", "TuningObjective"}
    request = {key: value for key, value in definition.items() if key not in left_out}
    tags = {"Tags": record["Tags"]} if "Tags" in record else {}
    training.create(world, {**request, **tags, "TrainingJobName": name, "HyperParameters": parameters})
    trial = world.table("training-job").need(name)
    trial["TuningJobArn"], trial["_tuned"] = record["_arn"], dict(drawn)
    record["_trials"] = [*record["_trials"], name]
    return trial


def trials(world: World, record: Record) -> list[Record]:
    found = (world.table("training-job").get(name) for name in record["_trials"])
    return [one for one in found if one is not None]


def stop_all(world: World, running: list[Record]) -> None:
    for one in running:
        if one["TrainingJobStatus"] == "InProgress":
            training.JOBS.stop(world, {"TrainingJobName": one["TrainingJobName"]})


def summary(record: Record, trial: Record) -> dict[str, Any]:
    """A trial in a list, with the metric that counts."""
    objective = record["HyperParameterTuningJobConfig"].get("HyperParameterTuningJobObjective", {})
    metric = next(
        (one for one in trial.get("FinalMetricDataList", ()) if one["MetricName"] == objective.get("MetricName")), None
    )
    over = trial["TrainingJobStatus"] in OVER
    status = "Succeeded" if metric and over else "Failed" if over else "Pending"
    final = {key: metric[key] for key in ("MetricName", "Value")} | {"Type": objective.get("Type")} if metric else None
    return {
        **trial,
        "TunedHyperParameters": trial["_tuned"],
        "ObjectiveStatus": status,
        "FinalHyperParameterTuningJobObjectiveMetric": final,
    }


def describe(world: World, asked: Mapping[str, Any]) -> dict[str, Any]:
    record = world.need(KIND, asked[NAME])
    found = [summary(record, trial) for trial in trials(world, record)]
    states = [ENDED.get(one["TrainingJobStatus"], "InProgress") for one in found]
    objectives = [one["ObjectiveStatus"] for one in found]
    return {
        **record,
        "TrainingJobStatusCounters": {name: states.count(name) for name in COUNTERS},
        "ObjectiveStatusCounters": {name: objectives.count(name) for name in OBJECTIVES},
        "BestTrainingJob": _best(record, found),
    }


def _best(record: Record, found: list[dict[str, Any]]) -> dict[str, Any] | None:
    done = [one for one in found if one["ObjectiveStatus"] == "Succeeded"]
    objective = record["HyperParameterTuningJobConfig"].get("HyperParameterTuningJobObjective", {})
    best = max if objective.get("Type") == "Maximize" else min
    return best(done, key=lambda one: one["FinalHyperParameterTuningJobObjectiveMetric"]["Value"]) if done else None


def stop(world: World, asked: Mapping[str, Any]) -> dict[str, Any]:
    record = world.need(KIND, asked[NAME])
    if record[STATUS] in OVER:
        raise invalid(f"The request was rejected because the tuning job is in status {record[STATUS]}.")
    record[STATUS] = "Stopping"
    record["_stop"].set()
    return {}


def list_(world: World, asked: Mapping[str, Any]) -> dict[str, Any]:
    found = chosen(list(world.table(KIND)), asked, name=NAME, status=STATUS)
    shown = [describe(world, {NAME: one[NAME]}) for one in found]
    for one in shown:
        config = one["HyperParameterTuningJobConfig"]
        one |= {"Strategy": config["Strategy"], "ResourceLimits": config["ResourceLimits"]}
    return page(shown, asked, "HyperParameterTuningJobSummaries")


def list_trials(world: World, asked: Mapping[str, Any]) -> dict[str, Any]:
    record = world.need(KIND, asked[NAME])
    wanted = asked.get("StatusEquals")
    found = [summary(record, one) for one in trials(world, record) if wanted in {None, one["TrainingJobStatus"]}]
    return page(found, asked, "TrainingJobSummaries")


def delete(world: World, asked: Mapping[str, Any]) -> dict[str, Any]:
    record = world.need(KIND, asked[NAME])
    if record[STATUS] not in OVER:
        raise Refused("ResourceInUse", f"The tuning job {record['_arn']} is in status {record[STATUS]}.")
    world.table(KIND).remove(asked[NAME])
    return {}


OPERATIONS: Mapping[str, Any] = {
    "CreateHyperParameterTuningJob": create,
    "DescribeHyperParameterTuningJob": describe,
    "ListHyperParameterTuningJobs": list_,
    "ListTrainingJobsForHyperParameterTuningJob": list_trials,
    "StopHyperParameterTuningJob": stop,
    "DeleteHyperParameterTuningJob": delete,
}
