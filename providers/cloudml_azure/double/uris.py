"""Where data is: every form in which Azure ML names a place in storage, led back to account, container and path."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from cloudml_azure.double import storage
from cloudml_azure.double.world import ARTIFACTS

if TYPE_CHECKING:
    from pathlib import Path

    from cloudml_azure.double.world import World

LONG = re.compile(
    r"azureml://subscriptions/[^/]+/resourcegroups/[^/]+(?:/providers/[^/]+)?/workspaces/[^/]+/(.+)", re.IGNORECASE
)
DATASTORE = re.compile(r"datastores/([^/]+)/paths/(.*)")
OUTPUT = re.compile(r"jobs/([^/]+)/outputs/([^/]+)(?:/paths/?(.*))?/?")
ASSET = re.compile(
    r"(?:azureml:)?(?:.*/providers/Microsoft\.MachineLearningServices/workspaces/[^/]+/|azureml://locations/.*/workspaces/"
    r"[^/]+/)?(data|models|codes)/([^/]+)/versions/([^/]+)",
    re.IGNORECASE,
)
SHORT = re.compile(r"azureml:([^/:]+):([^/:]+)")
PROPERTY = {"data": "dataUri", "models": "modelUri", "codes": "codeUri"}


class NowhereError(Exception):
    """A name that leads nowhere; the text says why."""


@dataclass(frozen=True, slots=True)
class Place:
    """A blob, or a folder of blobs."""

    account: str
    container: str
    path: str

    def below(self, path: str) -> Place:
        return Place(self.account, self.container, f"{self.path.rstrip('/')}/{path}".strip("/"))


def place(world: World, uri: str) -> Place:
    """The place that a URI names.

    Raises:
        NowhereError: It names none that is here.
    """
    if found := LONG.fullmatch(uri):
        return place(world, f"azureml://{found[1]}")
    short = uri.removeprefix("azureml://")
    if uri.startswith("azureml://") and (found := DATASTORE.fullmatch(short)):
        return of_datastore(world, found[1], unquote(found[2]))
    if uri.startswith("azureml://") and (found := OUTPUT.fullmatch(short)):
        return _of_output(world, found[1], found[2], found[3] or "")
    if found := ASSET.fullmatch(uri):
        return _of_asset(world, found[1].lower(), found[2], found[3])
    if found := SHORT.fullmatch(uri):
        return _of_asset(world, "data", found[1], found[2])
    return _of_url(world, uri)


def of_datastore(world: World, name: str, path: str) -> Place:
    """The place of a path in a datastore.

    Raises:
        NowhereError: There is no such datastore.
    """
    record = world.resources.find(f"datastores/{name}")
    if record is None:
        raise NowhereError(f"the datastore {name} does not exist")
    facts = record["properties"]
    if facts["accountName"] not in world.accounts:
        raise NowhereError(f"the storage account {facts['accountName']} cannot be reached")
    return Place(facts["accountName"], facts["containerName"], path.strip("/"))


def datastore(world: World, found: Place) -> str:
    """The datastore that leads to a place.

    Raises:
        NowhereError: None does.
    """
    for record in world.resources.below("datastores"):
        facts = record["properties"]
        if (facts["accountName"], facts["containerName"]) == (found.account, found.container):
            return str(record["name"])
    raise NowhereError(f"no datastore leads to the container {found.container}")


def _of_output(world: World, job: str, output: str, path: str) -> Place:
    record = world.resources.find(f"jobs/{job}")
    if record is None:
        raise NowhereError(f"the job {job} does not exist")
    if output in {"artifacts", "default"}:
        return Place(world.account, ARTIFACTS, f"ExperimentRun/dcid.{job}/{path}".rstrip("/"))
    return output_place(world, record, output).below(path)


def output_place(world: World, record: dict[str, Any], output: str) -> Place:
    """Where a job's output goes: where the job says, else where the service puts it.

    Raises:
        NowhereError: The job has no such output.
    """
    outputs = record["properties"].get("outputs") or {}
    if output not in outputs:
        raise NowhereError(f"the job {record['name']} has no output {output}")
    uri = (outputs[output] or {}).get("uri")
    if uri:
        return place(world, uri.replace("${{name}}", record["name"]))
    return of_datastore(world, "workspaceblobstore", f"azureml/{record['name']}/{output}")


def _of_asset(world: World, kind: str, name: str, version: str) -> Place:
    record = world.resources.find(f"{kind}/{name}/versions/{version}")
    if record is None:
        raise NowhereError(f"the asset {kind}/{name}/versions/{version} does not exist")
    return place(world, record["properties"][PROPERTY[kind]])


def _of_url(world: World, uri: str) -> Place:
    parts = urlsplit(uri)
    path = unquote(parts.path).lstrip("/")
    if parts.scheme in {"wasb", "wasbs", "abfss"}:
        container, _, host = parts.netloc.partition("@")
        account = host.partition(".")[0]
    elif parts.scheme in {"http", "https"}:
        named = parts.netloc.partition(":")[0]
        account, rest = (named.partition(".")[0], path) if storage.HOST in named else _first(path)
        container, path = _first(rest)
    else:
        raise NowhereError(f"{uri} is no URI of a form that is known")
    if account not in world.accounts:
        raise NowhereError(f"the storage account {account} cannot be reached")
    return Place(account, container, path.strip("/"))


def _first(path: str) -> tuple[str, str]:
    head, _, rest = path.partition("/")
    return head, rest


def fetch(world: World, found: Place, folder: Path) -> Path:
    """Lay what is at a place into a folder; a single blob becomes a file of its name. Where it is then.

    Raises:
        NowhereError: There is nothing.
    """
    store = world.accounts[found.account]
    if found.container not in store.containers():
        raise NowhereError(f"the container {found.container} does not exist")
    if found.path and store.find(found.container, found.path) is not None:
        file = folder / found.path.rpartition("/")[2]
        store.fetch_one(found.container, found.path, file)
        return file
    folder.mkdir(parents=True, exist_ok=True)
    if not store.fetch(found.container, found.path, folder):
        raise NowhereError(f"there is nothing at {found.container}/{found.path}")
    return folder


def url(world: World, found: Place) -> str:
    """Where a client on this machine reads it."""
    return f"{world.url}/{found.account}/{found.container}/{found.path}"


def long_form(world: World, datastore: str, path: str) -> str:
    """The URI of a path in a datastore, with all that it is in."""
    return (
        f"azureml://subscriptions/{world.subscription}/resourcegroups/{world.group}/workspaces/{world.workspace}"
        f"/datastores/{datastore}/paths/{path}"
    )
