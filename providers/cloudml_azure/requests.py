"""Where each operation goes, and holding its request against Azure's own contract before it is sent. Pure.

An operation has the name that Azure's description of its interface gives it, ``Jobs_CreateOrUpdate``. What stands in a
request under the names in the path's braces goes into the path; of the rest, ``query`` into the query, and all else is
the body. The contract is facts/contract.json: the types of the official SDK, derived by `cloudml_azure.refresh`.
"""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from cloudml.errors import SpecError
from cloudml.records import dataclass
from cloudml.spelling import nearest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from cloudml.plan import Call
    from cloudml_azure.settings import AzureSettings

AUTOSCALE_VERSION = "2022-10-01"
DURATION = re.compile(r"P(?!$)(\d+Y)?(\d+M)?(\d+W)?(\d+D)?(T(?=\d)(\d+H)?(\d+M)?(\d+(\.\d+)?S)?)?")
SHOWN = 80
FEW = 12
_NAMES = re.compile(r"\{(\w+)\}")


@dataclass(frozen=True, slots=True)
class Route:
    """How an operation is asked for.

    Attributes:
        method: The verb.
        path: Below the plane.
        root: What the contract calls its body; empty when there is none, or it is not described.
        plane: The workspace, its group or subscription; or a data plane of the workspace, history or mlflow.
        version: The api-version, where it is not the target's.
    """

    method: str
    path: str
    root: str = ""
    plane: str = "workspace"
    version: str = ""

    @property
    def names(self) -> tuple[str, ...]:
        """What stands in the path's braces."""
        return tuple(_NAMES.findall(self.path))


def _assets(noun: str, kind: str) -> dict[str, Route]:
    one, all_ = f"{kind}/{{name}}/versions/{{version}}", f"{kind}/{{name}}/versions"
    return {
        f"{noun}Versions_CreateOrUpdate": Route("PUT", one, kind),
        f"{noun}Versions_Get": Route("GET", one),
        f"{noun}Versions_Delete": Route("DELETE", one),
        f"{noun}Versions_List": Route("GET", all_),
        f"{noun}Containers_List": Route("GET", kind),
    }


ENDPOINT = "onlineEndpoints/{endpoint}"
DEPLOYMENT = f"{ENDPOINT}/deployments/{{deployment}}"
AUTOSCALE = "providers/Microsoft.Insights/autoscalesettings/{name}"
ROUTES: Mapping[str, Route] = {
    "Workspaces_Get": Route("GET", ""),
    "Datastores_Get": Route("GET", "datastores/{name}"),
    "Datastores_CreateOrUpdate": Route("PUT", "datastores/{name}", "datastores"),
    **_assets("Data", "data"),
    **_assets("Code", "codes"),
    **_assets("Environment", "environments"),
    **_assets("Model", "models"),
    "Jobs_CreateOrUpdate": Route("PUT", "jobs/{name}", "jobs"),
    "Jobs_Get": Route("GET", "jobs/{name}"),
    "Jobs_List": Route("GET", "jobs"),
    "Jobs_Cancel": Route("POST", "jobs/{name}/cancel"),
    "Jobs_Delete": Route("DELETE", "jobs/{name}"),
    "OnlineEndpoints_CreateOrUpdate": Route("PUT", ENDPOINT, "onlineEndpoints"),
    "OnlineEndpoints_Get": Route("GET", ENDPOINT),
    "OnlineEndpoints_List": Route("GET", "onlineEndpoints"),
    "OnlineEndpoints_Delete": Route("DELETE", ENDPOINT),
    "OnlineEndpoints_ListKeys": Route("POST", f"{ENDPOINT}/listKeys"),
    "OnlineDeployments_CreateOrUpdate": Route("PUT", DEPLOYMENT, "onlineEndpoints/deployments"),
    "OnlineDeployments_Get": Route("GET", DEPLOYMENT),
    "OnlineDeployments_List": Route("GET", f"{ENDPOINT}/deployments"),
    "OnlineDeployments_Delete": Route("DELETE", DEPLOYMENT),
    "OnlineDeployments_GetLogs": Route("POST", f"{DEPLOYMENT}/getLogs", "onlineEndpoints/deployments/getLogs"),
    "Schedules_CreateOrUpdate": Route("PUT", "schedules/{name}", "schedules"),
    "Schedules_Get": Route("GET", "schedules/{name}"),
    "Schedules_Delete": Route("DELETE", "schedules/{name}"),
    "AutoscaleSettings_CreateOrUpdate": Route("PUT", AUTOSCALE, "autoscalesettings", "group", AUTOSCALE_VERSION),
    "AutoscaleSettings_Get": Route("GET", AUTOSCALE, "", "group", AUTOSCALE_VERSION),
    "AutoscaleSettings_Delete": Route("DELETE", AUTOSCALE, "", "group", AUTOSCALE_VERSION),
    "Usages_List": Route(
        "GET", "providers/Microsoft.MachineLearningServices/locations/{location}/usages", plane="subscription"
    ),
    "Permissions_ListForResource": Route("GET", "providers/Microsoft.Authorization/permissions", version="2022-04-01"),
    "Runs_GetDetails": Route("GET", "runs/{name}/details", plane="history"),
    "Runs_Get": Route("GET", "runs/get", plane="mlflow"),
}


@dataclass(frozen=True, slots=True)
class Address:
    """A request as it travels.

    Attributes:
        path: From the host on; on a data plane, below that plane.
        query: By name.
        body: The document; None for none.
    """

    path: str
    query: Mapping[str, str]
    body: Mapping[str, Any] | None


def address(operation: str, body: Mapping[str, Any], settings: AzureSettings) -> Address:
    """Where a request goes; on a data plane the path begins below that plane."""
    route = ROUTES[operation]
    path = route.path
    for name in route.names:
        path = path.replace(f"{{{name}}}", quote(str(body[name]), safe=""))
    rest = {key: value for key, value in body.items() if key not in route.names and key != "query"}
    query = dict(body.get("query", {}))
    if base := bases(settings).get(route.plane):
        query["api-version"] = route.version or settings.api_version
        path = f"{base}/{path}".rstrip("/")
    return Address(path, query, rest if route.root or rest else None)


def bases(settings: AzureSettings) -> Mapping[str, str]:
    """The planes of resource management, each with the path that it begins with."""
    return {
        "workspace": settings.workspace_id,
        "group": settings.group_id,
        "subscription": f"/subscriptions/{settings.subscription_id}",
    }


@cache
def contract() -> Mapping[str, Any]:
    """The contract, as `cloudml_azure.refresh` writes it."""
    document: Mapping[str, Any] = json.loads((Path(__file__).parent / "facts" / "contract.json").read_text("utf-8"))
    return document


def check(call: Call) -> None:
    """Refuse a request that the service would refuse.

    Raises:
        SpecError: With every problem, and where in the request it stands.
    """
    found = tuple(problems(call.operation, call.body))
    if found:
        raise SpecError(
            f"{call.operation} cannot be sent: {'; '.join(found)}",
            path=call.operation,
            hint="nothing was sent; look at `cloudml plan --requests`",
        )


def problems(operation: str, body: Mapping[str, Any]) -> Iterator[str]:
    """What the service would refuse in the request of *operation*; nothing when it is good."""
    route = ROUTES[operation]
    for name in route.names:
        if not isinstance(body.get(name), str) or not body[name]:
            yield f"`{name}` is missing"
    if route.root:
        named = route.names[-1] if route.names else ""
        yield from _name(route.root, named, body.get(named))
        rest = {key: value for key, value in body.items() if key not in {*route.names, "query"}}
        yield from _value({"type": "object", "of": contract()["roots"][route.root]}, rest, "")


def _name(root: str, named: str, value: Any) -> Iterator[str]:
    """Whether a name is one that the service takes; versions are any text."""
    bounds = contract()["names"].get(root)
    if bounds and isinstance(value, str) and named != "version" and (reason := _outside(bounds, value)):
        yield f"`{named}` is {_shown(value)}, and must {reason}"


TYPES: Mapping[str, tuple[tuple[type, ...], str]] = {
    "string": ((str,), "text"),
    "integer": ((int,), "a whole number"),
    "number": ((int, float), "a number"),
    "boolean": ((bool,), "true or false"),
    "duration": ((str,), "a duration of ISO 8601"),
    "datetime": ((str,), "a time of ISO 8601"),
    "object": ((dict,), "an object"),
    "map": ((dict,), "an object"),
    "list": ((list, tuple), "a list"),
    "enum": ((str,), "text"),
    "constant": ((str,), "text"),
}


def _value(field: Mapping[str, Any], value: Any, path: str) -> Iterator[str]:
    kinds, words = TYPES.get(field["type"], ((object,), ""))
    if value is None or field["type"] == "any":
        return
    if not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds):
        yield f"`{path or 'the request'}` is {_shown(value)}, and must be {words}"
        return
    if reason := _outside(field, value):
        yield f"`{path}` is {_shown(value)}, and must {reason}"
    yield from INSIDE.get(field["type"], _nothing)(field, value, path)


def _object(field: Mapping[str, Any], value: Mapping[str, Any], path: str) -> Iterator[str]:
    described, problem = _kind(field["of"], value, path)
    if described is None:
        yield from problem
        return
    fields = described["properties"]
    for name, one in fields.items():
        if one.get("required") and value.get(name) is None:
            yield f"`{_at(path, name)}` is missing"
    for name, inner in value.items():
        at = _at(path, name)
        if name not in fields:
            guess = nearest(name, tuple(fields))
            yield f"`{at}` is unknown" + (f"; is `{guess}` meant?" if guess else "")
        elif fields[name].get("read_only") and inner is not None:
            yield f"`{at}` is set by the service alone"
        else:
            yield from _value(fields[name], inner, at)


def _kind(name: str, value: Mapping[str, Any], path: str) -> tuple[Mapping[str, Any] | None, list[str]]:
    """The type whose fields count: of one with kinds, the kind that the value names."""
    described: Mapping[str, Any] = contract()["types"][name]
    key = described.get("discriminator")
    if key is None:
        return described, []
    said = value.get(key)
    kind = next((one for word, one in described["kinds"].items() if word.lower() == str(said).lower()), None)
    if kind is None and said not in described.get("others", ()):
        return None, [f"`{_at(path, key)}` is {_shown(said)}, and must be one of {', '.join(described['kinds'])}"]
    if kind is None:
        return None, []
    return (described, []) if kind == name else _kind(kind, value, path)


def _enum(field: Mapping[str, Any], value: str, path: str) -> Iterator[str]:
    allowed: Sequence[str] = contract()["enums"][field["of"]] if field["type"] == "enum" else [field["of"]]
    if value.lower() not in {one.lower() for one in allowed}:
        guess = nearest(value, tuple(allowed))
        few = f": {', '.join(allowed)}" if len(allowed) <= FEW else ""
        told = f"; is `{guess}` meant?" if guess else few
        yield f"`{path}` is {_shown(value)}, and must be one of {len(allowed)} values{told}"


def _list(field: Mapping[str, Any], value: Sequence[Any], path: str) -> Iterator[str]:
    for index, inner in enumerate(value):
        yield from _value(field["of"], inner, f"{path}[{index}]")


def _map(field: Mapping[str, Any], value: Mapping[str, Any], path: str) -> Iterator[str]:
    for name, inner in value.items():
        yield from _value(field["of"], inner, _at(path, name))


def _duration(field: Mapping[str, Any], value: str, path: str) -> Iterator[str]:
    if not DURATION.fullmatch(value):
        yield f"`{path}` is {_shown(value)}, and must be {TYPES[field['type']][1]}"


def _nothing(field: Mapping[str, Any], value: Any, path: str) -> Iterator[str]:
    del field, value, path
    return iter(())


INSIDE: Mapping[str, Callable[[Mapping[str, Any], Any, str], Iterator[str]]] = {
    "object": _object,
    "enum": _enum,
    "constant": _enum,
    "list": _list,
    "map": _map,
    "duration": _duration,
}


def _outside(bounds: Mapping[str, Any], value: Any) -> str:
    """Which bound of the contract *value* is beyond; empty when it is within all."""
    size = len(value) if isinstance(value, str | list | tuple) else 0
    if "min_length" in bounds and size < bounds["min_length"]:
        return f"have a length of at least {bounds['min_length']}"
    if "max_length" in bounds and size > bounds["max_length"]:
        return f"have a length of at most {bounds['max_length']}"
    if "pattern" in bounds and isinstance(value, str) and not re.search(bounds["pattern"], value):
        return f"match the pattern {bounds['pattern']}"
    return ""


def _at(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}…"
