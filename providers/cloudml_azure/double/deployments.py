"""Deployments of online endpoints: image, machines, container, probes; and only then they have succeeded."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cloudml_azure.double import endpoints, images, machines, operations, resources
from cloudml_azure.double.operations import FailedError
from cloudml_azure.double.refusals import bad_argument, conflict, not_found
from cloudml_azure.double.routes import route
from cloudml_azure.double.serving import CannotStartError, Server
from cloudml_azure.double.wire import Answer, answered

if TYPE_CHECKING:
    from cloudml_azure.double.resources import Record
    from cloudml_azure.double.wire import Asked
    from cloudml_azure.double.world import World

KIND = "Microsoft.MachineLearningServices/workspaces/onlineEndpoints/deployments"
MOST = 20
"""Deployments of one endpoint."""
TAIL = 5000
"""Lines of a log, when nothing is said."""
INSTANCES = 50


def _path(asked: Asked) -> str:
    return f"onlineEndpoints/{asked.names['endpoint']}/deployments/{asked.names['deployment']}"


def need(world: World, asked: Asked) -> Record:
    """The deployment of a request.

    Raises:
        Refused: There is none, or no such endpoint.
    """
    endpoints.need(world, asked)
    return resources.need(world, _path(asked), not_found(KIND, asked.names["deployment"], world.group))


def _refuse(world: World, asked: Asked, old: Record | None) -> None:
    """Refuse a change while something else goes on, or that asks for too much.

    Raises:
        Refused: In the service's words.
    """
    endpoint = endpoints.need(world, asked)
    endpoints.refuse_busy(world, endpoint, "create a deployment in" if old is None else "update a deployment in")
    if endpoint["properties"]["provisioningState"] == "Failed":
        raise conflict(
            f"Cannot create a deployment in endpoint {endpoint['name']} because it is in Failed provisioning state."
        )
    if old is not None and old["properties"]["provisioningState"] in endpoints.BUSY:
        state = old["properties"]["provisioningState"]
        raise conflict(f"Cannot update deployment {old['name']} because it is in {state} provisioning state.")
    if old is None and len(world.resources.below(f"onlineEndpoints/{endpoint['name']}/deployments")) >= MOST:
        raise bad_argument(f"An endpoint has at most {MOST} deployments.")


def put(world: World, asked: Asked) -> Answer:
    """Make a deployment, or replace what runs in it."""
    path, said = _path(asked), asked.document["properties"]
    old = world.resources.find(path)
    _refuse(world, asked, old)
    sku = {"name": "Default", "capacity": 1, **(asked.document.get("sku") or {})}
    if not 0 < sku["capacity"] <= INSTANCES:
        raise bad_argument(f"sku.capacity must be 1 to {INSTANCES}, and not {sku['capacity']}.")
    facts = _facts(old, said)
    record = resources.make(world, path, {"location": world.region, **asked.document, "sku": sku}, facts)
    record.setdefault("tags", {})
    record |= {"_server": old["_server"] if old else None, "_logs": old["_logs"] if old else [], "_init": []}
    operation = operations.begin(world, path, lambda: _deploy(world, record), failed=_failed(record))
    record["properties"]["properties"]["AzureAsyncOperationUri"] = operations.status_url(world, asked, operation)
    return operations.accepted(world, asked, operation, record, new=old is None)


def _facts(old: Record | None, said: dict[str, Any]) -> dict[str, Any]:
    """The properties with what the service fills in."""
    probe = {
        "initialDelay": "PT10S",
        "period": "PT10S",
        "timeout": "PT2S",
        "successThreshold": 1,
        "failureThreshold": 30,
    }
    settings = {"requestTimeout": "PT5S", "maxConcurrentRequestsPerInstance": 1, "maxQueueWait": "PT0.5S"}
    return {
        "appInsightsEnabled": False,
        "egressPublicNetworkAccess": "Enabled",
        "scaleSettings": {"scaleType": "Default"},
        "environmentVariables": {},
        "description": None,
        **said,
        "livenessProbe": {**probe, **(said.get("livenessProbe") or {})},
        "readinessProbe": {**probe, **(said.get("readinessProbe") or {})},
        "requestSettings": {**settings, **(said.get("requestSettings") or {})},
        "provisioningState": "Updating" if old else "Creating",
        "properties": dict(said.get("properties") or {}),
    }


def _deploy(world: World, record: Record) -> None:
    """A worker's life with one deployment.

    Raises:
        FailedError: As the documentation of failed deployments names them.
    """
    about, facts = record["_path"].removeprefix("onlineEndpoints/"), record["properties"]
    if fault := world.domain("quota", about):
        raise FailedError(
            "OutOfQuota", fault.message or machines.over_quota(facts["instanceType"], record["sku"]["capacity"])
        )
    _build(world, record, about)
    world.pass_time("deployment")
    if fault := world.domain("capacity", about):
        raise FailedError("OutOfQuota", fault.message or machines.no_capacity(world, facts["instanceType"]))
    server = Server(world, record)
    try:
        server.start()
    except CannotStartError as error:
        raise FailedError(error.code, str(error)) from error
    old, record["_server"] = record["_server"], server
    if old is not None:
        old.retire()
    facts["provisioningState"] = "Succeeded"


def _build(world: World, record: Record, about: str) -> None:
    environment = str(record["properties"].get("environmentId") or "")
    fault = world.domain("image-build", about)
    if fault is None and machines.is_built(world, environment) and environment not in world.images:
        world.pass_time("building")
    problem = fault.message or "the build of the image failed" if fault else images.build(world, environment)
    if problem:
        raise FailedError(
            "ImageBuildFailure",
            f"Image build failed: {problem}. Please check the build log of environment {environment} for more details.",
        )


def _failed(record: Record) -> Any:
    def failed(_: FailedError) -> None:
        record["properties"]["provisioningState"] = "Failed"

    return failed


def stop(record: Record) -> None:
    """End what runs in a deployment, when its last request is answered."""
    server, record["_server"] = record["_server"], None
    if server is not None:
        server.retire()


def get(world: World, asked: Asked) -> Answer:
    return answered(resources.shown(need(world, asked)))


def list_(world: World, asked: Asked) -> Answer:
    endpoint = endpoints.need(world, asked)
    return resources.page(world, asked, world.resources.below(f"onlineEndpoints/{endpoint['name']}/deployments"))


def patch(world: World, asked: Asked) -> Answer:
    """Another number of instances, or other tags."""
    record = need(world, asked)
    _refuse(world, asked, record)
    if asked.document.get("tags") is not None:
        record["tags"] = asked.document["tags"]
    capacity = (asked.document.get("sku") or {}).get("capacity", record["sku"]["capacity"])
    if not 0 < capacity <= INSTANCES:
        raise bad_argument(f"sku.capacity must be 1 to {INSTANCES}, and not {capacity}.")
    record["properties"]["provisioningState"] = "Scaling"

    def scaled() -> None:
        world.pass_time("scaling")
        record["sku"] = {**record["sku"], "capacity": capacity}
        record["properties"]["provisioningState"] = "Succeeded"

    operation = operations.begin(world, record["_path"], scaled, failed=_failed(record), result=record)
    return operations.begun(world, asked, operation)


def delete(world: World, asked: Asked) -> Answer:
    """Delete a deployment that gets no traffic."""
    path = _path(asked)
    record, endpoint = world.resources.find(path), world.resources.find(f"onlineEndpoints/{asked.names['endpoint']}")
    if record is None or endpoint is None:
        return Answer(status=204)
    endpoints.refuse_busy(world, endpoint, "delete a deployment in")
    if endpoint["properties"]["traffic"].get(record["name"], 0) > 0:
        raise bad_argument(
            f"The deployment {record['name']} cannot be deleted: it still has traffic. Set it to 0 first."
        )
    record["properties"]["provisioningState"] = "Deleting"

    def gone() -> None:
        stop(record)
        world.pass_time("deleting")
        world.resources.remove(path)

    return operations.begun(world, asked, operations.begin(world, path, gone, failed=_failed(record)))


def logs(world: World, asked: Asked) -> Answer:
    """The last lines of one of the deployment's containers."""
    record = need(world, asked)
    kind = asked.document.get("containerType") or "InferenceServer"
    lines = record["_init" if kind == "StorageInitializer" else "_logs"]
    tail = int(asked.document.get("tail") or TAIL)
    return answered({"content": "\n".join(lines[-tail:])})


ALL = "onlineEndpoints/{endpoint}/deployments"
ONE, ACTION = f"{ALL}/{{deployment}}", "onlineEndpoints/deployments"
ROUTES = (
    route("PUT", ONE, "OnlineDeployments_CreateOrUpdate", put, action=f"{ACTION}/write", root=ACTION),
    route("GET", ONE, "OnlineDeployments_Get", get, action=f"{ACTION}/read"),
    route("PATCH", ONE, "OnlineDeployments_Update", patch, action=f"{ACTION}/write", root=f"PATCH {ACTION}"),
    route("DELETE", ONE, "OnlineDeployments_Delete", delete, action=f"{ACTION}/delete"),
    route("GET", ALL, "OnlineDeployments_List", list_, action=f"{ACTION}/read"),
    route(
        "POST", f"{ONE}/getLogs", "OnlineDeployments_GetLogs", logs, action=f"{ACTION}/getLogs/action",
        root=f"{ACTION}/getLogs",
    ),
)  # fmt: skip
