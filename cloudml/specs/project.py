"""The project: everything that stands in a cloudml.yaml."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any

from pydantic import Field, StringConstraints, model_validator

from cloudml.specs.base import PROJECT, Name, Spec, conflict
from cloudml.specs.dataset import DatasetSpec
from cloudml.specs.endpoint import EndpointSpec
from cloudml.specs.job import JobSpec
from cloudml.specs.model import ModelSpec
from cloudml.specs.monitor import MonitorSpec

SECTIONS = ("datasets", "jobs", "models", "endpoints", "monitors")
"""The nouns, in the order of a model's life."""

AnySpec = DatasetSpec | JobSpec | ModelSpec | EndpointSpec | MonitorSpec


def _named(section: Any) -> Any:
    """The section with each plain mapping in it carrying its key as `name`."""
    if not isinstance(section, Mapping):
        return section
    return {key: {"name": key, **value} if isinstance(value, Mapping) else value for key, value in section.items()}


class TargetSpec(Spec, extra="allow", defer_build=True):
    """Where a project can run: a provider and its settings, which the provider checks."""

    provider: Name
    """local, aws, azure, gcp, or another that is installed."""

    @property
    def settings(self) -> Mapping[str, Any]:
        """What stands beside `provider`."""
        return self.model_extra or {}


class ProjectSpec(Spec):
    """A whole project."""

    project: Annotated[str, StringConstraints(pattern=PROJECT)]
    """Its name; part of the name of all that it makes."""
    targets: Mapping[Name, TargetSpec] = Field(default_factory=dict)
    """Where it can run; `local` always exists. No secrets here."""
    datasets: Mapping[Name, DatasetSpec] = Field(default_factory=dict)
    """Files that jobs read."""
    jobs: Mapping[Name, JobSpec] = Field(default_factory=dict)
    """Scripts that read and write."""
    models: Mapping[Name, ModelSpec] = Field(default_factory=dict)
    """Outputs that were found good enough."""
    endpoints: Mapping[Name, EndpointSpec] = Field(default_factory=dict)
    """Models that answer."""
    monitors: Mapping[Name, MonitorSpec] = Field(default_factory=dict)
    """Comparisons of traffic with a baseline."""

    @model_validator(mode="before")
    @classmethod
    def _names_from_keys(cls, given: Any) -> Any:
        """A resource that is given as a mapping is called by its key."""
        if not isinstance(given, Mapping):
            return given
        return {key: _named(value) if key in SECTIONS else value for key, value in given.items()}

    @model_validator(mode="after")
    def _names_are_keys(self) -> ProjectSpec:
        for reference, spec in self.resources():
            section, _, name = reference.partition(".")
            if spec.name != name:
                raise conflict(section, f"`{reference}` is called `{spec.name}`; the key and the name must be equal")
        return self

    def resources(self) -> Iterator[tuple[str, AnySpec]]:
        """Every resource with its reference, ``("jobs.train", JobSpec(…))``, in the order of a model's life."""
        for section in SECTIONS:
            for name, spec in getattr(self, section).items():
                yield f"{section}.{name}", spec
