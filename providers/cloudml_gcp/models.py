"""Models: a version in Vertex AI's model registry, served by our own server in any image.

A version's number is the registry's; that registering is complete says an object beside its card that only one of
several can write. An upload is sent once: where no answer came, the version is looked for before it is sent again.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

from cloudml.clock import moment
from cloudml.clouds import cards, models, settling, words
from cloudml.clouds.names import shortened
from cloudml.errors import AlreadyExistsError, ConflictError, NotFoundError, UnavailableError
from cloudml.plan import Call, Note, Plan
from cloudml.records import dataclass
from cloudml.status import ModelStatus, State
from cloudml_gcp import images, names, running, serving
from cloudml_gcp.names import native
from cloudml_gcp.versions import DEFAULT, Registry, described, facts, name_of
from cloudml_gcp.wire import operations

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from cloudml.resources import ModelResource
    from cloudml_gcp.clients import Clients
    from cloudml_gcp.places import Places
    from cloudml_gcp.settings import GcpSettings

SECTION = "models"
COPY = "storage:Copy"
PUT = "storage:Put"
UPLOAD = "aiplatform:UploadModel"
UPLOADED_S = 1800.0
"""How long Vertex AI may take to copy the files and the image."""
INTERRUPTED = "registering it was interrupted"
AGAIN = 2


def lower(resource: ModelResource, places: Places, settings: GcpSettings) -> tuple[Call, ...]:
    """The requests of a version, in order: its files, the code that serves them, its entry in the registry.

    Raises:
        UnsupportedError: There is no image for its framework.
    """
    files = places.uri(f"{places.model(native(resource.identity))}/")
    return (
        Call(COPY, {"from": f"{resource.artifact.rstrip('/')}/", "to": files}),
        Call(PUT, {"to": f"{files}code/", "content": lower_code(resource)}),
        Call(UPLOAD, lower_upload(resource, places, settings)),
    )


def lower_code(resource: ModelResource) -> dict[str, Any]:
    """What travels to serve the model."""
    source = resource.source
    return {
        **models.card(resource),
        "code": {"digest": source.digest, "files": len(source.files)} if source else None,
        "requirements": resource.requirements,
    }


def image(resource: ModelResource, settings: GcpSettings) -> images.Image:
    """The image that serves what the model's job ran on; the endpoint's machine is not known to a version."""
    path = resource.identity.resource
    return images.resolve(path, resource.framework, "prediction", gpu=False, settings=settings)


def lower_upload(resource: ModelResource, places: Places, settings: GcpSettings) -> dict[str, Any]:
    """The entry in the registry, of a model that is not there yet; see `further`."""
    name = native(resource.identity)
    labels = {key: value for key, value in names.labels(resource.identity, settings).items() if key in STABLE}
    model = {
        "displayName": names.group(name),
        "labels": {**settings.labels, **labels},
        "versionAliases": [DEFAULT, names.alias(name)],
        "versionDescription": described(resource),
        "artifactUri": places.uri(places.model(name)),
        "containerSpec": serving.container(image(resource, settings).uri, places),
        "encryptionSpec": running.encryption(settings),
    }
    body = {
        "parent": settings.parent,
        "modelId": names.group(name),
        "model": model,
        "serviceAccount": settings.service_account,
    }
    return dict(words.said(body))


STABLE = (names.PROJECT, names.RESOURCE)
"""Labels that are a model's, whatever its version."""


def further(upload: Mapping[str, Any]) -> dict[str, Any]:
    """The same entry for a model that has versions already."""
    body = {key: value for key, value in upload.items() if key != "modelId"}
    return {**body, "parentModel": f"{upload['parent']}/models/{upload['modelId']}"}


def notes(resource: ModelResource, settings: GcpSettings) -> Iterator[Note]:
    """What became of what is not sent as it stands."""
    path = resource.identity.resource
    for note in image(resource, settings).notes:
        yield Note(f"{path}.source", f"served by {note.text}", note.level)
    yield from shortened(path, resource.identity.name, native(resource.identity), names.RULE)


def lift(version: Mapping[str, Any], *, complete: bool) -> ModelStatus:
    """The status in a version's description.

    Args:
        version: A Model, as GetModel and ListModelVersions give it.
        complete: Whether registering came to its end.
    """
    said = facts(version)
    return ModelStatus(
        resource=said.get("resource", ""),
        name=said.get("name", ""),
        project=said.get("project", ""),
        hash=said.get("hash", ""),
        state=State.READY if complete else State.FAILED,
        reason="" if complete else INTERRUPTED,
        created=moment(version.get("versionCreateTime")),
        updated=moment(version.get("versionUpdateTime")),
        native=dict(version),
        version=f"v{version['versionId']}" if version.get("versionId") else "",
        uri=f"{str(version.get('artifactUri', '')).rstrip('/')}/",
        metrics=said.get("metrics", {}),
    )


@dataclass(frozen=True, slots=True)
class GcpModels:
    """Models in Vertex AI's registry."""

    clients: Clients
    places: Places

    def plan(self, resource: ModelResource) -> Plan:
        """The copies and one request; nothing is sent."""
        settings = self.clients.settings
        return Plan(lower(resource, self.places, settings), tuple(notes(resource, settings)))

    def create(self, resource: ModelResource) -> ModelStatus:
        """Copy the files, then register; interrupted anywhere, the next call goes on and makes one version.

        Raises:
            AlreadyExistsError: It is registered, or another registers it at this moment.
            NotFoundError: The job's output is not there.
        """
        name, storage = native(resource.identity), self._storage
        *_, upload = self.plan(resource).calls
        if storage.exists(self._complete(name)):
            if self._registry.named(name):
                raise AlreadyExistsError(f"the model `{name}` is registered already", operation=UPLOAD)
            storage.remove([self._complete(name)])
        self._lay(resource)
        if not self._registry.of(resource.identity):
            self._upload(resource, upload)
        self._registry.leave_one(resource.identity)
        if not storage.claim(self._complete(name), b""):
            raise AlreadyExistsError(f"the model `{name}` was registered by another", operation=UPLOAD)
        return settling.seen(lambda: self.get(name), self.clients.sleep)

    def get(self, name: str) -> ModelStatus:
        """The version of that name, as the registry has it now.

        Raises:
            NotFoundError: There is none.
        """
        name = names.version(name)
        found = self._registry.named(name)
        if not found:
            raise NotFoundError(f"there is no model `{name}`", operation="aiplatform:GetModel")
        return lift(found[0], complete=self._storage.exists(self._complete(name)))

    def list(self, project: str) -> Iterator[ModelStatus]:
        """Every version of the project: a request for each model, none for each version."""
        complete = cards.listed(self._storage, self.places.card(SECTION, ""))
        known: set[str] = set()
        for version in self._registry.project(project):
            name = name_of(version)
            if facts(version).get("project") == project and name not in known:
                known.add(name)
                yield lift(version, complete=complete.get(name, False))
        yield from (self._begun(name) for name in complete if name not in known and self._whose(name) == project)

    def delete(self, name: str) -> None:
        """Remove the version, its files, and the model with its last version; the card goes last."""
        name = names.version(name)
        self._storage.remove([self._complete(name)])
        self._registry.remove(reversed(self._registry.named(name)))
        self._storage.delete(self.places.model(name))
        cards.remove(self._storage, self.places.card(SECTION, name))

    def _lay(self, resource: ModelResource) -> None:
        """Bring the model's files and the code that serves them to the bucket."""
        models.lay(resource, native(resource.identity), self.places, self._storage, COPY, serving.lay_out)

    def _upload(self, resource: ModelResource, upload: Call) -> None:
        """Register the version, and wait until the registry has it.

        Raises:
            ProviderError: The registry refused it, at once or later.
        """
        for attempt in range(AGAIN):
            there = bool(self._registry.versions(self._registry.model(native(resource.identity))))
            try:
                answer = self.clients.send(UPLOAD, further(upload.body) if there else upload.body)
            except UnavailableError:
                if self._heard(resource):
                    return
                if attempt == AGAIN - 1:
                    raise
                continue
            except AlreadyExistsError:  # another makes the model's first version at this moment
                if self._heard(resource):
                    return
                continue
            operations.waited(self.clients, answer, UPLOAD, UPLOADED_S)
            return
        raise ConflictError(
            f"`{names.group(native(resource.identity))}` is taken in the registry, and has no version of that content",
            operation=UPLOAD,
            hint="somebody else registers it at this moment: run it again",
        )

    def _heard(self, resource: ModelResource) -> bool:
        """Whether a version of that content comes to be seen within a while."""
        for pause in settling.pauses(settling.SEEN_S):
            if self._registry.of(resource.identity):
                return True
            self.clients.sleep(pause)
        return False

    def _complete(self, name: str) -> str:
        return f"{self.places.card(SECTION, name)}{cards.COMPLETE}"

    @property
    def _registry(self) -> Registry:
        return Registry(self.clients)

    @property
    def _storage(self) -> Any:
        return self.clients.storage(self.places.root)

    def _whose(self, name: str) -> str:
        with suppress(NotFoundError):
            return str(cards.read(self._storage, self.places.card(SECTION, name)).get(names.PROJECT, ""))
        return ""

    def _begun(self, name: str) -> ModelStatus:
        """What was begun and came not so far as the registry."""
        said = cards.read(self._storage, self.places.card(SECTION, name))
        return ModelStatus(
            resource=said[names.RESOURCE],
            name=name,
            project=said[names.PROJECT],
            hash=said[names.HASH],
            state=State.FAILED,
            reason=INTERRUPTED,
            uri=self.places.uri(f"{self.places.model(name)}/"),
        )
