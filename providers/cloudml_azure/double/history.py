"""Run history and the other data planes of the workspace: what became of a run, its files, and where assets are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cloudml_azure.double import identity, resources, states, tracking, uris
from cloudml_azure.double.refusals import Refused, user_error
from cloudml_azure.double.routes import WORKSPACE, route
from cloudml_azure.double.uris import NowhereError, Place
from cloudml_azure.double.wire import answered
from cloudml_azure.double.world import ARTIFACTS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from cloudml_azure.double.resources import Record
    from cloudml_azure.double.wire import Answer, Asked
    from cloudml_azure.double.world import World

PAGE = 50
LOGS = ("user_logs/", "azureml-logs/", "system_logs/", "logs/")


def run_of(world: World, name: str) -> Record:
    """The job of a run.

    Raises:
        Refused: There is none.
    """
    missing = user_error(f"Run {name} was not found.", 404)
    return resources.need(world, f"jobs/{name}", missing)


def details(world: World, asked: Asked) -> Answer:
    """How a run stands, and where its logs are."""
    return answered(shown(world, run_of(world, asked.names["run"])))


def shown(world: World, record: Record) -> dict[str, Any]:
    """The details of a run; each log has a URL of its own."""
    stem = f"{states.home(record)}/"
    files = [name.removeprefix(stem) for name in world.storage.names(ARTIFACTS, stem)]
    token = identity.sas(permissions="r")
    facts = record["properties"]
    return {
        "runId": record["name"],
        "target": facts.get("computeId") or "serverless",
        "status": facts["status"],
        "startTimeUtc": record["_started"] or None,
        "endTimeUtc": record["_ended"] or None,
        "warnings": record["_warnings"],
        "error": record["_error"],
        "properties": facts["properties"],
        "inputDatasets": [],
        "outputDatasets": [],
        "logFiles": {
            name: f"{uris.url(world, Place(world.account, ARTIFACTS, stem + name))}?{token}"
            for name in files
            if name.startswith(LOGS)
        },
        "submittedBy": identity.CLIENT,
    }


def metadata(world: World, record: Record) -> dict[str, Any]:
    """A run as run history lists it."""
    facts = record["properties"]
    outputs = {
        name: {
            "assetId": f"azureml://locations/{world.region}/workspaces/{world.workspace}/data/{record['name']}-{name}",
            "type": "UriFolder" if said["jobOutputType"] == "uri_folder" else said["jobOutputType"],
        }
        for name, said in facts["outputs"].items()
        if name != "default" and said
    }
    return {
        "runId": record["name"],
        "runUuid": record["name"],
        "parentRunId": record.get("_parent"),
        "rootRunId": record.get("_parent") or record["name"],
        "experimentId": facts["experimentName"],
        "status": facts["status"],
        "displayName": facts["displayName"],
        "name": facts["displayName"],
        "description": facts.get("description"),
        "createdUtc": record["systemData"]["createdAt"],
        "startTimeUtc": record["_started"] or None,
        "endTimeUtc": record["_ended"] or None,
        "tags": {**facts["tags"], **record["_tags"]},
        "properties": facts["properties"],
        "runType": "azureml.scriptrun",
        "hidden": facts["isArchived"],
        "error": record["_error"],
        "warnings": record["_warnings"],
        "outputs": outputs,
        "inputs": {},
    }


def run(world: World, asked: Asked) -> Answer:
    return answered(metadata(world, run_of(world, asked.names["run"])))


def change(world: World, asked: Asked) -> Answer:
    """Change what is said about a run: tags are added, `hidden` archives."""
    record, said = run_of(world, asked.names["run"]), asked.json()
    facts = record["properties"]
    facts |= {key: said[key] for key in ("displayName", "description") if said.get(key) is not None}
    for key in ("tags", "properties"):
        facts[key] = {**facts[key], **(said.get(key) or {})}
    if said.get("hidden") is not None:
        facts["isArchived"] = bool(said["hidden"])
    record["systemData"] = world.system_data(record["systemData"])
    return answered(metadata(world, record))


def children(world: World, asked: Asked) -> Answer:
    """The runs of a sweep, by pages with a token that is no link."""
    name = asked.names["run"]
    run_of(world, name)
    found = [one for one in world.resources.below("jobs") if one.get("_parent") == name]
    return answered(_page(asked, (metadata(world, one) for one in found)))


def _page(asked: Asked, found: Iterable[dict[str, Any]]) -> dict[str, Any]:
    items, start = list(found), int(asked.query.get("$continuationToken") or 0)
    end = start + int(asked.query.get("$top") or PAGE)
    more = {"continuationToken": str(end)} if end < len(items) else {}
    return {"value": items[start:end], **more}


def data(world: World, asked: Asked) -> Answer:
    """A run with what is asked for of it."""
    said = asked.json()
    record = run_of(world, str(said.get("runId")))
    found: dict[str, Any] = {"runMetadata": metadata(world, record)}
    if said.get("selectRunDefinition"):
        found["runDefinition"] = {"command": record["_asked"].get("command")}
    if said.get("selectJobSpecification"):
        found["jobSpecification"] = resources.shown(record)
    return answered(found)


def resolved(world: World, asked: Asked) -> Answer:
    """Where assets are, by their ids; also the outputs of runs."""
    found = {}
    for asset in asked.json().get("values", ()):
        try:
            found[asset] = {"uri": _asset_uri(world, asset)}
        except NowhereError as error:
            raise Refused("NotFound", str(error), 404) from error
    return answered({"values": found})


def _asset_uri(world: World, asset: str) -> str:
    output = asset.rpartition("/data/")[2]
    for record in world.resources.below("jobs"):
        for name, said in record["properties"]["outputs"].items():
            if f"{record['name']}-{name}" == output:
                default = uris.long_form(world, "workspaceblobstore", f"azureml/{record['name']}/{name}/")
                return str((said or {}).get("uri") or default)
    place = uris.place(world, asset)
    return uris.long_form(world, uris.datastore(world, place), place.path)


def token(world: World, asked: Asked) -> Answer:
    """A new token for what runs in a job."""
    run_of(world, asked.names["run"])
    found = identity.token("https://management.azure.com/.default", 21 * 86_400, run=asked.names["run"])
    return answered({"token": found.token, "expiryTimeUtc": world.now()})


def metrics(world: World, asked: Asked) -> Answer:
    """All metric values of a run."""
    record = run_of(world, asked.names["run"])
    return answered({"value": tracking.series(record)})


HISTORY = f"/history/v1.0{WORKSPACE}"
RUN = f"{HISTORY}/runs/{{run}}"
OF_EXPERIMENT = tuple(
    one
    for kind in ("experiments", "experimentids")
    for one in (
        route("GET", f"{HISTORY}/{kind}/{{experiment}}/runs/{{run}}/details", "history:Runs_GetDetails", details),
        route("GET", f"{HISTORY}/{kind}/{{experiment}}/runs/{{run}}/children", "history:Runs_GetChild", children),
        route("GET", f"{HISTORY}/{kind}/{{experiment}}/runs/{{run}}/token", "history:Runs_GetToken", token),
        route("GET", f"{HISTORY}/{kind}/{{experiment}}/runs/{{run}}", "history:Runs_Get", run),
        route("PATCH", f"{HISTORY}/{kind}/{{experiment}}/runs/{{run}}", "history:Runs_Modify", change),
    )
)
ROUTES = (
    route("GET", f"{RUN}/details", "history:Runs_GetDetails", details),
    route("GET", f"{RUN}/children", "history:Runs_GetChild", children),
    route("GET", RUN, "history:Runs_Get", run),
    route("PATCH", RUN, "history:Runs_Modify", change),
    route("POST", f"{HISTORY}/rundata", "history:Runs_GetData", data),
    *OF_EXPERIMENT,
    route("POST", f"/data/v1.0{WORKSPACE}/dataversion/batchGetResolvedUris", "data:DataVersion_Resolve", resolved),
    route("POST", f"/modelregistry/v1.0{WORKSPACE}/models/batchGetResolvedUris", "data:Models_Resolve", resolved),
    route("POST", f"/metric/v2.0{WORKSPACE}/runs/{{run}}/full", "metric:Metrics_Full", metrics),
)
