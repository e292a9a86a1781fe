"""Images: framework and version -> a curated environment of Azure ML, and the image that it is made of.

The table is facts/images.json, with its source and date inside. Jobs name the environment in Microsoft's registry; a
model's version has an environment of its own with the environment's image, so that what serves it never changes by
itself in the middle of an endpoint's life.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cloudml.capabilities import Level
from cloudml.clouds.images import nearest, note, ordered
from cloudml.errors import UnsupportedError
from cloudml.plan import Note
from cloudml.records import dataclass
from cloudml_azure import machines

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cloudml.specs import FrameworkSpec

PYTHON = "sklearn"
"""The environment in which any Python runs where no framework is asked for."""
TITLES: Mapping[str, str] = {
    "sklearn": "scikit-learn",
    "xgboost": "XGBoost",
    "pytorch": "PyTorch",
    "tensorflow": "TensorFlow",
    "huggingface": "Hugging Face Transformers",
}
WORKSPACE = "azureml:"
"""How an `image` begins that is no image, but the name of an environment."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """An image and what the plan says of it.

    Attributes:
        environment: The id of an environment that has it; empty where there is none yet.
        uri: The image itself; empty where the environment alone is known.
    """

    environment: str = ""
    uri: str = ""
    notes: tuple[Note, ...] = ()


@cache
def table() -> Mapping[str, Any]:
    """The table of facts."""
    document: Mapping[str, Any] = json.loads((Path(__file__).parent / "facts" / "images.json").read_text("utf-8"))
    return document


def resolve(path: str, framework: FrameworkSpec | None, instance_type: str) -> Image:
    """The curated environment for *framework*, or the one in which any Python runs.

    Args:
        path: Whose it is: ``jobs.train``.
        framework: What was asked; None for any Python.
        instance_type: The machine; an environment made for accelerators runs without one as well, and slower.

    Raises:
        UnsupportedError: There is none for that framework.
    """
    name = framework.name if framework else PYTHON
    versions: Mapping[str, Any] = table()["environments"].get(name, {})
    if not versions:
        raise UnsupportedError(
            f"Azure Machine Learning has no curated environment for {TITLES[name]}",
            path=f"{path}.framework",
            hint="take `pytorch` with a requirements.txt, or an `image` of your own",
        )
    number = nearest(framework.version, versions) if framework else ordered(versions)[-1]
    row = versions[number]
    notes = [_note(path, framework, name, number, row["name"])]
    if row["accelerated"] and not machines.has_gpu(instance_type):
        notes.append(Note(f"{path}.machine", f"{row['name']} is made for accelerators, and runs without", Level.NATIVE))
    return Image(environment=curated(row["name"]), uri=f"{table()['host']}/{row['name']}:latest", notes=tuple(notes))


def curated(name: str) -> str:
    """The id of a curated environment, in its newest version."""
    return f"azureml://registries/{table()['registry']}/environments/{name}/labels/latest"


def python() -> str:
    """The environment with a Python that the monitoring engine runs on."""
    return curated(table()["python"]["name"])


def own(image: str) -> Image:
    """What a job's `image` means: an image, or the id of an environment."""
    return Image(environment=image) if image.startswith(WORKSPACE) else Image(uri=image)


def _note(path: str, framework: FrameworkSpec | None, name: str, number: str, environment: str) -> Note:
    return note(path, framework, f"the curated environment {environment}, with {TITLES[name]} {number}", number)
