"""Monitors."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, StrictFloat, model_validator

from cloudml.specs.base import Cron, Duration, Name, Spec, conflict, once
from cloudml.specs.references import DataReference, EndpointReference

Metric = Literal["psi", "js", "ks", "wasserstein", "linf", "chi2", "missing", "out_of_range", "new_category"]


class CheckSpec(Spec):
    """One comparison of captured traffic with the baseline."""

    metric: Metric
    """The distance or share; docs/monitoring.md has the definitions."""
    max: StrictFloat = Field(ge=0)
    """The largest value that is still well."""
    columns: Annotated[tuple[str, ...] | None, AfterValidator(once)] = Field(default=None, min_length=1)
    """Which columns; every one to which the metric applies when left out."""
    on: Literal["features", "predictions"] = "features"
    """Compare what was asked, or what was answered."""

    @model_validator(mode="after")
    def _columns_are_features(self) -> CheckSpec:
        if self.on == "predictions" and self.columns:
            raise conflict("columns", "`columns` are features; leave them out with `on: predictions`")
        return self


class MonitorSpec(Spec):
    """Compares what an endpoint is asked with the data its model was trained on."""

    name: Name
    """How the rest of the project calls it."""
    endpoint: EndpointReference
    """Whose traffic: ``endpoints.delay``."""
    baseline: DataReference
    """What it is compared with: ``jobs.prepare.train`` or a dataset."""
    schedule: Cron | None = None
    """When it runs by itself: five cron fields, in UTC. Left out, it runs when asked."""
    window: Duration | None = None
    """How far back a run looks; everything captured when left out."""
    checks: tuple[CheckSpec, ...] = Field(min_length=1)
    """What is compared."""
