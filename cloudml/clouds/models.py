"""Models at a cloud: what lies in the bucket for each version, its files and the code that serves them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from cloudml import shipping
from cloudml.clouds import cards
from cloudml.errors import NotFoundError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from cloudml.clouds.places import Places
    from cloudml.resources import ModelResource
    from cloudml.storage import Storage

SECTION = "models"
REQUIREMENTS = "requirements.txt"


def card(resource: ModelResource) -> Mapping[str, Any]:
    """What a shim reads: which code answers, and where it lies in the folder."""
    return {"predictor": resource.spec.predictor, "source": shipping.SOURCE if resource.source else None}


def lay_code(resource: ModelResource, folder: Path) -> None:
    """Write what serves a model into *folder*, which is there and empty, but for what starts it at that cloud.

    Raises:
        SpecError: A file of the predictor's code is not what it was when it was collected.
    """
    from cloudml.packing import pack
    from cloudml.runtime.adapters import CARD

    if resource.source is not None:
        pack(resource.source, folder / shipping.SOURCE)
    if resource.requirements:
        shipping.write(folder / REQUIREMENTS, resource.requirements.encode())
    shipping.write(folder / CARD, json.dumps(card(resource)).encode())
    shipping.lay_runtime(folder)


def lay(
    resource: ModelResource,
    name: str,
    places: Places,
    storage: Storage,
    operation: str,
    lay_out: Callable[[ModelResource, Path], None],
) -> None:
    """Bring a version's card, its files and the code that serves them to the bucket, in this order.

    Args:
        resource: The model.
        name: The cloud's name of the version.
        places: Where things lie.
        storage: The project's storage.
        operation: How the plan calls the copying of the files.
        lay_out: Writes the folder ``code`` into an empty folder.

    Raises:
        NotFoundError: The job's output is not there.
    """
    from cloudml.storage.parallel import each

    folder, artifact = places.model(name), places.path(resource.artifact)
    cards.write(storage, places.card(SECTION, name), resource.identity.tags)
    if not storage.copy_folder(artifact, folder):
        raise NotFoundError(
            f"`{resource.artifact}` is not there: job `{resource.job}` has not succeeded, or was deleted",
            operation=operation,
            hint="`cloudml up` runs the job",
        )
    with shipping.folder() as here:
        lay_out(resource, here)
        files = [path for path in here.rglob("*") if path.is_file()]
        each(
            lambda file: storage.write(f"{folder}/code/{file.relative_to(here).as_posix()}", file.read_bytes()),
            files,
            workers=storage.workers,
        )
