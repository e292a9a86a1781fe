"""References between resources: ``datasets.flights``, ``jobs.train.model``, ``models.delay``, ``jobs.evaluate.auc``."""

from __future__ import annotations

from typing import Annotated

from pydantic import StringConstraints

from cloudml.specs.base import METRIC, NAME, PORT

_NAME, _PORT, _METRIC = (pattern.strip("^$") for pattern in (NAME, PORT, METRIC))

DataReference = Annotated[str, StringConstraints(pattern=rf"^(datasets\.{_NAME}|jobs\.{_NAME}\.{_PORT})$")]
OutputReference = Annotated[str, StringConstraints(pattern=rf"^jobs\.{_NAME}\.{_PORT}$")]
MetricReference = Annotated[str, StringConstraints(pattern=rf"^jobs\.{_NAME}\.{_METRIC}$")]
ModelReference = Annotated[str, StringConstraints(pattern=rf"^models\.{_NAME}$")]
EndpointReference = Annotated[str, StringConstraints(pattern=rf"^endpoints\.{_NAME}$")]


def owner(reference: str) -> str:
    """The resource that a reference leans on: ``jobs.train`` for ``jobs.train.model``."""
    return ".".join(reference.split(".")[:2])


def part(reference: str) -> str:
    """What of that resource: ``model`` for ``jobs.train.model``, empty for ``datasets.flights``."""
    return ".".join(reference.split(".")[2:])
