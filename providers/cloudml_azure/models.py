"""Models: a version in the workspace's registry, and beside it what serves it: a code asset and an environment.

All three have one name and one version, which comes from the content: of two who register at once both ask for the
same, and an endpoint's plan needs the version's name only. The model is put last, so that what was interrupted is seen.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

from cloudml.clock import moment
from cloudml.clouds import cards, models
from cloudml.errors import AlreadyExistsError, NotFoundError
from cloudml.plan import Call, Note, Plan
from cloudml.records import dataclass
from cloudml.status import ModelStatus, State
from cloudml_azure import images, machines, names, running, serving, versions
from cloudml_azure.places import datastore, datastore_uri

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from cloudml.resources import ModelResource
    from cloudml.storage import Storage
    from cloudml_azure.clients import Clients
    from cloudml_azure.places import Places
    from cloudml_azure.settings import AzureSettings

SECTION = "models"
COPY, PUT = "Blobs_Copy", "Blobs_Put"
STATES: Mapping[str, State] = {
    "Creating": State.CREATING,
    "Updating": State.UPDATING,
    "Succeeded": State.READY,
    "Failed": State.FAILED,
    "Canceled": State.FAILED,
    "Deleting": State.DELETING,
}
INTERRUPTED = "registering it was interrupted"
ARCHIVED = "somebody archived it in the registry"
LONGEST_VALUE = 256


def lower(resource: ModelResource, places: Places, settings: AzureSettings) -> tuple[Call, ...]:
    """The requests of a version, in order: its files, what serves it, its entry in the registry.

    Raises:
        UnsupportedError: There is no image for the framework of the job that made it.
    """
    identity, name = resource.identity, names.native(resource.identity)
    files = f"{places.uri(places.model(name))}/"
    return (
        datastore(settings),
        Call(COPY, {"from": f"{resource.artifact.rstrip('/')}/", "to": files}),
        Call(PUT, {"to": f"{files}code/", "content": lower_code(resource)}),
        versions.code(identity, f"{files}code", settings),
        running.environment(identity, image(resource).uri, settings),
        versions.call(versions.MODEL, name, lower_version(resource, files, settings)),
    )


def lower_code(resource: ModelResource) -> dict[str, Any]:
    """What travels to serve the model."""
    source = resource.source
    return {
        **models.card(resource),
        "code": {"digest": source.digest, "files": len(source.files)} if source else None,
        "requirements": resource.requirements,
    }


def image(resource: ModelResource) -> images.Image:
    """The image that serves what the model's job ran on; the endpoint's machine is not known to a version."""
    return images.resolve(resource.identity.resource, resource.framework, machines.PLAIN)


def lower_version(resource: ModelResource, files: str, settings: AzureSettings) -> dict[str, Any]:
    """The entry in the registry, with its lineage."""
    return {
        "modelType": "custom_model",
        "modelUri": datastore_uri(files, settings).rstrip("/"),
        "tags": names.tags(resource.identity, settings),
        "properties": lineage(resource),
    }


def lineage(resource: ModelResource) -> dict[str, str]:
    """What the version is made from."""
    source = resource.source
    pairs = {
        "job": resource.job,
        "predictor": resource.spec.predictor or "",
        "code": source.digest if source else "",
        **{f"metric/{name}": repr(value) for name, value in resource.metrics.items()},
        **{f"hash/{reference}": value for reference, value in resource.lineage.items()},
    }
    return {key: value[:LONGEST_VALUE] for key, value in pairs.items() if value}


def notes(resource: ModelResource) -> Iterator[Note]:
    """What became of what is not sent as it stands."""
    path = resource.identity.resource
    first = image(resource).notes[0]
    yield Note(f"{path}.source", f"served by {first.text}", first.level)


def lift(version: Mapping[str, Any], uri: str, name: str) -> ModelStatus:
    """The status in a version's description or in its entry of a list."""
    said, tags, system = version["properties"], names.ours(version), version.get("systemData", {})
    state = STATES.get(said.get("provisioningState", "Succeeded"), State.UNKNOWN)
    archived = bool(said.get("isArchived"))
    return ModelStatus(
        resource=tags.get("cloudml-resource", ""),
        name=name,
        project=tags.get("cloudml-project", ""),
        hash=tags.get("cloudml-hash", ""),
        state=State.FAILED if archived else state,
        reason=ARCHIVED if archived else "",
        created=moment(system.get("createdAt")),
        updated=moment(system.get("lastModifiedAt")),
        native=dict(version),
        version=str(version["name"]),
        uri=uri,
        metrics={
            key.removeprefix("metric/"): float(value)
            for key, value in (said.get("properties") or {}).items()
            if key.startswith("metric/")
        },
    )


@dataclass(frozen=True, slots=True)
class AzureModels:
    """Models in the workspace's registry."""

    clients: Clients
    places: Places

    def plan(self, resource: ModelResource) -> Plan:
        """The copies and the requests; nothing is sent."""
        return Plan(lower(resource, self.places, self.clients.settings), tuple(notes(resource)))

    def create(self, resource: ModelResource) -> ModelStatus:
        """Copy the files, then register; interrupted anywhere, the next call goes on.

        Raises:
            AlreadyExistsError: It is registered, or another registers it at this moment.
            NotFoundError: The job's output is not there.
        """
        name = names.native(resource.identity)
        store, _, _, code, environment, version = lower(resource, self.places, self.clients.settings)
        there = versions.find(self.clients, versions.MODEL, name)
        if there is not None and not there["properties"].get("isArchived"):
            raise _exists(name)
        if there is not None:
            versions.remove(self.clients, versions.MODEL, name)
        running.ensure(self.clients, store)
        self._lay(resource)
        versions.put(self.clients, code)
        versions.put(self.clients, environment)
        if not versions.made(self.clients, version):
            raise _exists(name)
        return self.get(name)

    def get(self, name: str) -> ModelStatus:
        """The version as the registry has it now.

        Raises:
            NotFoundError: There is none.
        """
        native = names.fit(name)
        found = versions.find(self.clients, versions.MODEL, native)
        if found is None:
            raise NotFoundError(f"there is no model `{native}`", operation="ModelVersions_Get")
        return self._lifted(found, native)

    def list(self, project: str) -> Iterator[ModelStatus]:
        """Every version of the project: a request for each model and page, and those whose registering stopped."""
        known: set[str] = set()
        for container in self.clients.pages("ModelContainers_List", {}):
            if not str(container["name"]).startswith(f"{project}-"):
                continue
            with suppress(NotFoundError):  # its last version went meanwhile
                for one in self.clients.pages("ModelVersions_List", {"name": container["name"]}):
                    status = self._lifted(one, f"{container['name']}-{one['name']}")
                    if status.project == project:
                        known.add(status.name)
                        yield status
        yield from self._begun(known, project)

    def delete(self, name: str) -> None:
        """Remove the version, what serves it, and the files; the card last, which tells of the rest."""
        native = names.fit(name)
        for noun in (versions.MODEL, versions.ENVIRONMENT, versions.CODE):
            versions.remove(self.clients, noun, native)
        self._storage.delete(self.places.model(native))
        cards.remove(self._storage, self.places.card(SECTION, native))

    def _lay(self, resource: ModelResource) -> None:
        """Bring the model's files and the code that serves them to the bucket."""
        models.lay(resource, names.native(resource.identity), self.places, self._storage, COPY, serving.lay_out)

    def _begun(self, known: set[str], project: str) -> Iterator[ModelStatus]:
        """The versions of which there is a card, and no entry in the registry."""
        storage = self._storage
        for name in cards.listed(storage, self.places.card(SECTION, "")):
            if name in known:
                continue
            with suppress(NotFoundError):
                said = cards.read(storage, self.places.card(SECTION, name))
                if said["cloudml-project"] == project:
                    yield ModelStatus(
                        resource=said["cloudml-resource"],
                        name=name,
                        project=project,
                        hash=said["cloudml-hash"],
                        state=State.FAILED,
                        reason=INTERRUPTED,
                        uri=self.places.uri(f"{self.places.model(name)}/"),
                    )

    def _lifted(self, version: Mapping[str, Any], name: str) -> ModelStatus:
        return lift(version, self.places.uri(f"{self.places.model(name)}/"), name)

    @property
    def _storage(self) -> Storage:
        return self.clients.storage(self.places.root)


def _exists(name: str) -> AlreadyExistsError:
    return AlreadyExistsError(f"model `{name}` is registered already", operation="ModelVersions_CreateOrUpdate")
