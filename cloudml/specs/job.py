"""Jobs."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Literal

from pydantic import Field, StrictBool, StrictInt, model_validator

from cloudml.specs.base import (
    Duration,
    InputName,
    MetricNames,
    Name,
    ParameterName,
    PortNames,
    Scalar,
    Spec,
    VariableName,
    conflict,
)
from cloudml.specs.machine import MachineSpec
from cloudml.specs.native import WithNative
from cloudml.specs.references import DataReference

MODEL_OUTPUT = "model"


class FrameworkSpec(Spec):
    """The library that a provider's prebuilt image must hold."""

    name: Literal["sklearn", "xgboost", "pytorch", "tensorflow", "huggingface"]
    """The framework."""
    version: str = Field(pattern=r"^\d+(\.\d+){0,2}$", examples=["1.5"])
    """Its version, as far as it matters: ``1.5``. In quotes, since YAML reads 1.10 as the number 1.1."""


class JobSpec(WithNative, defer_build=True):
    """A script that reads inputs and writes outputs; a job with an output `model` is a training job."""

    name: Name
    """How the rest of the project calls it."""
    script: str = Field(min_length=1, max_length=255, pattern=r"^[^/].*\.(py|sh)$", examples=["train.py"])
    """The script, in `source`."""
    source: str = Field(default=".", min_length=1, max_length=1024)
    """The folder with the code, relative to the project file; all that the script can import from it travels."""
    inputs: Mapping[InputName, DataReference] = Field(default_factory=dict)
    """What the script reads: a name for it, and a dataset or another job's output."""
    outputs: PortNames = ()
    """The folders that the script writes."""
    parameters: Mapping[ParameterName, Scalar] = Field(default_factory=dict)
    """Values for the script; they reach it with their types."""
    metrics: MetricNames = ()
    """Numbers that the script reports."""
    framework: FrameworkSpec | None = None
    """Which prebuilt image; not with `image`."""
    image: str | None = Field(default=None, min_length=1, max_length=255)
    """A container image of your own; not with `framework`."""
    requirements: str | None = Field(default=None, min_length=1)
    """A requirements.txt, relative to `source`, installed before the script starts."""
    machine: MachineSpec = MachineSpec()
    """What it runs on."""
    nodes: StrictInt = Field(default=1, ge=1, le=1024)
    """How many such machines."""
    spot: StrictBool = False
    """Whether the provider may take the machine away for a lower price; checkpoints survive."""
    timeout: Duration = Field(default=timedelta(hours=24), json_schema_extra={"default": "24h"})
    """After this long the job is stopped."""
    environment: Mapping[VariableName, str] = Field(default_factory=dict)
    """Environment variables; not for secrets."""

    @property
    def trains(self) -> bool:
        """Whether it is a training job, and not a processing job."""
        return MODEL_OUTPUT in self.outputs

    @model_validator(mode="after")
    def _one_image(self) -> JobSpec:
        if self.framework is not None and self.image is not None:
            raise conflict("image", "`image` and `framework` both say which image is used")
        return self

    @model_validator(mode="after")
    def _distinct_variables(self) -> JobSpec:
        """Parameters also reach a script as ``SM_HP_MAX_ITER``, where case, dots and dashes are lost."""
        seen: dict[str, str] = {}
        for name in self.parameters:
            other = seen.setdefault(re.sub(r"[.-]", "_", name).upper(), name)
            if other != name:
                raise conflict("parameters", f"`{other}` and `{name}` are the same name where a script reads variables")
        return self
