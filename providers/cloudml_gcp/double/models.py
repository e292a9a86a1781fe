"""Models and their versions: uploaded, aliased, listed, deleted. Files are copied when a version is uploaded.

A version is kept as ``models/X@2``; which version an alias means stands in the world, by model.
"""

from __future__ import annotations

import copy
import re
from typing import TYPE_CHECKING, Any

from cloudml_gcp.double import behaviour, operations, pools, records
from cloudml_gcp.double.objects import split
from cloudml_gcp.double.refusals import Refused, exists, invalid, missing, precondition

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from cloudml_gcp.double.contract import Method
    from cloudml_gcp.double.world import World

ID = re.compile(r"[a-z_][a-z0-9_-]{0,62}")
ALIAS = re.compile(r"[a-z][a-zA-Z0-9-]{0,126}[a-z0-9]")
CHANGEABLE = frozenset({"display_name", "description", "version_description", "labels"})
FORMATS = ("jsonl", "bigquery", "csv", "tf-record", "tf-record-gzip", "file-list")


def upload(world: World, method: Method, request: Any) -> Any:
    """Begin to take a version up; it is there when the operation is done."""
    model = copy.deepcopy(request.model)
    behaviour.clear_output_only(model)
    _check(model)
    base, version = _place(world, request)
    model.name, model.version_id = f"{base}@{version}", version
    world.stamp(model, "create_time", "update_time", "version_create_time", "version_update_time")
    model.supported_deployment_resources_types.append(1)
    model.supported_input_storage_formats.extend(FORMATS)
    records.fresh_etag(world, model)
    world.hidden.add(base)
    operation = operations.begin(world, method, base)

    def commit() -> Any:
        _copy_files(world, model)
        known = world.aliases.setdefault(base, {})
        known |= dict.fromkeys([*model.version_aliases, *([] if known else ["default"])], version)
        world.records[model.name] = model
        return method.result(model=base, model_version_id=version)

    def undo() -> None:
        if base not in world.aliases:
            world.hidden.discard(base)

    return operations.later(world, operation, "upload", commit, undo)


def _check(model: Any) -> None:
    records.check("model", model)
    if model.HasField("container_spec"):
        spec = model.container_spec
        if not pools.IMAGE.fullmatch(spec.image_uri):
            text = f"{spec.image_uri} is not an image of Artifact Registry or Container Registry."
            raise invalid("model.container_spec.image_uri", text)
        for name in ("predict_route", "health_route"):
            if (route := getattr(spec, name)) and not route.startswith("/"):
                raise invalid(f"model.container_spec.{name}", f"{route} must begin with /.")
    if model.artifact_uri:
        records.artifact("model.artifact_uri", model.artifact_uri)
    for alias in model.version_aliases:
        _check_alias("model.version_aliases", alias)


def _check_alias(field: str, alias: str) -> None:
    if not ALIAS.fullmatch(alias):
        raise invalid(field, f"{alias} does not match {ALIAS.pattern}.")


def _place(world: World, request: Any) -> tuple[str, str]:
    """Model and number of a version that is to be uploaded."""
    if request.parent_model:
        base = records.normal(world, request.parent_model).partition("@")[0]
        if base not in world.aliases:
            raise missing(base)
        world.live[f"versions/{base}"] = number = world.live.get(f"versions/{base}", 1) + 1
        return base, str(number)
    if request.model_id and not ID.fullmatch(request.model_id):
        raise invalid("model_id", f"{request.model_id} does not match {ID.pattern}.")
    base = f"{records.normal(world, request.parent)}/models/{request.model_id or world.identifier()}"
    if base in world.aliases or base in world.hidden:
        raise exists(base)
    world.live[f"versions/{base}"] = 1
    return base, "1"


def _copy_files(world: World, model: Any) -> None:
    """Take the files over into a bucket of Google's own, where later changes do not reach them."""
    if not model.artifact_uri:
        return
    bucket, prefix = split(model.artifact_uri.rstrip("/") + "/")
    try:
        names = world.objects.names(bucket, prefix)
    except Refused as refusal:
        text = f"The bucket of {model.artifact_uri} does not exist."
        raise Refused("NOT_FOUND", text) from refusal
    if not names:
        text = f'There are no files under folder "{model.artifact_uri}" to copy.'
        raise Refused("INVALID_ARGUMENT", text)
    home, folder = artifacts(world, model)
    if home not in {one.name for one in world.objects.buckets()} and not _known(world, home):
        world.objects.make(home, own=True)
    for name in names:
        content = world.objects.find(bucket, name).content
        world.objects.put(home, f"{folder}{name.removeprefix(prefix)}", content)


def _known(world: World, bucket: str) -> bool:
    try:
        world.objects.bucket(bucket)
    except Refused:
        return False
    return True


def artifacts(world: World, model: Any) -> tuple[str, str]:
    """Where Google keeps the files of a version: bucket and folder."""
    name, _, version = model.name.rpartition("/")[2].partition("@")
    return f"caip-tenant-{world.number}-{world.region}", f"{name}/{version}/artifacts/"


def resolve(world: World, name: str) -> Any:
    """The version that a name means: by number, by alias, or the default one.

    Raises:
        Refused: There is none.
    """
    base, _, word = records.normal(world, name).partition("@")
    known = world.aliases.get(base)
    if known is None:
        raise missing(base)
    version = word if word.isdigit() else known.get(word or "default", "")
    found = world.records.get(f"{base}@{version}")
    if found is None or records.late(world, found, "stale"):
        raise missing(f"{base}@{word}" if word else base)
    return found


def shown(world: World, model: Any, *, versioned: bool = False) -> Any:
    """A version as it is answered: with the aliases that mean it now, and where it is deployed."""
    found = copy.deepcopy(model)
    base, _, version = model.name.partition("@")
    del found.version_aliases[:]
    found.version_aliases.extend(sorted(alias for alias, one in world.aliases[base].items() if one == version))
    found.name = model.name if versioned else base
    for endpoint in world.records.values():
        for deployed in getattr(endpoint, "deployed_models", ()) if endpoint.DESCRIPTOR.name == "Endpoint" else ():
            if (deployed.model, deployed.model_version_id) == (base, version):
                found.deployed_models.add(endpoint=endpoint.name, deployed_model_id=deployed.id)
    return found


def versions(world: World, base: str) -> list[Any]:
    """The versions of a model, the newest first."""
    found = [one for name, one in world.records.items() if name.startswith(f"{base}@")]
    return sorted(found, key=lambda one: -int(one.version_id))


def get(world: World, _method: Method, request: Any) -> Any:
    return shown(world, resolve(world, request.name), versioned="@" in request.name)


def list_(world: World, method: Method, request: Any) -> Any:
    """The default version of each model."""
    stem = f"{records.normal(world, request.parent)}/models/"
    found = [shown(world, resolve(world, base)) for base in world.aliases if base.startswith(stem)]
    return records.answered(world, method, request, found[::-1])


def list_versions(world: World, method: Method, request: Any) -> Any:
    base = resolve(world, request.name).name.partition("@")[0]
    found = [shown(world, one, versioned=True) for one in versions(world, base)]
    return records.answered(world, method, request, found)


def merge_aliases(world: World, _method: Method, request: Any) -> Any:
    """Give a version aliases; one that begins with a dash is taken away."""
    if "@" not in request.name:
        raise invalid("name", "The name must contain a version id or alias.")
    model = resolve(world, request.name)
    base, _, version = model.name.partition("@")
    for alias in request.version_aliases:
        _check_alias("version_aliases", alias.removeprefix("-"))
        if alias == "-default":
            raise precondition("The default alias cannot be removed; assign it to another version.")
    for alias in request.version_aliases:
        if alias.startswith("-"):
            world.aliases[base].pop(alias[1:], None)
        else:
            world.aliases[base][alias] = version
    return shown(world, model, versioned=True)


def update(world: World, _method: Method, request: Any) -> Any:
    model = resolve(world, request.model.name)
    records.same_etag(request.model.etag, model)
    records.check("model", request.model)
    records.apply(request.update_mask, request.model, model, CHANGEABLE)
    records.fresh_etag(world, model)
    world.stamp(model, "update_time")
    return shown(world, model, versioned="@" in request.model.name)


def delete(world: World, method: Method, request: Any) -> Any:
    base = resolve(world, request.name).name.partition("@")[0]
    if any(shown(world, one).deployed_models for one in versions(world, base)):
        raise precondition(f"The Model {base} is deployed or being deployed to an Endpoint; undeploy it first.")

    def commit() -> Any:
        for one in versions(world, base):
            world.records.pop(one.name, None)
        world.aliases.pop(base, None)
        world.hidden.discard(base)
        return operations.empty()

    return operations.later(world, operations.begin(world, method, base), "delete", commit)


def delete_version(world: World, method: Method, request: Any) -> Any:
    model = resolve(world, request.name)
    base, _, version = model.name.partition("@")
    if len(versions(world, base)) == 1:
        raise precondition(f"The Model {base} has one version only; delete the Model instead.")
    if world.aliases[base].get("default") == version:
        raise precondition(f"The version {version} is the default version of the Model {base} and cannot be deleted.")
    if shown(world, model).deployed_models:
        raise precondition(f"The version {version} of the Model {base} is deployed to an Endpoint; undeploy it first.")

    def commit() -> Any:
        world.records.pop(model.name, None)
        world.aliases[base] = {alias: one for alias, one in world.aliases.get(base, {}).items() if one != version}
        return operations.empty()

    return operations.later(world, operations.begin(world, method, base), "delete", commit)


HANDLERS: Mapping[str, Callable[[World, Method, Any], Any]] = {
    "DeleteModel": delete,
    "DeleteModelVersion": delete_version,
    "GetModel": get,
    "ListModelVersions": list_versions,
    "ListModels": list_,
    "MergeVersionAliases": merge_aliases,
    "UpdateModel": update,
    "UploadModel": upload,
}
