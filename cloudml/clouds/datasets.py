"""Datasets: versions by content in a bucket, the same at every cloud.

The card says whose a version is, and is written first; the files and their manifest follow; that the version is
complete says an object beside the card that only one of several can write. A version without it counts as failed: it
is being sent, or sending it was interrupted, and sending it again finishes it either way.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from contextlib import suppress
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from cloudml import clock
from cloudml.clouds import cards
from cloudml.clouds.names import shortened
from cloudml.errors import AlreadyExistsError, NotFoundError
from cloudml.plan import Call, Note, Plan
from cloudml.records import dataclass
from cloudml.status import DatasetStatus, State

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from cloudml.clouds.places import Places
    from cloudml.progress import Progress
    from cloudml.resources import DatasetResource, Identity
    from cloudml.storage import Storage

SECTION = "datasets"
INTERRUPTED = "it is being sent, or sending it was interrupted"


class HasStorage(Protocol):
    """The clients of a target, as far as they concern its storage."""

    def storage(self, root: str) -> Storage:
        """The storage at an address."""
        ...


def card(resource: DatasetResource, uri: str) -> dict[str, Any]:
    """What is kept of a dataset beside its files."""
    manifest = resource.manifest
    return {
        "tags": dict(resource.identity.tags),
        "path": resource.spec.path,
        "label": resource.spec.label,
        "uri": uri,
        "manifest": manifest.hash,
        "files": len(manifest.entries),
        "bytes": manifest.size,
    }


def lift(name: str, card: Mapping[str, Any], *, complete: bool) -> DatasetStatus:
    """The status in a card."""
    tags = card.get("tags", {})
    return DatasetStatus(
        resource=tags.get("cloudml-resource", f"{SECTION}.{name}"),
        name=name,
        project=tags.get("cloudml-project", ""),
        hash=tags.get("cloudml-hash", ""),
        state=State.READY if complete else State.FAILED,
        reason="" if complete else INTERRUPTED,
        created=clock.moment(card.get("created")),
        native=dict(card),
        uri=str(card.get("uri", "")),
        files=int(card.get("files", 0)),
        bytes=int(card.get("bytes", 0)),
    )


@dataclass(frozen=True, slots=True)
class BucketDatasets(ABC):
    """Datasets in a target's bucket. A cloud says how it calls things.

    Attributes:
        clients: Where the storage comes from.
        places: Where things lie.
    """

    UPLOAD: ClassVar[str]
    """How the plan calls the transfer, ``s3:Upload``."""
    RULE: ClassVar[str]
    """What a name may be, as a clause."""

    clients: HasStorage
    places: Places

    @abstractmethod
    def native(self, name: str) -> str:
        """The name in the cloud's alphabet."""

    def listings(self, resource: DatasetResource) -> tuple[Call, ...]:
        """The requests by which the cloud's own catalogue lists the version; none where it has no such thing. Pure."""
        del resource
        return ()

    def enlist(self, resource: DatasetResource) -> None:
        """Send those requests; again where it was interrupted."""
        del resource

    def strike(self, name: str) -> None:
        """Take the version off that list; nothing there is no error."""
        del name

    def uri(self, identity: Identity) -> str:
        """The folder of the version."""
        return self.places.uri(self.places.dataset(self.native(identity.name)))

    def plan(self, resource: DatasetResource) -> Plan:
        """One transfer of the files, with the card that tells what they are, and the cloud's own listing of them."""
        uri = self.uri(resource.identity)
        body = {"to": f"{uri}/", "card": card(resource, uri)}
        return Plan((Call(self.UPLOAD, body), *self.listings(resource)), tuple(self._notes(resource)))

    def _notes(self, resource: DatasetResource) -> Iterator[Note]:
        path, name = resource.identity.resource, resource.identity.name
        if "://" in resource.spec.path:
            yield Note(f"{path}.path", "copied into the bucket before a job reads it")
        yield from shortened(path, name, self.native(name), self.RULE)

    def create(self, resource: DatasetResource, progress: Progress) -> DatasetStatus:
        """Send the files that are not there yet; what an interrupted call has sent is not sent again.

        Raises:
            AlreadyExistsError: The version is there; of several who send it at once, one makes it.
        """
        upload, *_ = self.plan(resource).calls
        name, storage = self.native(resource.identity.name), self._storage
        if storage.exists(self._complete(name)):
            raise self._exists(name)
        whole = {**upload.body["card"], "created": clock.now().isoformat()}
        cards.write(storage, self.places.card(SECTION, name), whole)
        storage.push(resource.manifest, self.places.dataset(name), progress)
        self.enlist(resource)
        if not storage.claim(self._complete(name), b""):
            raise self._exists(name)
        return self.get(name)

    def get(self, name: str) -> DatasetStatus:
        """How the dataset stands."""
        name, storage = self.native(name), self._storage
        found = cards.read(storage, self.places.card(SECTION, name))
        return lift(name, found, complete=storage.exists(self._complete(name)))

    def list(self, project: str) -> Iterator[DatasetStatus]:
        """Every version of every dataset of the project."""
        storage = self._storage
        there = cards.listed(storage, self.places.card(SECTION, ""))
        for name, complete in there.items():
            with suppress(NotFoundError):  # deleted meanwhile
                status = lift(name, cards.read(storage, self.places.card(SECTION, name)), complete=complete)
                if status.project == project:
                    yield status

    def delete(self, name: str) -> None:
        """Remove the version, and the contents that nothing names any more with the project's last."""
        name, storage = self.native(name), self._storage
        storage.remove([self._complete(name)])
        self.strike(name)
        storage.delete(self.places.dataset(name))
        cards.remove(storage, self.places.card(SECTION, name))

    def _complete(self, name: str) -> str:
        return f"{self.places.card(SECTION, name)}{cards.COMPLETE}"

    @property
    def _storage(self) -> Storage:
        return self.clients.storage(self.places.root)

    def _exists(self, name: str) -> AlreadyExistsError:
        return AlreadyExistsError(f"the dataset `{name}` is there already", operation=self.UPLOAD)
