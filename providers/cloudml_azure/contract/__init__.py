"""What a request may hold: how `facts/contract.json` is derived, with which requests are checked without any SDK.

The source are the typed wire models in azure-ai-ml, which Microsoft generates from the service's own description:

    {"source": …, "date": "2026-11-25", "api_version": "2025-12-01",
     "roots":  {"jobs": "JobBase", "onlineEndpoints/deployments": "OnlineDeployment", "PATCH onlineEndpoints": …, …},
     "types":  {"JobBase": {"properties": {WIRE_NAME: FIELD, …}},
                "JobBaseProperties": {…, "discriminator": "jobType", "kinds": {"Command": "CommandJob", …},
                                      "others": ["AutoML", …]}},
     "enums":  {"JobTier": ["Null", "Spot", …]},
     "names":  {"jobs": {"pattern": …, "max_length": 255}, …}}

A root is named for the path below the workspace without its names, with the verb before it unless that is PUT or POST
(`listSecrets` and its like are their path's last word); its type is that of the whole body. FIELD has `type`: string,
integer, number, boolean, duration (ISO 8601), datetime, any; object with `of` a type; enum with `of` an enum; constant
with `of` its only value; list and map with `of` a FIELD. Further: `name` where Python's differs from the wire's,
`required`, `read_only` (may not be sent), `create_only` (may not change), `min_length`, `max_length`, `pattern` (to be
found somewhere in the value, as in JSON schema). Null counts as left out. Of a type with a discriminator the value of
that property says which kind's properties count; the kinds under `others` exist, but are not described here. Unknown
properties are refused. Enums are compared without case by the service, which answers in the case that is written here.

The wire models know no lengths and patterns: those in CONSTRAINTS stand in Microsoft's template reference (ARM) for the
same types, those of names in the service's path parameters. Autoscale settings are another service's, Monitor's:
AUTOSCALE is written by hand after Microsoft's template reference for Microsoft.Insights/autoscalesettings@2022-10-01.
"""

from __future__ import annotations

import datetime as dt
import importlib
import typing
from enum import Enum
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

MODELS = "azure.ai.ml._restclient.arm_ml_service.models"
API_VERSION = "2025-12-01"
ROOTS: Mapping[str, str] = {
    "jobs": "JobBase",
    "data": "DataVersionBase",
    "codes": "CodeVersion",
    "codes/startPendingUpload": "PendingUploadRequestDto",
    "environments": "EnvironmentVersion",
    "models": "ModelVersion",
    "datastores": "Datastore",
    "onlineEndpoints": "OnlineEndpoint",
    "PATCH onlineEndpoints": "PartialMinimalTrackedResourceWithIdentity",
    "onlineEndpoints/regenerateKeys": "RegenerateEndpointKeysRequest",
    "onlineEndpoints/deployments": "OnlineDeployment",
    "PATCH onlineEndpoints/deployments": "PartialMinimalTrackedResourceWithSku",
    "onlineEndpoints/deployments/getLogs": "DeploymentLogsRequest",
    "schedules": "Schedule",
}
KEPT: Mapping[str, tuple[str, ...]] = {
    "JobBaseProperties": ("Command", "Sweep"),
    "OnlineDeploymentProperties": ("Managed",),
    "ScheduleActionBase": ("CreateJob", "CreateMonitor"),
    "DatastoreProperties": ("AzureBlob",),
}
"""Types of which only these kinds are described; the rest is for work that cloudml does not do."""
WORDS = "[a-zA-Z0-9_]"
GUID = "^[0-9a-fA-F]{8}-([0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}$"
CONSTRAINTS: Mapping[str, Mapping[str, Any]] = {
    "JobResourceConfiguration.shmSize": {"pattern": "\\d+[bBkKmMgG]"},
    "ManagedIdentity.clientId": {"pattern": GUID, "min_length": 36, "max_length": 36},
    "ManagedIdentity.objectId": {"pattern": GUID, "min_length": 36, "max_length": 36},
}
"""Beside these, a required text has at least one character, and a letter, digit or underscore among them."""
FREE = frozenset({"location", "tier"})
"""Required texts of resource management in general, of which the service's own description says no more."""
ASSET = {"pattern": "^[a-zA-Z0-9][a-zA-Z0-9\\-_]{0,254}$", "max_length": 255}
ONLINE = {"pattern": "^[a-zA-Z]([-a-zA-Z0-9]*[a-zA-Z0-9])?$", "min_length": 3, "max_length": 32}
NAMES: Mapping[str, Mapping[str, Any]] = {
    **dict.fromkeys(("jobs", "data", "codes", "environments", "models", "datastores", "schedules"), ASSET),
    **dict.fromkeys(("onlineEndpoints", "onlineEndpoints/deployments"), ONLINE),
}
PLAIN: Mapping[Any, str] = {
    str: "string",
    int: "integer",
    float: "number",
    bool: "boolean",
    dt.timedelta: "duration",
    dt.datetime: "datetime",
}


def contract() -> dict[str, Any]:
    """The table of what requests may hold."""
    found = Reader(importlib.import_module(MODELS))
    for root in ROOTS.values():
        found.read(root)
    return {
        "source": f"azure-ai-ml {version('azure-ai-ml')}, {MODELS}; Microsoft's template reference",
        "date": dt.datetime.now(dt.UTC).date().isoformat(),
        "api_version": API_VERSION,
        "roots": {**ROOTS, "autoscalesettings": "AutoscaleSettingResource"},
        "types": {**found.types, **AUTOSCALE},
        "enums": {**found.enums, **AUTOSCALE_ENUMS},
        "names": NAMES,
    }


class Reader:
    """Reads the wire models, each type once.

    Args:
        models: The module that has them.
    """

    def __init__(self, models: Any) -> None:
        self._models = models
        self.types: dict[str, Any] = {}
        self.enums: dict[str, list[str]] = {}

    def read(self, name: str) -> None:
        """Describe a type, and all that it leads to."""
        if name in self.types:
            return
        cls = getattr(self._models, name)
        described: dict[str, Any] = {"properties": {}}
        self.types[name] = described
        hints = self._hints(cls)
        for python, field in _fields(cls):
            wire = field._rest_name_input or python  # noqa: SLF001  the models have no other description of themselves
            described["properties"][wire] = self._property(f"{name}.{wire}", python, field, hints[python])
        if kinds := self._kinds(cls):
            described |= kinds

    def _hints(self, cls: Any) -> dict[str, Any]:
        """Its annotations, also those of its bases, as types."""
        names = {**vars(self._models), **vars(importlib.import_module(cls.__module__)), "_models": self._models}
        found: dict[str, Any] = {}
        for base in reversed(cls.__mro__):
            for name, hint in vars(base).get("__annotations__", {}).items():
                found[name] = eval(hint, names) if isinstance(hint, str) else hint  # noqa: S307  the SDK's own source
        return found

    def _property(self, path: str, python: str, field: Any, hint: Any) -> dict[str, Any]:
        kind, optional = self._kind(hint)
        wire = path.partition(".")[2]
        said: dict[str, Any] = {} if wire == python else {"name": python}
        seen = field._visibility or []  # noqa: SLF001  as above
        if seen == ["read"]:
            return {**said, **kind, "read_only": True}
        if seen and "create" in seen and "update" not in seen:
            said["create_only"] = True
        if not optional:
            said["required"] = True
            if kind == {"type": "string"} and wire not in FREE:
                said |= {"min_length": 1, "pattern": WORDS}
        return {**said, **kind, **CONSTRAINTS.get(path, {})}

    def _kind(self, hint: Any) -> tuple[dict[str, Any], bool]:
        """The type of a hint, and whether it may be left out."""
        hint = self._resolved(hint)
        origin, inner = typing.get_origin(hint), typing.get_args(hint)
        if origin is typing.Union:
            some = [self._resolved(one) for one in inner if one is not type(None)]
            enums = [one for one in some if isinstance(one, type) and issubclass(one, Enum)]
            return self._kind((enums or some)[0])[0], type(None) in inner
        if origin is typing.Literal:
            return {"type": "constant", "of": str(getattr(inner[0], "value", inner[0]))}, False
        if origin in {list, dict}:
            return {"type": "list" if origin is list else "map", "of": self._kind(inner[-1])[0]}, False
        return self._named(hint), False

    def _named(self, hint: Any) -> dict[str, Any]:
        if hint in PLAIN:
            return {"type": PLAIN[hint]}
        if not isinstance(hint, type) or not hint.__module__.startswith(MODELS):
            return {"type": "any"}
        if issubclass(hint, Enum):
            self.enums[hint.__name__] = [str(one.value) for one in hint]
            return {"type": "enum", "of": hint.__name__}
        self.read(hint.__name__)
        return {"type": "object", "of": hint.__name__}

    def _resolved(self, hint: Any) -> Any:
        if isinstance(hint, typing.ForwardRef):
            hint = hint.__forward_arg__
        if isinstance(hint, str):
            return getattr(self._models, hint.rpartition(".")[2])
        return hint

    def _kinds(self, cls: Any) -> dict[str, Any]:
        """The kinds of a type that has a discriminator."""
        mapping = vars(cls).get("__mapping__")
        fields = [(name, field) for name, field in vars(cls).items() if getattr(field, "_is_discriminator", False)]
        if not mapping or not fields:
            return {}
        kept = KEPT.get(cls.__name__)
        name, field = fields[0]
        kinds = {str(getattr(key, "value", key)): kind.__name__ for key, kind in mapping.items()}
        described = {key: kind for key, kind in kinds.items() if kept is None or key in kept}
        for kind in described.values():
            self.read(kind)
        others = sorted(set(kinds) - set(described))
        return {
            "discriminator": field._rest_name_input or name,  # noqa: SLF001  as above
            "kinds": described,
            **({"others": others} if others else {}),
        }


def _fields(cls: Any) -> Iterator[tuple[str, Any]]:
    """The fields of a model, those of its bases first; what a subclass says counts."""
    found: dict[str, Any] = {}
    for base in reversed(cls.__mro__):
        found |= {name: value for name, value in vars(base).items() if hasattr(value, "_rest_name_input")}
    return iter(found.items())


def _object(required: str, **fields: Any) -> dict[str, Any]:
    """A type of AUTOSCALE: its fields by wire name, and which of them are required."""
    named = {name: dict(field) if isinstance(field, dict) else {"type": field} for name, field in fields.items()}
    for name in required.split():
        named[name]["required"] = True
    return {"properties": named}


def _of(kind: str, name: str) -> dict[str, Any]:
    return {"type": kind, "of": name}


def _listed(name: str) -> dict[str, Any]:
    return {"type": "list", "of": _of("object", name)}


TEXTS = {"type": "map", "of": {"type": "string"}}
AUTOSCALE_ENUMS: Mapping[str, list[str]] = {
    "AutoscaleStatistic": ["Average", "Min", "Max", "Sum", "Count"],
    "AutoscaleAggregation": ["Average", "Minimum", "Maximum", "Total", "Count", "Last"],
    "AutoscaleOperator": [
        "Equals", "NotEquals", "GreaterThan", "GreaterThanOrEqual", "LessThan", "LessThanOrEqual",
    ],
    "AutoscaleDimensionOperator": ["Equals", "NotEquals"],
    "AutoscaleDirection": ["None", "Increase", "Decrease"],
    "AutoscaleChange": ["ChangeCount", "PercentChangeCount", "ExactCount", "ServiceAllowedNextValue"],
    "AutoscaleFrequency": ["None", "Second", "Minute", "Hour", "Day", "Week", "Month", "Year"],
}  # fmt: skip
AUTOSCALE: Mapping[str, Any] = {
    "AutoscaleSettingResource": _object(
        "location properties",
        id={"type": "string", "read_only": True},
        name={"type": "string", "read_only": True},
        type={"type": "string", "read_only": True},
        location="string",
        tags=TEXTS,
        properties=_of("object", "AutoscaleSetting"),
    ),
    "AutoscaleSetting": _object(
        "profiles",
        enabled="boolean",
        name="string",
        notifications={"type": "list", "of": {"type": "any"}},
        predictiveAutoscalePolicy="any",
        profiles={**_listed("AutoscaleProfile"), "max_length": 20},
        targetResourceLocation="string",
        targetResourceUri="string",
    ),
    "AutoscaleProfile": _object(
        "name capacity rules",
        capacity=_of("object", "AutoscaleCapacity"),
        fixedDate="any",
        name="string",
        recurrence=_of("object", "AutoscaleRecurrence"),
        rules={**_listed("AutoscaleRule"), "max_length": 10},
    ),
    "AutoscaleCapacity": _object("default maximum minimum", default="string", maximum="string", minimum="string"),
    "AutoscaleRecurrence": _object("frequency schedule", frequency=_of("enum", "AutoscaleFrequency"), schedule="any"),
    "AutoscaleRule": _object(
        "metricTrigger scaleAction",
        metricTrigger=_of("object", "AutoscaleMetricTrigger"),
        scaleAction=_of("object", "AutoscaleAction"),
    ),
    "AutoscaleMetricTrigger": _object(
        "metricName metricResourceUri operator statistic threshold timeAggregation timeGrain timeWindow",
        dimensions=_listed("AutoscaleRuleMetricDimension"),
        dividePerInstance="boolean",
        metricName="string",
        metricNamespace="string",
        metricResourceLocation="string",
        metricResourceUri="string",
        operator=_of("enum", "AutoscaleOperator"),
        statistic=_of("enum", "AutoscaleStatistic"),
        threshold="number",
        timeAggregation=_of("enum", "AutoscaleAggregation"),
        timeGrain="duration",
        timeWindow="duration",
    ),
    "AutoscaleRuleMetricDimension": _object(
        "DimensionName Operator Values",
        DimensionName="string",
        Operator=_of("enum", "AutoscaleDimensionOperator"),
        Values={"type": "list", "of": {"type": "string"}},
    ),
    "AutoscaleAction": _object(
        "cooldown direction type",
        cooldown="duration",
        direction=_of("enum", "AutoscaleDirection"),
        type=_of("enum", "AutoscaleChange"),
        value="string",
    ),
}
