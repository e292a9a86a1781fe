"""Datasets: versions by content in the store of the state folder."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

from cloudml.errors import NotFoundError
from cloudml.plan import Call, Note, Plan
from cloudml.records import dataclass
from cloudml.status import DatasetStatus, State
from cloudml_local.errors import translated
from cloudml_local.names import native
from cloudml_local.state import Row, new

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cloudml.progress import Progress
    from cloudml.resources import DatasetResource, Identity
    from cloudml.storage import Storage
    from cloudml_local.places import Places
    from cloudml_local.state import State as Database

OPERATION = "local:PutFiles"


def lower(resource: DatasetResource) -> dict[str, Any]:
    """The request of a dataset: which files, and where they go in the store."""
    manifest, name = resource.manifest, native(resource.identity)
    return {
        "name": name,
        "prefix": f"datasets/{name}",
        "path": resource.spec.path,
        "label": resource.spec.label,
        "manifest": manifest.hash,
        "files": len(manifest.entries),
        "bytes": sum(entry.size for entry in manifest.entries),
    }


def lift(row: Row, uri: str) -> DatasetStatus:
    """The status in a row; one that is being sent and has nobody who sends it has failed."""
    abandoned = row.state == State.CREATING and row.orphaned
    return DatasetStatus(
        resource=row.resource,
        name=row.name,
        project=row.project,
        hash=row.hash,
        state=State.FAILED if abandoned else State(row.state),
        reason="sending it was interrupted" if abandoned else row.reason,
        created=row.created,
        updated=row.updated,
        native={"body": row.body},
        uri=uri,
        files=row.body["files"],
        bytes=row.body["bytes"],
    )


@dataclass(frozen=True, slots=True)
class LocalDatasets:
    """Datasets in a folder."""

    places: Places
    state: Database

    def uri(self, identity: Identity) -> str:
        """The folder of the version."""
        return str(self.places.folder("datasets", native(identity)))

    def plan(self, resource: DatasetResource) -> Plan:
        """One request; nothing is copied."""
        path = f"{resource.identity.resource}.path"
        remote = "://" in resource.spec.path
        notes = (Note(path, "downloaded into the state folder before a job reads it"),) if remote else ()
        return Plan((Call(OPERATION, lower(resource)),), notes)

    def create(self, resource: DatasetResource, progress: Progress) -> DatasetStatus:
        """Copy or link the files into the store; what an interrupted call has sent is not sent again.

        Raises:
            AlreadyExistsError: The version is there, or somebody is sending it.
        """
        name, body = native(resource.identity), lower(resource)
        row = self.state.add(new(resource.identity, name, State.CREATING, body), instead=_may_be_sent_anew, keep=True)
        with self.state.making(row, then=State.READY), translated(OPERATION):
            self._storage().push(resource.manifest, body["prefix"], progress)
        return self.get(name)

    def get(self, name: str) -> DatasetStatus:
        """How the dataset stands."""
        return self._lifted(self.state.get("datasets", name))

    def list(self, project: str) -> Iterator[DatasetStatus]:
        """Every version of every dataset of the project."""
        yield from map(self._lifted, self.state.find("datasets", project))

    def delete(self, name: str) -> None:
        """Remove the version; the contents that nothing else names go a day later, or with the last dataset."""
        if self.state.look("datasets", name) is None:
            return
        with translated("local:DeleteFiles"):
            storage = self._storage()
            storage.delete(f"datasets/{name}")
            self.state.drop("datasets", name)
            if not self.state.bin_when_empty("datasets", self.places.store):
                with suppress(NotFoundError):  # somebody deletes the last one at this moment
                    storage.sweep()  # with the storage opened above: a new one would make the folder again

    def _lifted(self, row: Row) -> DatasetStatus:
        return lift(row, str(self.places.folder("datasets", row.name)))

    def _storage(self) -> Storage:
        from cloudml.storage import Storage

        self.places.prepare()
        self.places.store.mkdir(exist_ok=True)
        return Storage(self.places.store.as_uri())


def _may_be_sent_anew(row: Row) -> bool:
    return row.state == State.FAILED or (row.state == State.CREATING and row.orphaned)
