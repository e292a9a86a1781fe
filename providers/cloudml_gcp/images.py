"""Images: framework and version -> a prebuilt image of Google's, with the day on which it goes.

The table is facts/images.json, with its source and date inside. Google takes its images away on dates that are known
beforehand: an image whose day has passed is still sent, and the plan says so and names what follows it.
"""

from __future__ import annotations

import json
from datetime import date
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cloudml import clock
from cloudml.capabilities import Level
from cloudml.clouds.images import nearest, note, ordered
from cloudml.errors import UnsupportedError
from cloudml.plan import Note
from cloudml.records import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from cloudml.specs import FrameworkSpec
    from cloudml_gcp.settings import GcpSettings

PYTHON = "python"
"""The image in which any Python runs where no framework is asked for: Ray's, the one that is known to have 3.11."""
ANY_SERVED = "sklearn"
"""The image that serves what came from a job without a framework."""
TITLES: Mapping[str, str] = {
    "python": "Python",
    "sklearn": "scikit-learn",
    "xgboost": "XGBoost",
    "pytorch": "PyTorch",
    "tensorflow": "TensorFlow",
}
REPOSITORIES: Mapping[str, str] = {"europe": "europe", "asia": "asia", "australia": "asia", "me": "europe"}
"""How a region begins to the nearest of the three repositories; everywhere else ``us``."""
OWN = "a regional image of your own stays: `image` of the job, or `{setting}` of the target"


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """An image and what the plan says of it."""

    uri: str
    notes: tuple[Note, ...] = ()


@cache
def table() -> Mapping[tuple[str, str], Mapping[str, Mapping[str, Any]]]:
    """Framework and use to versions, each with its images and dates."""
    document = json.loads((Path(__file__).parent / "facts" / "images.json").read_text("utf-8"))
    found: dict[tuple[str, str], dict[str, Mapping[str, Any]]] = {}
    for key, row in document["images"].items():
        name, use, number = key.split(" ")
        found.setdefault((name, use), {})[number] = row
    return found


def resolve(path: str, framework: FrameworkSpec | None, use: str, *, gpu: bool, settings: GcpSettings) -> Image:
    """The image for *framework*, or the one in which any Python runs; the target's own where it names one.

    Args:
        path: Whose it is: ``jobs.train``.
        framework: What was asked; None for any Python.
        use: training or prediction.
        gpu: Whether the machine has accelerators.
        settings: The region, and images of the target's own.

    Raises:
        UnsupportedError: Google has no image of that framework.
    """
    setting = "training_image" if use == "training" else "serving_image"
    if own := getattr(settings, setting):
        return Image(uri=own, notes=(Note(f"{path}.framework", f"`{setting}` of the target: {own}", Level.NATIVE),))
    name = framework.name if framework else PYTHON if use == "training" else ANY_SERVED
    versions = table().get((name, use))
    if versions is None:
        raise UnsupportedError(
            f"Google Vertex AI has no {TITLES.get(name, name)} image",
            path=f"{path}.framework",
            hint="name an `image` of your own, or let requirements.txt install it on another framework",
        )
    number = nearest(framework.version, versions) if framework else ordered(versions)[-1]
    row = versions[number]
    lies = row.get("gpu" if gpu else "cpu") or row["cpu"]
    uri = f"{repository(settings.region)}-docker.pkg.dev/vertex-ai/{lies}:latest"
    return Image(uri=uri, notes=(_note(path, framework, name, number), *_dated(path, name, use, number)))


def repository(region: str) -> str:
    """The repository that is nearest to a region: they hold the same images."""
    return REPOSITORIES.get(region.partition("-")[0], "us")


def _note(path: str, framework: FrameworkSpec | None, name: str, number: str) -> Note:
    return note(path, framework, f"Google's {TITLES[name]} image {number}", number)


def _dated(path: str, name: str, use: str, number: str) -> Iterator[Note]:
    """What the plan says of an image that is no longer mended, or gone."""
    row = table()[name, use][number]
    today = clock.now().date()
    gone, patched = _day(row.get("available_until")), _day(row.get("patched_until"))
    setting = "training_image" if use == "training" else "serving_image"
    if gone and today > gone:
        text = (
            f"Google's {TITLES[name]} image {number} has been unavailable since {gone}, and may be gone;"
            f" {_successor(name, use, today)}; {OWN.format(setting=setting)}"
        )
        yield Note(f"{path}.framework", text)
    elif patched and today > patched:
        until = f" and goes on {gone}" if gone else ""
        yield Note(f"{path}.framework", f"the image has had no security patches since {patched}{until}", Level.NATIVE)


def _successor(name: str, use: str, today: date) -> str:
    """What to take in the place of an image that is gone."""
    versions = table()[name, use]
    living = [one for one in ordered(versions) if not _past(versions[one], today)]
    if living:
        return f"its successor is {TITLES[name]} {living[-1]}"
    row = table()[PYTHON, "training"]
    number = ordered(row)[-1]
    return (
        f"its successor is the image with Python {number} ({row[number]['cpu']}):"
        f" leave out `framework`, and put {TITLES[name]} into requirements.txt"
    )


def _past(row: Mapping[str, Any], today: date) -> bool:
    gone = _day(row.get("available_until"))
    return gone is not None and today > gone


def _day(text: str | None) -> date | None:
    return date.fromisoformat(text) if text else None
