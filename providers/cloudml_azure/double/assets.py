"""Versioned assets: data, code, environments and models. A version's path never changes; its tags may."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

from cloudml_azure.double import identity, resources, uris
from cloudml_azure.double.refusals import user_error
from cloudml_azure.double.routes import route
from cloudml_azure.double.uris import NowhereError, Place
from cloudml_azure.double.wire import Answer, answered

if TYPE_CHECKING:
    from collections.abc import Iterable

    from cloudml_azure.double.resources import Record
    from cloudml_azure.double.routes import Route
    from cloudml_azure.double.wire import Asked
    from cloudml_azure.double.world import World

FIXED = {
    "data": ("dataUri", "dataType"),
    "codes": ("codeUri",),
    "models": ("modelUri", "modelType"),
    "environments": ("image", "condaFile", "build", "inferenceConfig"),
}
"""Of each kind, what cannot be changed."""
NOUNS = {"data": "Data", "codes": "Code", "environments": "Environment", "models": "Model"}
VIEWS = {"ArchivedOnly": (True,), "All": (True, False)}


def _kind(asked: Asked) -> str:
    """The kind is the first word of the path below the workspace."""
    return asked.path.split("/workspaces/", 1)[1].split("/")[1]


def put(world: World, asked: Asked) -> Answer:
    """Make a version, or change what may be changed of one."""
    kind, name, version = _kind(asked), asked.names["name"], asked.names["version"]
    path, said = f"{kind}/{name}/versions/{version}", _resolved(world, asked.document["properties"])
    old = world.resources.find(path)
    if old is not None:
        _refuse_changes(kind, old["properties"], said)
    _refuse_nothing(kind, said)
    defaults = {"isArchived": False, "isAnonymous": False, "tags": {}, "properties": {}}
    facts = {**(old["properties"] if old else {}), **defaults, **said, "provisioningState": "Succeeded"}
    if kind == "environments":
        facts = {"osType": "Linux", **facts, "environmentType": "UserCreated"}
    if kind == "models":
        facts |= {"flavors": facts.get("flavors") or {}, "jobName": facts.get("jobName")}
    record = resources.make(world, path, {}, facts)
    world.clock.happened()
    return answered(resources.shown(record), 200 if old else 201)


def _resolved(world: World, said: dict[str, Any]) -> dict[str, Any]:
    """A model from a job's output is registered with the output's place in its datastore.

    Raises:
        Refused: There is no such output.
    """
    uri = str(said.get("modelUri") or "")
    if not uri.startswith("azureml://jobs/"):
        return said
    try:
        found = uris.place(world, uri)
    except NowhereError as error:
        raise user_error(f"The model cannot be registered: {error}.", 404) from error
    return {**said, "modelUri": uris.long_form(world, uris.datastore(world, found), found.path)}


def _refuse_changes(kind: str, old: dict[str, Any], new: dict[str, Any]) -> None:
    for key in FIXED[kind]:
        if key in new and new[key] is not None and new[key] != old.get(key):
            if kind == "environments":
                raise user_error(f"The environment is immutable: {key} cannot be changed in an existing version.")
            raise user_error("Asset paths cannot be updated.")


def _refuse_nothing(kind: str, said: dict[str, Any]) -> None:
    first = FIXED[kind][0]
    if kind == "environments" and not said.get("image") and not said.get("build"):
        raise user_error("An environment needs an image or a build.")
    if kind != "environments" and not said.get(first):
        raise user_error(f"{first} is required.")


def get(world: World, asked: Asked) -> Answer:
    kind, name, version = _kind(asked), asked.names["name"], asked.names["version"]
    path = f"{kind}/{name}/versions/{version}"
    missing = user_error(f"{NOUNS[kind]} container {name} with version {version} is not found.", 404)
    return answered(resources.shown(resources.need(world, path, missing)))


def delete(world: World, asked: Asked) -> Answer:
    """Forget a version; what it names stays in storage."""
    path = f"{_kind(asked)}/{asked.names['name']}/versions/{asked.names['version']}"
    if world.resources.find(path) is None:
        return Answer(status=204)
    world.resources.remove(path)
    return Answer()


def versions(world: World, asked: Asked) -> Answer:
    """The versions of an asset, newest first; code is found by the hash of its content whatever its name."""
    kind, query = _kind(asked), asked.query
    if kind == "codes" and query.get("hash"):
        return resources.page(world, asked, _by_hash(world, query["hash"]))
    found = resources.newest_first(world.resources.below(f"{kind}/{asked.names['name']}/versions"))
    if not found:
        raise user_error(f"{NOUNS[kind]} container {asked.names['name']} is not found.", 404)
    if query.get("$orderBy", "").lower() in {"createdtime asc", "createdtime"}:
        found = found[::-1]
    return resources.page(world, asked, _filtered(found, query))


def _by_hash(world: World, wanted: str) -> list[Record]:
    return [
        one
        for path, one in world.resources.all("codes")
        if path.count("/") > 1 and wanted in (one["properties"].get("properties") or {}).values()
    ]


def _filtered(found: Iterable[Record], query: dict[str, str]) -> list[Record]:
    archived = VIEWS.get(query.get("listViewType", "ActiveOnly"), (False,))
    tags = query.get("$tags") or query.get("tags") or ""
    return [
        one
        for one in found
        if one["properties"]["isArchived"] in archived
        and resources.matches(one["properties"]["tags"], tags)
        and resources.matches(one["properties"]["properties"], query.get("properties", ""))
        and query.get("version") in {None, "", one["name"]}
    ]


def _container(world: World, kind: str, name: str) -> Record | None:
    """The record of an asset: its versions together."""
    found = resources.newest_first(world.resources.below(f"{kind}/{name}/versions"))
    if not found:
        return None
    numbers = [int(one["name"]) for one in found if one["name"].isdigit()]
    facts: dict[str, Any] = {
        "isArchived": all(one["properties"]["isArchived"] for one in found),
        "latestVersion": found[0]["name"],
        "nextVersion": str(max(numbers, default=0) + 1),
        "provisioningState": "Succeeded",
        "tags": {},
        "properties": {},
    }
    if kind == "data":
        facts["dataType"] = found[0]["properties"]["dataType"]
    return {
        "id": world.id(f"{kind}/{name}"),
        "name": name,
        "type": f"Microsoft.MachineLearningServices/workspaces/{kind}",
        "properties": facts,
        "systemData": found[-1]["systemData"],
        "_path": f"{kind}/{name}",
        "_born": found[-1]["_born"],
    }


def container(world: World, asked: Asked) -> Answer:
    kind, name = _kind(asked), asked.names["name"]
    found = _container(world, kind, name)
    if found is None or world.hidden(f"{kind}/{name}", found, "stale"):
        raise user_error(f"{NOUNS[kind]} container {name} is not found.", 404)
    return answered(resources.shown(found))


def containers(world: World, asked: Asked) -> Answer:
    """The assets of a kind, by name; archived ones only when they are asked for."""
    kind = _kind(asked)
    names = sorted({path.split("/")[1] for path, _ in world.resources.all(kind)})
    found = [one for name in names if (one := _container(world, kind, name)) is not None]
    archived = VIEWS.get(asked.query.get("listViewType", "ActiveOnly"), (False,))
    anonymous = {path.split("/")[1] for path, one in world.resources.all(kind) if one["properties"].get("isAnonymous")}
    shown = [one for one in found if one["properties"]["isArchived"] in archived and one["name"] not in anonymous]
    return resources.page(world, asked, shown)


def pending_upload(world: World, asked: Asked) -> Answer:
    """A container of its own to upload to, and what opens it."""
    number = str(uuid.uuid4())
    world.storage.make(number)
    base = uris.url(world, Place(world.account, number, "")).rstrip("/")
    scope = f"/subscriptions/{world.subscription}/resourceGroups/{world.group}/providers"
    return answered(
        {
            "pendingUploadId": number,
            "pendingUploadType": asked.document.get("pendingUploadType", "TemporaryBlobReference"),
            "blobReferenceForConsumption": {
                "blobUri": base,
                "storageAccountArmId": f"{scope}/Microsoft.Storage/storageAccounts/{world.account}",
                "credential": {"credentialType": "SAS", "sasUri": f"{base}?{identity.sas()}"},
            },
        }
    )


def _of(kind: str) -> Iterable[Route]:
    noun, one, all_ = NOUNS[kind], f"{kind}/{{name}}", f"{kind}/{{name}}/versions"
    return (
        route(
            "PUT",
            f"{all_}/{{version}}",
            f"{noun}Versions_CreateOrUpdate",
            put,
            action=f"{kind}/versions/write",
            root=kind,
        ),
        route("GET", f"{all_}/{{version}}", f"{noun}Versions_Get", get, action=f"{kind}/versions/read"),
        route("DELETE", f"{all_}/{{version}}", f"{noun}Versions_Delete", delete, action=f"{kind}/versions/delete"),
        route("GET", all_, f"{noun}Versions_List", versions, action=f"{kind}/versions/read"),
        route("GET", one, f"{noun}Containers_Get", container, action=f"{kind}/read"),
        route("GET", kind, f"{noun}Containers_List", containers, action=f"{kind}/read"),
    )


ROUTES = (
    *(one for kind in NOUNS for one in _of(kind)),
    route(
        "POST", "codes/{name}/versions/{version}/startPendingUpload", "CodeVersions_CreateOrGetStartPendingUpload",
        pending_upload, action="codes/versions/write", root="codes/startPendingUpload",
    ),
)  # fmt: skip
