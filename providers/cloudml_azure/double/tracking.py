"""MLflow's REST interface on the workspace: runs of jobs, their metrics and parameters, written from inside them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cloudml_azure.double import resources, states
from cloudml_azure.double.refusals import Refused
from cloudml_azure.double.routes import WORKSPACE, Route, route
from cloudml_azure.double.wire import answered
from cloudml_azure.double.world import ARTIFACTS

if TYPE_CHECKING:
    from collections.abc import Callable

    from cloudml_azure.double.resources import Record
    from cloudml_azure.double.wire import Answer, Asked
    from cloudml_azure.double.world import World

STATES = {"Completed": "FINISHED", "Failed": "FAILED", "Canceled": "KILLED", "NotStarted": "SCHEDULED"}
MILLIONS = 1_000_000
"""Values that a run may log."""


def _need(world: World, name: str) -> Record:
    record = world.resources.find(f"jobs/{name}")
    if record is None:
        raise Refused("RESOURCE_DOES_NOT_EXIST", f"Run '{name}' not found", 404)
    return record


def _said(asked: Asked) -> dict[str, Any]:
    found = asked.json() if asked.body else {}
    return {**asked.query, **found}


def _run(world: World, asked: Asked) -> Record:
    said = _said(asked)
    return _need(world, str(said.get("run_id") or said.get("run_uuid") or ""))


def shown(record: Record) -> dict[str, Any]:
    """A run as MLflow has it: of each metric the last value."""
    facts = record["properties"]
    last = {one["key"]: one for one in record["_metrics"]}
    tags = {**facts["tags"], **record["_tags"], "mlflow.runName": facts["displayName"]}
    if record.get("_parent"):
        tags["mlflow.parentRunId"] = record["_parent"]
    return {
        "info": {
            "run_id": record["name"],
            "run_uuid": record["name"],
            "run_name": facts["displayName"],
            "experiment_id": facts["experimentName"],
            "status": STATES.get(facts["status"], "RUNNING"),
            "lifecycle_stage": "active",
            "artifact_uri": f"azureml://datastores/workspaceartifactstore/paths/{states.home(record)}",
            "user_id": "",
        },
        "data": {
            "metrics": list(last.values()),
            "params": [{"key": key, "value": value} for key, value in record["_params"].items()],
            "tags": [{"key": key, "value": value} for key, value in tags.items()],
        },
    }


def get(world: World, asked: Asked) -> Answer:
    return answered({"run": shown(_run(world, asked))})


def _log(world: World, record: Record, said: dict[str, Any]) -> None:
    if "key" not in said or "value" not in said:
        raise Refused("INVALID_PARAMETER_VALUE", "Missing value for required parameter 'key' or 'value'.")
    if len(record["_metrics"]) >= MILLIONS:
        raise Refused("RESOURCE_LIMIT_EXCEEDED", f"A run may log {MILLIONS} metric values.", 429)
    moment = int(said.get("timestamp") or world.clock.now().timestamp() * 1000)
    value = {"key": str(said["key"]), "value": said["value"], "timestamp": moment, "step": int(said.get("step") or 0)}
    record["_metrics"].append(value)


def log_metric(world: World, asked: Asked) -> Answer:
    _log(world, _run(world, asked), _said(asked))
    return answered({})


def log_parameter(world: World, asked: Asked) -> Answer:
    """Keep a parameter, which has one value for ever."""
    record, said = _run(world, asked), _said(asked)
    _parameter(record, said)
    return answered({})


def _parameter(record: Record, said: dict[str, Any]) -> None:
    key, value = str(said["key"]), str(said["value"])
    if record["_params"].setdefault(key, value) != value:
        raise Refused("INVALID_PARAMETER_VALUE", f"The parameter {key} of this run has another value already.")


def log_batch(world: World, asked: Asked) -> Answer:
    """Keep several metrics, parameters and tags."""
    record, said = _run(world, asked), _said(asked)
    for one in said.get("metrics", ()):
        _log(world, record, one)
    for one in said.get("params", ()):
        _parameter(record, one)
    for one in said.get("tags", ()):
        record["_tags"][str(one["key"])] = str(one["value"])
    return answered({})


def set_tag(world: World, asked: Asked) -> Answer:
    said = _said(asked)
    _run(world, asked)["_tags"][str(said["key"])] = str(said["value"])
    return answered({})


def update(world: World, asked: Asked) -> Answer:
    """Give a run another name; its state is the job's own."""
    record, said = _run(world, asked), _said(asked)
    if said.get("run_name"):
        record["properties"]["displayName"] = str(said["run_name"])
    return answered({"run_info": shown(record)["info"]})


def history(world: World, asked: Asked) -> Answer:
    """All values of a metric, in the order in which they came."""
    record, key = _run(world, asked), _said(asked).get("metric_key")
    return answered({"metrics": [one for one in record["_metrics"] if one["key"] == key]})


def series(record: Record) -> list[dict[str, Any]]:
    """All values of all metrics, as the metric plane has them."""
    names = dict.fromkeys(one["key"] for one in record["_metrics"])
    return [{"name": name, "value": [one for one in record["_metrics"] if one["key"] == name]} for name in names]


def search(world: World, asked: Asked) -> Answer:
    """The runs of some experiments, newest first."""
    wanted = set(_said(asked).get("experiment_ids") or ())
    found = [
        shown(one)
        for one in resources.newest_first(world.resources.below("jobs"))
        if not wanted or one["properties"]["experimentName"] in wanted
    ]
    return answered({"runs": found})


def experiment(world: World, asked: Asked) -> Answer:
    """An experiment, whose id here is its name."""
    del world
    said = _said(asked)
    name = str(said.get("experiment_id") or said.get("experiment_name") or "Default")
    return answered({"experiment": {"experiment_id": name, "name": name, "lifecycle_stage": "active"}})


def artifacts(world: World, asked: Asked) -> Answer:
    """The files of a run."""
    record = _run(world, asked)
    stem = f"{states.home(record)}/"
    names = world.storage.names(ARTIFACTS, stem)
    files = [
        {"path": name.removeprefix(stem), "is_dir": False, "file_size": world.storage.need(ARTIFACTS, name).size}
        for name in names
    ]
    return answered({"files": files})


OPERATIONS: tuple[tuple[str, str, str, Callable[[World, Asked], Answer]], ...] = (
    ("GET", "runs/get", "Runs_Get", get),
    ("POST", "runs/log-metric", "Runs_LogMetric", log_metric),
    ("POST", "runs/log-parameter", "Runs_LogParameter", log_parameter),
    ("POST", "runs/log-batch", "Runs_LogBatch", log_batch),
    ("POST", "runs/set-tag", "Runs_SetTag", set_tag),
    ("POST", "runs/update", "Runs_Update", update),
    ("POST", "runs/search", "Runs_Search", search),
    ("GET", "metrics/get-history", "Metrics_GetHistory", history),
    ("GET", "experiments/get", "Experiments_Get", experiment),
    ("GET", "experiments/get-by-name", "Experiments_GetByName", experiment),
    ("GET", "artifacts/list", "Artifacts_List", artifacts),
)


def _route(version: str, method: str, path: str, name: str, handler: Callable[[World, Asked], Answer]) -> Route:
    return route(method, f"/mlflow/{version}{WORKSPACE}/api/2.0/mlflow/{path}", f"mlflow:{name}", handler)


ROUTES = tuple(_route(version, *one) for version in ("v1.0", "v2.0") for one in OPERATIONS)
