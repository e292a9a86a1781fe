"""Models: numbered versions, each a folder that is never changed."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cloudml.errors import NotFoundError
from cloudml.plan import Call, Plan
from cloudml.records import dataclass
from cloudml.status import ModelStatus, State
from cloudml_local import runs
from cloudml_local.errors import translated
from cloudml_local.jobs import site_digest
from cloudml_local.names import group, native
from cloudml_local.state import Row, new

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cloudml.resources import ModelResource
    from cloudml_local.places import Places
    from cloudml_local.state import State as Database

OPERATION = "local:RegisterModel"
CARD = "cloudml.json"
"""In a model's folder: the request that it was made from, and its version."""


def lower(resource: ModelResource, places: Places) -> dict[str, Any]:
    """The request of a model: what it is made of, and where from."""
    spec, source, text = resource.spec, resource.source, resource.requirements
    return {
        "name": native(resource.identity),
        "family": group(resource.identity),
        "artifact": resource.artifact,
        "predictor": spec.predictor,
        "code": {"digest": source.digest, "files": len(source.files)} if source else None,
        "requirements": text,
        "site": str(places.site(site_digest(text, source.digest if source else ""))) if text else None,
        "framework": resource.framework.model_dump(mode="json") if resource.framework else None,
        "job": resource.job,
        "require": {reference: str(threshold) for reference, threshold in spec.require.items()},
        "metrics": dict(resource.metrics),
        "lineage": dict(resource.lineage),
    }


def lift(row: Row, uri: str) -> ModelStatus:
    """The status in a row; one that is being made and has nobody who makes it has failed."""
    abandoned = row.state == State.CREATING and row.orphaned
    return ModelStatus(
        resource=row.resource,
        name=row.name,
        project=row.project,
        hash=row.hash,
        state=State.FAILED if abandoned else State(row.state),
        reason="registering it was interrupted" if abandoned else row.reason,
        created=row.created,
        updated=row.updated,
        native={"body": row.body},
        version=f"v{row.facts['version']}",
        uri=uri,
        metrics=row.body["metrics"],
    )


@dataclass(frozen=True, slots=True)
class LocalModels:
    """Models in folders."""

    places: Places
    state: Database

    def plan(self, resource: ModelResource) -> Plan:
        """One request; nothing is copied."""
        return Plan((Call(OPERATION, lower(resource, self.places)),))

    def create(self, resource: ModelResource) -> ModelStatus:
        """Give the model its number and its folder.

        Raises:
            AlreadyExistsError: It is registered, or somebody is at it.
            NotFoundError: The job's output is not there.
        """
        name, body = native(resource.identity), lower(resource, self.places)
        if not Path(resource.artifact).is_dir():
            raise NotFoundError(
                f"`{resource.artifact}` is not there: job `{resource.job}` has not succeeded, or was deleted",
                operation=OPERATION,
                hint="`cloudml up` runs the job",
            )
        mine = new(resource.identity, name, State.CREATING, body)
        row = self.state.add(mine, instead=_may_be_made_anew, family=body["family"])
        with self.state.making(row, then=State.READY), translated(OPERATION):
            self._build(row, resource)
        return self.get(name)

    def _build(self, row: Row, resource: ModelResource) -> None:
        from cloudml.source import pack

        self.state.clear("models", row.name)
        folder = self.places.folder("models", row.name)
        link(Path(resource.artifact), folder / "model")
        if resource.source is not None:
            pack(resource.source, folder / "code")
        if resource.requirements:
            (folder / "requirements.txt").write_text(resource.requirements, "utf-8")
        card = {**row.body, "version": f"v{row.facts['version']}", "created": row.created.isoformat()}
        (folder / CARD).write_text(json.dumps(card, indent=2), "utf-8")
        runs.protect(folder)

    def get(self, name: str) -> ModelStatus:
        """How the version stands."""
        return self._lifted(self.state.get("models", name))

    def list(self, project: str) -> Iterator[ModelStatus]:
        """Every version of every model of the project."""
        yield from map(self._lifted, self.state.find("models", project))

    def delete(self, name: str) -> None:
        """Remove the version; its number is not given again."""
        self.state.drop("models", name)

    def _lifted(self, row: Row) -> ModelStatus:
        return lift(row, str(self.places.folder("models", row.name) / "model"))


def link(source: Path, target: Path) -> None:
    """Lay the files below *source* out below *target*, as links to the same content where the disk allows."""
    for path, _, names in os.walk(source, followlinks=True):
        folder = target / Path(path).relative_to(source)
        folder.mkdir(parents=True, exist_ok=True)
        for name in names:
            file = Path(path, name).resolve()
            try:
                os.link(file, folder / name)
            except OSError:  # another file system, or one without hard links
                shutil.copy2(file, folder / name)


def _may_be_made_anew(row: Row) -> bool:
    return row.state == State.FAILED or (row.state == State.CREATING and row.orphaned)
