"""What the seam carries: a spec with its identity, and its references replaced by what they lead to.

A resource is complete: from it and the settings alone a provider makes its native request.
"""

from __future__ import annotations

from dataclasses import field
from typing import TYPE_CHECKING

from cloudml.records import dataclass

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cloudml.source import Source
    from cloudml.specs import DatasetSpec, EndpointSpec, FrameworkSpec, JobSpec, ModelSpec, MonitorSpec
    from cloudml.storage import Manifest

SHORT = 10
"""How many hexadecimal digits of a hash stand in a name: 40 bits, one clash in a million versions."""

VERSIONED = frozenset({"datasets", "jobs", "models"})
"""Sections whose objects are never changed: other content is another object."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Which object of which project, made from which content.

    Attributes:
        project: The project's name.
        resource: Its reference in the project, ``jobs.train``.
        hash: SHA-256, in hexadecimal, of all that the result depends on.
    """

    project: str
    resource: str
    hash: str

    @property
    def section(self) -> str:
        return self.resource.partition(".")[0]

    @property
    def label(self) -> str:
        """The name in the project: ``train``."""
        return self.resource.partition(".")[2]

    @property
    def name(self) -> str:
        """The name at the provider, before it is fitted to the provider's alphabet and length."""
        stable = f"{self.project}-{self.label}"
        return f"{stable}-{self.hash[:SHORT]}" if self.section in VERSIONED else stable

    @property
    def tags(self) -> Mapping[str, str]:
        """The tags or labels by which the object is found again."""
        return {"cloudml-project": self.project, "cloudml-resource": self.resource, "cloudml-hash": self.hash}


@dataclass(frozen=True, slots=True, kw_only=True)
class DatasetResource:
    """A version of a dataset, and the files that make it."""

    spec: DatasetSpec
    identity: Identity
    manifest: Manifest


@dataclass(frozen=True, slots=True, kw_only=True)
class JobResource:
    """A run of a job.

    Attributes:
        source: The code that travels.
        requirements: The text of requirements.txt, or empty.
        inputs: Input name to the URI of its folder at this provider.
    """

    spec: JobSpec
    identity: Identity
    source: Source
    requirements: str = ""
    inputs: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelResource:
    """A version of a model.

    Attributes:
        artifact: The URI of the folder with its files.
        job: The provider's name of the job that made it.
        source: The predictor's code; None for a model that needs none.
        requirements: The text of requirements.txt for serving, or empty.
        framework: What the job that made it ran on.
        metrics: The numbers that its gate was judged by.
        lineage: Reference to hash of all that it was made from.
    """

    spec: ModelSpec
    identity: Identity
    artifact: str
    job: str
    source: Source | None = None
    requirements: str = ""
    framework: FrameworkSpec | None = None
    metrics: Mapping[str, float] = field(default_factory=dict)
    lineage: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointResource:
    """An endpoint.

    Attributes:
        model: The provider's name of the model version that shall answer.
    """

    spec: EndpointSpec
    identity: Identity
    model: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MonitorResource:
    """A monitor.

    Attributes:
        endpoint: The provider's name of the endpoint to watch.
        baseline: The URI of the folder with the baseline's files.
        label: The column that the model predicts, when a dataset says so; it is not asked of an endpoint.
    """

    spec: MonitorSpec
    identity: Identity
    endpoint: str
    baseline: str
    label: str | None = None


Resource = DatasetResource | JobResource | ModelResource | EndpointResource | MonitorResource
