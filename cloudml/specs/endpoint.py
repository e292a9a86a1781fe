"""Endpoints."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import Discriminator, Field, StrictFloat, StrictInt, Tag, model_validator

from cloudml.specs.base import Name, Spec, conflict
from cloudml.specs.machine import MachineSpec
from cloudml.specs.native import WithNative
from cloudml.specs.references import ModelReference


class InstancesSpec(Spec):
    """How many machines answer, growing and shrinking with the traffic."""

    min: StrictInt = Field(ge=0, le=1000)
    """At the least; 0 lets the endpoint sleep."""
    max: StrictInt = Field(ge=1, le=1000)
    """At the most."""

    @model_validator(mode="after")
    def _in_order(self) -> InstancesSpec:
        if self.min > self.max:
            raise conflict("min", f"`min` {self.min} is above `max` {self.max}")
        return self


def _kind_of_instances(value: Any) -> str | None:
    """Which of the two spellings *value* is; the brackets keep the tags apart from keys of a file."""
    if isinstance(value, int) and not isinstance(value, bool):
        return "<number>"
    return "<range>" if isinstance(value, Mapping | InstancesSpec) else None


Instances = Annotated[
    Annotated[StrictInt, Field(ge=1, le=1000), Tag("<number>")] | Annotated[InstancesSpec, Tag("<range>")],
    Discriminator(
        _kind_of_instances,
        custom_error_type="instances",
        custom_error_message="a number, or `{min: 1, max: 4}` is wanted",
    ),
]


class EndpointSpec(WithNative, defer_build=True):
    """A model that answers requests."""

    name: Name
    """How the rest of the project calls it."""
    model: ModelReference
    """Which model: ``models.delay``."""
    machine: MachineSpec = MachineSpec()
    """What it runs on."""
    instances: Instances = 1
    """How many machines: a number, or ``{min: 1, max: 4}``; ``{min: 0, max: 1}`` lets it sleep."""
    capture: StrictFloat = Field(default=0.0, ge=0.0, le=1.0)
    """The share of requests that is recorded, with their answers; a monitor needs some."""
    sample: str | None = Field(default=None, min_length=1, examples=["rows.json"])
    """A JSON file with a list of rows, relative to the project file, that `cloudml rehearse` sends."""

    @property
    def scale(self) -> InstancesSpec:
        """The instances as a range."""
        if isinstance(self.instances, InstancesSpec):
            return self.instances
        return InstancesSpec(min=self.instances, max=self.instances)
