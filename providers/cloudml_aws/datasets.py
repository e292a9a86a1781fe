"""Datasets: versions by content in the bucket.

The card says whose a version is, and is written first; the files and their manifest follow; that the version is
complete says an object beside the card that only one of several can write. A version without it counts as failed: it
is being sent, or sending it was interrupted, and sending it again finishes it either way.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from cloudml import clock
from cloudml.errors import AlreadyExistsError, NotFoundError
from cloudml.plan import Call, Note, Plan
from cloudml.status import DatasetStatus, State
from cloudml_aws import cards, names, running

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from cloudml.progress import Progress
    from cloudml.resources import DatasetResource, Identity
    from cloudml.storage import Storage
    from cloudml_aws.clients import Clients
    from cloudml_aws.places import Places

SECTION = "datasets"
INTERRUPTED = "it is being sent, or sending it was interrupted"


def lower(resource: DatasetResource, places: Places) -> Plan:
    """The transfer of the files, with the card that tells what they are."""
    name = names.native(resource.identity)
    body = {"to": places.uri(f"{places.dataset(name)}/"), "card": card(resource, places)}
    return Plan((Call(running.UPLOAD, body),), tuple(notes(resource)))


def card(resource: DatasetResource, places: Places) -> dict[str, Any]:
    """What is kept of a dataset beside its files."""
    manifest, name = resource.manifest, names.native(resource.identity)
    return {
        "tags": dict(resource.identity.tags),
        "path": resource.spec.path,
        "label": resource.spec.label,
        "uri": places.uri(places.dataset(name)),
        "manifest": manifest.hash,
        "files": len(manifest.entries),
        "bytes": manifest.size,
    }


def notes(resource: DatasetResource) -> Iterator[Note]:
    """What became of the fields that are not sent as they stand."""
    path = resource.identity.resource
    if "://" in resource.spec.path:
        yield Note(f"{path}.path", "copied into the bucket before a job reads it")
    yield from running.shortened(path, resource.identity.name, names.native(resource.identity))


def lift(name: str, card: Mapping[str, Any], *, complete: bool) -> DatasetStatus:
    """The status in a card."""
    tags = card.get("tags", {})
    created = card.get("created")
    return DatasetStatus(
        resource=tags.get("cloudml-resource", f"{SECTION}.{name}"),
        name=name,
        project=tags.get("cloudml-project", ""),
        hash=tags.get("cloudml-hash", ""),
        state=State.READY if complete else State.FAILED,
        reason="" if complete else INTERRUPTED,
        created=datetime.fromisoformat(created) if created else None,
        native=dict(card),
        uri=str(card.get("uri", "")),
        files=int(card.get("files", 0)),
        bytes=int(card.get("bytes", 0)),
    )


@dataclass(frozen=True, slots=True)
class AwsDatasets:
    """Datasets in the target's bucket."""

    clients: Clients
    places: Places

    def uri(self, identity: Identity) -> str:
        """The folder of the version."""
        return self.places.uri(self.places.dataset(names.native(identity)))

    def plan(self, resource: DatasetResource) -> Plan:
        """One transfer; nothing is sent."""
        return lower(resource, self.places)

    def create(self, resource: DatasetResource, progress: Progress) -> DatasetStatus:
        """Send the files that are not there yet; what an interrupted call has sent is not sent again.

        Raises:
            AlreadyExistsError: The version is there; of several who send it at once, one makes it.
        """
        (upload,) = self.plan(resource).calls
        name, storage = names.native(resource.identity), self._storage()
        if storage.exists(self._complete(name)):
            raise _exists(name)
        cards.write(
            storage, self.places.card(SECTION, name), {**upload.body["card"], "created": clock.now().isoformat()}
        )
        storage.push(resource.manifest, self.places.dataset(name), progress)
        if not storage.claim(self._complete(name), b""):
            raise _exists(name)
        return self.get(name)

    def get(self, name: str) -> DatasetStatus:
        """How the dataset stands."""
        name, storage = names.fit(name), self._storage()
        found = cards.read(storage, self.places.card(SECTION, name))
        return lift(name, found, complete=storage.exists(self._complete(name)))

    def list(self, project: str) -> Iterator[DatasetStatus]:
        """Every version of every dataset of the project."""
        storage = self._storage()
        there = cards.listed(storage, self.places.card(SECTION, ""))
        for name, complete in there.items():
            with suppress(NotFoundError):  # deleted meanwhile
                status = lift(name, cards.read(storage, self.places.card(SECTION, name)), complete=complete)
                if status.project == project:
                    yield status

    def delete(self, name: str) -> None:
        """Remove the version, and the contents that nothing names any more with the project's last."""
        name, storage = names.fit(name), self._storage()
        storage.remove([self._complete(name)])
        storage.delete(self.places.dataset(name))
        cards.remove(storage, self.places.card(SECTION, name))

    def _complete(self, name: str) -> str:
        return f"{self.places.card(SECTION, name)}{cards.COMPLETE}"

    def _storage(self) -> Storage:
        return self.clients.storage(self.places.root)


def _exists(name: str) -> AlreadyExistsError:
    return AlreadyExistsError(f"the dataset `{name}` is there already", operation=running.UPLOAD)
