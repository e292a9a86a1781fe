"""Search: records of one kind, by expressions over their members and tags."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from cloudml_aws.double.refusals import invalid
from cloudml_aws.double.tables import page

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from cloudml_aws.double.tables import Record
    from cloudml_aws.double.world import World

KINDS: Mapping[str, str] = {
    "TrainingJob": "training-job",
    "HyperParameterTuningJob": "hyper-parameter-tuning-job",
    "Endpoint": "endpoint",
    "Model": "model",
    "ModelPackage": "model-package",
    "ModelPackageGroup": "model-package-group",
}
"""What can be searched for here; processing jobs and endpoint configurations can at AWS neither."""


def search(world: World, asked: Mapping[str, Any]) -> dict[str, Any]:
    resource = asked["Resource"]
    if resource not in KINDS:
        raise invalid(f"The double searches for {', '.join(KINDS)}, and not for {resource}.")
    found = [
        record
        for record in world.table(KINDS[resource])
        if _meets(record, asked.get("SearchExpression", {})) and not world.hidden(record["_arn"], record, "lag")
    ]
    by = asked.get("SortBy", "LastModifiedTime")
    found.sort(key=lambda record: str(_value(record, by) or ""), reverse=asked.get("SortOrder") != "Ascending")
    return page([{resource: record} for record in found], asked, "Results")


def _meets(record: Record, expression: Mapping[str, Any]) -> bool:
    if expression.get("NestedFilters"):
        raise invalid("The double evaluates no NestedFilters.")
    answers = [
        *(_passes(record, one) for one in expression.get("Filters", ())),
        *(_meets(record, one) for one in expression.get("SubExpressions", ())),
    ]
    joined = any if expression.get("Operator") == "Or" else all
    return joined(answers) if answers else True


def _passes(record: Record, one: Mapping[str, Any]) -> bool:
    value = _value(record, one["Name"])
    operator = one.get("Operator", "Equals")
    if operator not in OPERATORS:
        raise invalid(f"Unknown operator {operator}")
    return OPERATORS[operator](value, str(one.get("Value", "")))


def _value(record: Record, name: str) -> Any:
    """A member by its path: of tags by key, of metrics by name, of objects by member."""
    first, _, rest = name.partition(".")
    if first == "Tags":
        return next((tag["Value"] for tag in record.get("Tags", ()) if tag["Key"] == rest), None)
    if first == "Metrics":
        metrics = record.get("FinalMetricDataList", ())
        return next((one["Value"] for one in metrics if one["MetricName"] == rest), None)
    value: Any = record.get(first)
    if not rest:
        return value
    return value.get(rest, _value(value, rest)) if isinstance(value, dict) else None


def _compared(value: Any, text: str, holds: Callable[[float, float], bool]) -> bool:
    if value is None:
        return False
    if isinstance(value, datetime):
        return holds(value.timestamp(), datetime.fromisoformat(text).timestamp())
    try:
        return holds(float(value), float(text))
    except ValueError:
        return False


OPERATORS: Mapping[str, Callable[[Any, str], bool]] = {
    "Equals": lambda value, text: value is not None and str(value) == text,
    "NotEquals": lambda value, text: value is not None and str(value) != text,
    "Contains": lambda value, text: value is not None and text in str(value),
    "In": lambda value, text: value is not None and str(value) in text.split(","),
    "Exists": lambda value, _text: value is not None,
    "NotExists": lambda value, _text: value is None,
    "GreaterThan": lambda value, text: _compared(value, text, lambda one, other: one > other),
    "GreaterThanOrEqualTo": lambda value, text: _compared(value, text, lambda one, other: one >= other),
    "LessThan": lambda value, text: _compared(value, text, lambda one, other: one < other),
    "LessThanOrEqualTo": lambda value, text: _compared(value, text, lambda one, other: one <= other),
}

OPERATIONS: Mapping[str, Any] = {"Search": search}
