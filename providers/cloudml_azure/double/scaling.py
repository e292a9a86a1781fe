"""Autoscale settings of Azure Monitor: kept, and held against what they name; nothing scales by itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cloudml_azure.double import resources
from cloudml_azure.double.refusals import Refused, bad_argument, not_found
from cloudml_azure.double.routes import route
from cloudml_azure.double.wire import Answer, answered

if TYPE_CHECKING:
    from cloudml_azure.double.resources import Record
    from cloudml_azure.double.wire import Asked
    from cloudml_azure.double.world import World

KIND = "microsoft.insights/autoscalesettings"


def put(world: World, asked: Asked) -> Answer:
    """Keep a setting; the capacity of what it is about is then within its bounds."""
    name, said = asked.names["setting"], asked.document
    facts = said["properties"]
    for profile in facts["profiles"]:
        _check(profile["capacity"])
    target = _target(world, str(facts.get("targetResourceUri") or ""))
    new = name.lower() not in world.settings
    group = f"/subscriptions/{world.subscription}/resourceGroups/{world.group}/providers"
    world.settings[name.lower()] = {
        "id": f"{group}/{KIND}/{name}",
        "name": name,
        "type": "Microsoft.Insights/autoscaleSettings",
        "location": said["location"],
        "tags": said.get("tags") or {},
        "properties": {"enabled": True, "name": name, **facts},
    }
    capacity = facts["profiles"][0]["capacity"]
    now = target["sku"]["capacity"]
    target["sku"]["capacity"] = min(max(now, int(capacity["minimum"])), int(capacity["maximum"]))
    return answered(world.settings[name.lower()], 201 if new else 200)


def _check(capacity: dict[str, Any]) -> None:
    """Refuse bounds that are none.

    Raises:
        Refused: They are no numbers, or not in order.
    """
    try:
        low, default, high = (int(capacity[key]) for key in ("minimum", "default", "maximum"))
    except ValueError as error:
        raise Refused("InvalidCapacity", f"The capacity is not a number: {error}.") from error
    if not low <= default <= high:
        raise bad_argument("The default capacity must be within minimum and maximum.")


def _target(world: World, uri: str) -> Record:
    path = resources.path_of(uri)
    found = world.resources.find(path.replace("onlineendpoints/", "onlineEndpoints/"))
    if found is None or "/deployments/" not in path:
        raise bad_argument(f"The target resource {uri} of the autoscale setting does not exist.")
    return found


def get(world: World, asked: Asked) -> Answer:
    name = asked.names["setting"]
    if name.lower() not in world.settings:
        raise not_found(KIND, name, world.group)
    return answered(world.settings[name.lower()])


def list_(world: World, asked: Asked) -> Answer:
    del asked
    return answered({"value": list(world.settings.values())})


def delete(world: World, asked: Asked) -> Answer:
    found = world.settings.pop(asked.names["setting"].lower(), None)
    return Answer(status=200 if found else 204)


ALL = "/subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.Insights/autoscalesettings"
ONE, ACTION = f"{ALL}/{{setting}}", "Microsoft.Insights/autoscalesettings"
ROUTES = (
    route(
        "PUT", ONE, "insights:AutoscaleSettings_CreateOrUpdate", put, action=f"{ACTION}/write", root="autoscalesettings"
    ),
    route("GET", ONE, "insights:AutoscaleSettings_Get", get, action=f"{ACTION}/read"),
    route("GET", ALL, "insights:AutoscaleSettings_ListByResourceGroup", list_, action=f"{ACTION}/read"),
    route("DELETE", ONE, "insights:AutoscaleSettings_Delete", delete, action=f"{ACTION}/delete"),
)  # fmt: skip
