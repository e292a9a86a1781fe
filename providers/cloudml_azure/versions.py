"""Versions of assets: data, code, environments, models. Their names and numbers are chosen by us, from their content.

An asset never changes once it is there, so that making it again is no error as long as it is the same; what is there is
looked at, since the service answers some requests that change nothing as if they had.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

from cloudml.errors import AlreadyExistsError, ConflictError, NotFoundError
from cloudml.plan import Call
from cloudml_azure import names
from cloudml_azure.places import blob_url, datastore_uri

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cloudml.resources import EndpointResource, Identity
    from cloudml_azure.clients import Clients
    from cloudml_azure.places import Places
    from cloudml_azure.settings import AzureSettings

DATA, CODE, ENVIRONMENT, MODEL = "Data", "Code", "Environment", "Model"
KINDS: Mapping[str, str] = {DATA: "data", CODE: "codes", ENVIRONMENT: "environments", MODEL: "models"}
"""Noun of the operations to the word in ids."""
CONTENT: Mapping[str, str] = {DATA: "dataUri", CODE: "codeUri", ENVIRONMENT: "image", MODEL: "modelUri"}
"""What makes an asset what it is."""
COLLECTIONS = ("model_inputs", "model_outputs")
"""What the data collector records of an endpoint."""
NEW = 201
"""The answer to a version that was not there before."""


def id_of(noun: str, name: str, settings: AzureSettings) -> str:
    """The ARM id of the version with that name: an object's name has its version at its end."""
    container, version = names.asset(name)
    return f"{settings.workspace_id}/{KINDS[noun]}/{container}/versions/{version}"


def call(noun: str, name: str, properties: Mapping[str, Any]) -> Call:
    """The request that makes a version."""
    container, version = names.asset(name)
    body: dict[str, Any] = {"name": container, "version": version}
    return Call(f"{noun}Versions_CreateOrUpdate", dict(body, properties=properties))


def data(identity: Identity, uri: str, settings: AzureSettings) -> Call:
    """The data asset of a dataset."""
    properties = {
        "dataType": "uri_folder",
        "dataUri": f"{datastore_uri(uri, settings)}/",
        "tags": names.tags(identity, settings),
    }
    return call(DATA, names.native(identity), properties)


def code(identity: Identity, uri: str, settings: AzureSettings) -> Call:
    """The code asset of a folder in the container."""
    properties = {"codeUri": blob_url(uri, settings), "tags": names.tags(identity, settings)}
    return call(CODE, names.native(identity), properties)


def collector(name: str, resource: EndpointResource, settings: AzureSettings) -> dict[str, Any]:
    """What is recorded of requests and answers, and the assets that say where."""
    share = resource.spec.capture
    return {
        "collections": {
            collection: {
                "dataCollectionMode": "Enabled",
                "samplingRate": share,
                "dataId": id_of(DATA, asset_name(name, collection), settings),
            }
            for collection in COLLECTIONS
        },
        "rollingRate": "Hour",
    }


def asset_name(name: str, collection: str) -> str:
    """The data asset of what is recorded in a collection."""
    return f"{name}_{collection}"


def captured(name: str, resource: EndpointResource, places: Places, settings: AzureSettings) -> tuple[Call, ...]:
    """The data assets of what is recorded, which lie in the project's own folder; none where nothing is."""
    if not resource.spec.capture:
        return ()
    tags = {key: value for key, value in names.tags(resource.identity, settings).items() if key != "cloudml-hash"}
    calls = []
    for collection in COLLECTIONS:
        uri = f"{datastore_uri(places.uri(places.capture(name)), settings)}/{collection}"
        properties = {"dataType": "uri_folder", "dataUri": uri, "tags": tags}
        calls.append(call(DATA, asset_name(name, collection), properties))
    return tuple(calls)


def put(clients: Clients, wanted: Call) -> None:
    """Make a version, or find it there.

    Raises:
        ConflictError: One of that name and version is there, and has other content.
    """
    made(clients, wanted)


def made(clients: Clients, wanted: Call) -> bool:
    """Make a version; whether it was not there before.

    Raises:
        ConflictError: One of that name and version is there, and has other content.
    """
    noun = wanted.operation.partition("Versions_")[0]
    asked = {key: wanted.body[key] for key in ("name", "version")}
    try:
        answer = clients.ask(wanted.operation, wanted.body)
        new, there = answer.status == NEW, answer.document
    except AlreadyExistsError:
        new, there = False, clients.send(f"{noun}Versions_Get", asked)
    key = CONTENT[noun]
    said, found = wanted.body["properties"].get(key), there["properties"].get(key)
    if not _same(said, found):
        raise ConflictError(
            f"version {asked['version']} of `{asked['name']}` is there already, with {key} `{found}` and not `{said}`",
            operation=wanted.operation,
            hint=f"archive or delete that version of the workspace's {KINDS[noun]}",
        )
    return new


def _same(said: Any, found: Any) -> bool:
    """Whether two addresses are the same: the service may put subscription, group and workspace into them."""
    if said == found:
        return True
    ending = str(said).removeprefix("azureml://").rstrip("/")
    return str(found).rstrip("/").endswith(f"/{ending}")


def find(clients: Clients, noun: str, name: str) -> dict[str, Any] | None:
    """A version; None where there is none."""
    container, version = names.asset(name)
    try:
        return clients.send(f"{noun}Versions_Get", {"name": container, "version": version})
    except NotFoundError:
        return None


def remove(clients: Clients, noun: str, name: str) -> None:
    """Delete a version; nothing there is no error."""
    container, version = names.asset(name)
    with suppress(NotFoundError):
        clients.send(f"{noun}Versions_Delete", {"name": container, "version": version})
