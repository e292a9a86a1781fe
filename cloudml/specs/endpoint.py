"""Endpoints."""

from __future__ import annotations

from pydantic import Field, model_validator

from cloudml.specs.base import Name, Spec
from cloudml.specs.machine import MachineSpec
from cloudml.specs.native import WithNative
from cloudml.specs.references import ModelReference


class InstancesSpec(Spec):
    """How many machines answer, growing and shrinking with the traffic."""

    min: int = Field(ge=0, le=1000)
    """At the least; 0 lets the endpoint sleep."""
    max: int = Field(ge=1, le=1000)
    """At the most."""

    @model_validator(mode="after")
    def _in_order(self) -> InstancesSpec:
        if self.min > self.max:
            raise ValueError(f"min {self.min} is above max {self.max}")
        return self


class EndpointSpec(WithNative):
    """A model that answers requests."""

    name: Name
    """How the rest of the project calls it."""
    model: ModelReference
    """Which model: ``models.delay``."""
    machine: MachineSpec = MachineSpec()
    """What it runs on."""
    instances: int | InstancesSpec = Field(default=1)
    """How many machines: a number, or ``{min: 1, max: 4}``."""
    capture: float = Field(default=0.0, ge=0.0, le=1.0)
    """The share of requests that is recorded, with their answers; a monitor needs some."""
    sample: str | None = Field(default=None, min_length=1, examples=["rows.json"])
    """A JSON file with a list of rows, relative to the project file, that `cloudml rehearse` sends."""

    @property
    def scale(self) -> InstancesSpec:
        """The instances as a range."""
        if isinstance(self.instances, InstancesSpec):
            return self.instances
        return InstancesSpec(min=self.instances, max=self.instances)

    @model_validator(mode="after")
    def _some_instances(self) -> EndpointSpec:
        if isinstance(self.instances, int) and self.instances < 1:
            raise ValueError(
                "an endpoint needs an instance; write `instances: 1`, or `{min: 0, max: 1}` to let it sleep"
            )
        return self
