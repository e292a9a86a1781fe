"""What all specs share: frozen, nothing unknown accepted, units read by `cloudml.units`."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    InstanceOf,
    PlainSerializer,
    StrictBool,
    StrictFloat,
    StrictInt,
    StrictStr,
    StringConstraints,
    WithJsonSchema,
)

from cloudml import units
from cloudml.units import Size, Threshold

if TYPE_CHECKING:
    from collections.abc import Callable

NAME = r"^[a-z][a-z0-9-]{0,30}$"
PORT = r"^[a-z][a-z0-9_]{0,30}$"
PARAMETER = r"^[A-Za-z][A-Za-z0-9_.-]{0,63}$"
VARIABLE = r"^[A-Za-z_][A-Za-z0-9_]*$"

PROVIDERS = ("local", "aws", "azure", "gcp")
"""Providers whose own words may stand in a block named for them; installed ones are added by the loader."""


class Spec(BaseModel):
    """A frozen record of what was asked; unknown fields are refused."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", use_attribute_docstrings=True, arbitrary_types_allowed=True, validate_default=True
    )


def _text(read: Callable[[str], Any]) -> Callable[[Any], Any]:
    """A validator that reads text with *read* and lets a value that was read before pass."""

    def validate(value: Any) -> Any:
        return read(value) if isinstance(value, str) else value

    return validate


Scalar = StrictBool | StrictInt | StrictFloat | StrictStr
Name = Annotated[str, StringConstraints(pattern=NAME)]
PortName = Annotated[str, StringConstraints(pattern=PORT)]
ParameterName = Annotated[str, StringConstraints(pattern=PARAMETER)]
VariableName = Annotated[str, StringConstraints(pattern=VARIABLE)]
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
Cron = Annotated[str, BeforeValidator(_text(units.cron)), WithJsonSchema({"type": "string", "examples": ["0 * * * *"]})]
ThresholdText = Annotated[
    InstanceOf[Threshold],
    BeforeValidator(_text(units.threshold)),
    PlainSerializer(str),
    WithJsonSchema({"type": "string", "pattern": r"^(>=|<=|==|>|<)\s*[-+]?\d", "examples": [">= 0.70"]}),
]
