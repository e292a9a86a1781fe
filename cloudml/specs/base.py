"""What all specs share: frozen, nothing unknown accepted, units read by `cloudml.units`."""

from __future__ import annotations

import math
from collections import Counter
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    InstanceOf,
    PlainSerializer,
    PlainValidator,
    StringConstraints,
    WithJsonSchema,
)
from pydantic_core import PydanticCustomError

from cloudml import units
from cloudml.units import Size, Threshold

if TYPE_CHECKING:
    from collections.abc import Callable

PROJECT = r"^[a-z][a-z0-9-]{1,30}$"
NAME = r"^[a-z][a-z0-9-]{0,30}$"
PORT = r"^[a-z][a-z0-9_]{0,30}$"
PARAMETER = r"^[A-Za-z][A-Za-z0-9_.-]{0,63}$"
METRIC = r"^[A-Za-z][A-Za-z0-9_./-]*$"
VARIABLE = r"^[A-Za-z_][A-Za-z0-9_]*$"

RESERVED_PORT = "_cloudml"
RESERVED_PARAMETER = "sagemaker_"
RESERVED_VARIABLES = ("SM_", "AIP_", "AZUREML_", "AZURE_ML_", "CLOUDML_", "SAGEMAKER_")

PROVIDERS = ("local", "aws", "azure", "gcp")
"""Providers whose own words may stand in a block named for them; installed ones are added by the loader."""


class Spec(BaseModel):
    """A frozen record of what was asked; unknown fields are refused.

    One that a project file only has within another is derived with `defer_build`: its own validator is made when the
    first one is made in Python.
    """

    model_config = ConfigDict(
        frozen=True, extra="forbid", arbitrary_types_allowed=True, validate_default=True, allow_inf_nan=False,
    )  # fmt: skip


def _text(read: Callable[[str], Any]) -> Callable[[Any], Any]:
    """A validator that reads text with *read* and lets a value that was read before pass."""

    def validate(value: Any) -> Any:
        return read(value) if isinstance(value, str) else value

    return validate


def _not_beginning(prefixes: tuple[str, ...], why: str) -> Callable[[Any], Any]:
    """A validator that refuses names with one of *prefixes*; *why* says who uses them."""

    def validate(value: Any) -> Any:
        if isinstance(value, str) and value.startswith(prefixes):
            raise PydanticCustomError("reserved", "{why}", {"name": value, "why": why})
        return value

    return validate


def _not_code(value: Any) -> Any:
    if value == "code":
        raise PydanticCustomError(
            "reserved", "{why}", {"name": value, "why": "it is the channel of the job's own code"}
        )
    return value


def _scalar(value: Any) -> bool | int | float | str:
    """A value that every provider can pass to a script with its type.

    Raises:
        PydanticCustomError: Not a scalar, or a number that JSON does not have.
    """
    if not isinstance(value, bool | int | float | str):
        raise PydanticCustomError("scalar", "text, a number, true or false is wanted")
    if isinstance(value, float) and not math.isfinite(value):
        raise PydanticCustomError("finite_number", "a finite number is wanted")
    return value


def once(values: tuple[str, ...] | None) -> tuple[str, ...] | None:
    """Refuses a list in which something stands twice."""
    twice = [value for value, count in Counter(values or ()).items() if count > 1]
    if twice:
        raise ValueError(f"`{twice[0]}` stands twice in the list")
    return values


def conflict(field: str, message: str) -> PydanticCustomError:
    """An error of a whole spec that is shown at one of its fields."""
    return PydanticCustomError("conflict", "{message}", {"field": field, "message": message})


Scalar = Annotated[
    bool | int | float | str,
    PlainValidator(_scalar),
    WithJsonSchema({"type": ["boolean", "integer", "number", "string"]}),
]
Name = Annotated[str, StringConstraints(pattern=NAME)]
PortName = Annotated[
    str,
    StringConstraints(pattern=PORT),
    BeforeValidator(_not_beginning((RESERVED_PORT,), "cloudml keeps its own records there")),
]
InputName = Annotated[PortName, BeforeValidator(_not_code)]
ParameterName = Annotated[
    str,
    StringConstraints(pattern=PARAMETER),
    BeforeValidator(_not_beginning((RESERVED_PARAMETER,), "SageMaker passes its own parameters under such names")),
]
MetricName = Annotated[str, StringConstraints(pattern=METRIC)]
VariableName = Annotated[
    str,
    StringConstraints(pattern=VARIABLE),
    BeforeValidator(_not_beginning(RESERVED_VARIABLES, "the providers' containers set such variables themselves")),
]
PortNames = Annotated[tuple[PortName, ...], AfterValidator(once)]
MetricNames = Annotated[tuple[MetricName, ...], AfterValidator(once)]
SizeText = Annotated[
    InstanceOf[Size],
    BeforeValidator(_text(units.size)),
    PlainSerializer(str),
    WithJsonSchema({"type": "string", "pattern": r"^\d+(\.\d+)?\s*([KMGT]i?)?B$", "examples": ["16GiB"]}),
]
Duration = Annotated[
    InstanceOf[timedelta],
    BeforeValidator(_text(units.duration)),
    PlainSerializer(units.duration_text),
    WithJsonSchema({"type": "string", "pattern": r"^(\d+(\.\d+)?[smhd])+$", "examples": ["2h"]}),
]
Cron = Annotated[
    str,
    BeforeValidator(_text(units.cron)),
    WithJsonSchema({"type": "string", "pattern": r"^\s*\S+(\s+\S+){4}\s*$", "examples": ["0 * * * *"]}),
]
ThresholdText = Annotated[
    InstanceOf[Threshold],
    BeforeValidator(_text(units.threshold)),
    PlainSerializer(str),
    WithJsonSchema({"type": "string", "pattern": r"^(>=|<=|==|>|<)\s*[-+]?\d", "examples": [">= 0.70"]}),
]
