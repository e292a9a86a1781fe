"""How an endpoint is moved: the new version is deployed beside, given the traffic and asked; then the old one goes.

A deployed model cannot be changed but for its number of instances, so everything is an other one. Its id is made from
the content, so that whoever comes next knows which one is meant. Pure.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

ALL = 100
NEW = "0"
"""The model that is being deployed, in a traffic split."""
MARK = "cloudml-"
"""How the display name of a deployed model begins; the hash of what it is follows."""
DIGITS = 8


def deployed_id(digest: str) -> str:
    """The id of the deployed model with that content: Vertex AI takes ten decimal digits at most."""
    return str(int(digest[:DIGITS], 16) or 1)


def display_name(digest: str) -> str:
    """What a deployed model is called, by which its content is known again."""
    return f"{MARK}{digest}"


def hash_of(deployed: Mapping[str, Any]) -> str:
    """The content of a deployed model; empty for one that cloudml did not deploy."""
    said = str(deployed.get("displayName", ""))
    return said.removeprefix(MARK) if said.startswith(MARK) else ""


def first(endpoint: Mapping[str, Any]) -> dict[str, int]:
    """The traffic split of a deployment: all of it where nothing answers yet; none, to be given it later, elsewhere."""
    return {} if endpoint.get("trafficSplit") else {NEW: ALL}


def move(endpoint: Mapping[str, Any], deployed: str) -> dict[str, Any]:
    """The UpdateEndpoint request that gives a deployed model all of the traffic, if nobody has changed it meanwhile."""
    etag = {"etag": endpoint["etag"]} if endpoint.get("etag") else {}
    body = {"name": endpoint["name"], "displayName": endpoint["displayName"], "trafficSplit": {deployed: ALL}, **etag}
    return {"endpoint": body, "updateMask": "trafficSplit"}


def others(endpoint: Mapping[str, Any], deployed: str) -> list[str]:
    """The ids of all that is deployed besides."""
    return [str(one["id"]) for one in endpoint.get("deployedModels", ()) if str(one["id"]) != deployed]


def answering(endpoint: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """What is deployed and gets traffic, the largest share first."""
    split = endpoint.get("trafficSplit", {})
    found = [one for one in endpoint.get("deployedModels", ()) if split.get(str(one["id"]))]
    return sorted(found, key=lambda one: -split[str(one["id"])])
