"""Online endpoints: made, given traffic, asked for keys, deleted with all that is below them."""

from __future__ import annotations

import base64
import secrets
from typing import TYPE_CHECKING, Any

from cloudml_azure.double import identity, operations, resources
from cloudml_azure.double.refusals import bad_argument, conflict, not_found
from cloudml_azure.double.routes import route
from cloudml_azure.double.wire import Answer, answered

if TYPE_CHECKING:
    from cloudml_azure.double.operations import FailedError
    from cloudml_azure.double.resources import Record
    from cloudml_azure.double.wire import Asked
    from cloudml_azure.double.world import World

KIND = "Microsoft.MachineLearningServices/workspaces/onlineEndpoints"
BUSY = frozenset({"Creating", "Updating", "Deleting", "Scaling"})
WHOLE, HALF = 100, 50
HOURS_S = 12 * 3600


def need(world: World, asked: Asked) -> Record:
    """The endpoint of a request.

    Raises:
        Refused: There is none.
    """
    name = asked.names["endpoint"]
    return resources.need(world, f"onlineEndpoints/{name}", not_found(KIND, name, world.group))


def refuse_busy(world: World, record: Record, doing: str) -> None:
    """Refuse what cannot be done while the endpoint changes; also once for the domain fault `busy`.

    Raises:
        Refused: It changes.
    """
    state = record["properties"]["provisioningState"]
    if state in BUSY or world.domain("busy", record["name"]):
        shown = state if state in BUSY else "Updating"
        raise conflict(f"Cannot {doing} endpoint {record['name']} because it is in {shown} provisioning state.")


def shown(world: World, asked: Asked, record: Record) -> Record:
    """The record with addresses that whoever asked can reach."""
    base = world.scoring(asked.origin, record["name"])
    facts = {**record["properties"], "scoringUri": f"{base}/score", "swaggerUri": f"{base}/swagger.json"}
    return {**record, "properties": facts}


def put(world: World, asked: Asked) -> Answer:
    """Make an endpoint, or give it other traffic."""
    name, said = asked.names["endpoint"], asked.document["properties"]
    path = f"onlineEndpoints/{name}"
    old = world.resources.find(path)
    if old is not None:
        refuse_busy(world, old, "update")
    elif world.domain("taken", name):
        raise conflict(
            f"The endpoint name {name} is already in use in region {world.region}. Endpoint names are unique in a "
            "region: use a different name."
        )
    _check_traffic(world, path, said)
    facts = _facts(world, name, old, said)
    record = resources.make(world, path, {"location": world.region, **asked.document}, facts)
    record |= {"_keys": old["_keys"] if old else keys(), "_wanted": facts}
    record["_traffic"] = old["_traffic"] if old and "_traffic" in old else {}
    record.setdefault("tags", {})
    step = "updating" if old else "endpoint"
    operation = operations.begin(world, path, lambda: _settle(world, record, step), failed=_failed(record))
    record["properties"]["properties"]["AzureAsyncOperationUri"] = operations.status_url(world, asked, operation)
    return operations.accepted(world, asked, operation, shown(world, asked, record), new=old is None)


def _facts(world: World, name: str, old: Record | None, said: dict[str, Any]) -> dict[str, Any]:
    return {
        "publicNetworkAccess": "Enabled",
        "mirrorTraffic": {},
        "description": None,
        **said,
        "traffic": dict(said.get("traffic") or {}),
        "provisioningState": "Updating" if old else "Creating",
        "properties": {
            **(said.get("properties") or {}),
            "azureml.onlineendpointid": f"{world.region}.{name}",
            "createdBy": identity.CLIENT,
            "lastModifiedAt": world.now(),
        },
        "compute": None,
        "keys": None,
    }


def _check_traffic(world: World, path: str, said: dict[str, Any]) -> None:
    """Refuse traffic to what is not there, and shares that are no whole.

    Raises:
        Refused: In the service's words.
    """
    traffic, mirror = said.get("traffic") or {}, said.get("mirrorTraffic") or {}
    there = {one["name"].lower() for one in world.resources.below(f"{path}/deployments")}
    if missing := sorted(one for one in {*traffic, *mirror} if one.lower() not in there):
        raise bad_argument(f"Traffic rules refer to deployments that do not exist: {', '.join(missing)}.")
    if traffic and sum(traffic.values()) not in {0, WHOLE}:
        raise bad_argument(f"The traffic of an endpoint must sum to 0 or 100, and not to {sum(traffic.values())}.")
    if sum(mirror.values()) > HALF:
        raise bad_argument("At most 50 percent of the traffic can be mirrored.")


def _settle(world: World, record: Record, step: str) -> None:
    world.pass_time(step)
    record["_traffic"] = dict(record["properties"]["traffic"])
    record["properties"]["provisioningState"] = "Succeeded"


def _failed(record: Record) -> Any:
    def failed(_: FailedError) -> None:
        record["properties"]["provisioningState"] = "Failed"

    return failed


def keys() -> dict[str, str]:
    return {name: base64.b64encode(secrets.token_bytes(24)).decode() for name in ("primaryKey", "secondaryKey")}


def get(world: World, asked: Asked) -> Answer:
    return answered(resources.shown(shown(world, asked, need(world, asked))))


def list_(world: World, asked: Asked) -> Answer:
    """Endpoints, by tags, properties and name."""
    query = asked.query
    found = [
        shown(world, asked, one)
        for one in world.resources.below("onlineEndpoints")
        if resources.matches(one.get("tags"), query.get("tags", ""))
        and resources.matches(one["properties"]["properties"], query.get("properties", ""))
        and query.get("name") in {None, "", one["name"]}
    ]
    return resources.page(world, asked, found)


def patch(world: World, asked: Asked) -> Answer:
    """Give an endpoint other tags or another identity."""
    record = need(world, asked)
    refuse_busy(world, record, "update")
    record |= {key: asked.document[key] for key in ("tags", "identity") if asked.document.get(key) is not None}
    return answered(resources.shown(shown(world, asked, record)))


def delete(world: World, asked: Asked) -> Answer:
    """Delete an endpoint with its deployments."""
    from cloudml_azure.double import deployments

    path = f"onlineEndpoints/{asked.names['endpoint']}"
    record = world.resources.find(path)
    if record is None:
        return Answer(status=204)
    refuse_busy(world, record, "delete")
    record["properties"]["provisioningState"] = "Deleting"

    def gone() -> None:
        for one in world.resources.below(f"{path}/deployments"):
            deployments.stop(one)
        world.pass_time("deleting")
        world.resources.remove(path)

    return operations.begun(world, asked, operations.begin(world, path, gone, failed=_failed(record)))


def list_keys(world: World, asked: Asked) -> Answer:
    """The keys of an endpoint that is asked with keys."""
    record = need(world, asked)
    if record["properties"]["authMode"] != "Key":
        raise bad_argument(
            f"The endpoint {record['name']} has no keys: its authMode is {record['properties']['authMode']}."
        )
    return answered(record["_keys"])


def regenerate(world: World, asked: Asked) -> Answer:
    """Replace a key."""
    record = need(world, asked)
    name = "primaryKey" if asked.document["keyType"] == "Primary" else "secondaryKey"
    value = asked.document.get("keyValue") or keys()[name]

    def replaced() -> None:
        world.pass_time("keys")
        record["_keys"] = {**record["_keys"], name: value}

    return operations.begun(world, asked, operations.begin(world, f"onlineEndpoints/{record['name']}/keys", replaced))


def token(world: World, asked: Asked) -> Answer:
    """A token for an endpoint that is asked with tokens."""
    record = need(world, asked)
    found = identity.token("https://ml.azure.com/.default", HOURS_S, endpoint=record["name"])
    return answered(
        {
            "accessToken": found.token,
            "expiryTimeUtc": found.expires_on,
            "refreshAfterTimeUtc": found.expires_on - HOURS_S // 2,
            "tokenType": "Bearer",
        }
    )


ONE, ACTION = "onlineEndpoints/{endpoint}", "onlineEndpoints"
ROUTES = (
    route("PUT", ONE, "OnlineEndpoints_CreateOrUpdate", put, action=f"{ACTION}/write", root="onlineEndpoints"),
    route("GET", ONE, "OnlineEndpoints_Get", get, action=f"{ACTION}/read"),
    route("PATCH", ONE, "OnlineEndpoints_Update", patch, action=f"{ACTION}/write", root="PATCH onlineEndpoints"),
    route("DELETE", ONE, "OnlineEndpoints_Delete", delete, action=f"{ACTION}/delete"),
    route("GET", "onlineEndpoints", "OnlineEndpoints_List", list_, action=f"{ACTION}/read"),
    route("POST", f"{ONE}/listKeys", "OnlineEndpoints_ListKeys", list_keys, action=f"{ACTION}/listKeys/action"),
    route("POST", f"{ONE}/token", "OnlineEndpoints_GetToken", token, action=f"{ACTION}/token/action"),
    route(
        "POST", f"{ONE}/regenerateKeys", "OnlineEndpoints_RegenerateKeys", regenerate,
        action=f"{ACTION}/regenerateKeys/action", root="onlineEndpoints/regenerateKeys",
    ),
)  # fmt: skip
