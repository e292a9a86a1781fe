"""Checks: which metric of which columns may be how large; evaluated over two profiles."""

from __future__ import annotations

from difflib import get_close_matches
from math import isfinite
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from cloudml.errors import SpecError
from cloudml.profile.kinds import Kind
from cloudml.profile.metrics import METRICS, Measured, applicable
from cloudml.profile.report import Note, Report, Result, State
from cloudml.records import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from cloudml.profile.table import Profile

On = Literal["features", "predictions"]


class Pair(NamedTuple):
    """A baseline and what is compared with it."""

    baseline: Profile
    current: Profile


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """No *metric* above *max*.

    Attributes:
        columns: Which columns; None is every column to which the metric applies.

    Raises:
        SpecError: No such metric, or a bound that nothing can be compared with.
    """

    metric: str
    max: float
    columns: tuple[str, ...] | None = None
    on: On = "features"

    def __post_init__(self) -> None:
        _one_of("metric", self.metric, METRICS)
        _one_of("on", self.on, ("features", "predictions"))
        if not _is_bound(self.max):
            raise SpecError(f"`max` of check `{self.metric}` is {self.max!r}", hint="a number, 0 or more", path="max")


def parse(items: Iterable[Mapping[str, Any]]) -> tuple[Check, ...]:
    """Checks as they stand in JSON.

    Raises:
        SpecError: A key is unknown or lacking, or a value is wrong.
    """
    return tuple(_check(item) for item in items)


def _check(item: Mapping[str, Any]) -> Check:
    for key in item:
        _one_of("key of a check", key, Check.__dataclass_fields__)
    absent = [key for key in ("metric", "max") if key not in item]
    if absent:
        raise SpecError(f"a check has no `{absent[0]}`: {dict(item)}", hint="write {metric: psi, max: 0.2}")
    columns = item.get("columns")
    if isinstance(columns, str):
        raise SpecError(f"`columns` is {columns!r}", hint=f"a list: [{columns}]", path="columns")
    return Check(**{**item, "columns": None if columns is None else tuple(columns)})


def evaluate(
    baseline: Profile,
    current: Profile,
    checks: Sequence[Check],
    *,
    predictions: Pair | None = None,
    monitor: str = "",
) -> Report:
    """Every check over every column it is about.

    *predictions* is what checks with ``on="predictions"`` compare.

    Raises:
        SpecError: A check names a column that the baseline lacks, or a metric that does not apply to it; the baseline
            has no rows; the current profile was not made with ``like=`` the baseline.
    """
    sides: dict[On, Pair | None] = {"features": Pair(baseline, current), "predictions": predictions}
    outcomes = [outcome for check in checks for outcome in _outcomes(check, _side(sides[check.on], check))]
    results = tuple(outcome for outcome in outcomes if isinstance(outcome, Result)) if current.rows else ()
    return Report(
        monitor=monitor,
        state=_state(results),
        rows=current.rows,
        baseline_rows=baseline.rows,
        checks=results,
        absent=tuple(name for name in baseline.columns if name not in current.columns),
        extra=tuple(name for name in current.columns if name not in baseline.columns),
        notes=tuple(outcome for outcome in outcomes if isinstance(outcome, Note)) if current.rows else (),
    )


def _state(results: tuple[Result, ...]) -> State:
    """Nothing compared is no data, never ok."""
    if any(result.violated for result in results):
        return State.VIOLATED
    return State.OK if any(result.value is not None for result in results) else State.NO_DATA


def _side(pair: Pair | None, check: Check) -> Pair:
    if pair is None:
        raise SpecError(
            f"check `{check.metric}` is on predictions, and there is nothing to compare them with",
            hint="name the baseline's label column, or give predictions made on the baseline",
        )
    if not pair.baseline.rows:
        raise SpecError(f"the baseline of the {check.on} has no rows", hint="check the baseline's path")
    return pair


def _outcomes(check: Check, pair: Pair) -> list[Result | Note]:
    if check.columns is None:
        shared = [name for name in pair.baseline.columns if name in pair.current.columns]
        names = [name for name in shared if _asked(check, pair.baseline.columns[name].kind)]
        if not names:
            return [Note("", check.metric, f"applies to no column that both sides of the {check.on} have")]
    else:
        names = [_known(check, name, pair.baseline) for name in check.columns]
    return [outcome for name in names for outcome in _outcome(check, name, pair)]


def _asked(check: Check, kind: Kind) -> bool:
    return kind is Kind.EMPTY or kind in METRICS[check.metric].kinds


def _known(check: Check, name: str, baseline: Profile) -> str:
    """The column, if the check may be asked of it."""
    _one_of(f"column of check `{check.metric}`", name, baseline.columns)
    kind = baseline.columns[name].kind
    if not _asked(check, kind):
        raise SpecError(
            f"`{check.metric}` does not apply to column `{name}`, which is {kind}",
            hint=f"to a {kind} column apply: {', '.join(applicable(kind))}",
            path="columns",
        )
    return name


def _outcome(check: Check, name: str, pair: Pair) -> list[Result | Note]:
    """The result, and a note when there is no number."""
    found = _measured(check, name, pair)
    value = found.value if found.value is not None and isfinite(found.value) else None
    result = Result(
        column=name,
        metric=check.metric,
        value=value,
        max=check.max,
        violated=_violated(check, name, pair, found),
        on=check.on,
        detail=found.detail,
    )
    reason = found.reason or ("" if found.value is None or value is not None else "the value is not finite")
    return [result, Note(name, check.metric, reason)] if reason else [result]


def _measured(check: Check, name: str, pair: Pair) -> Measured:
    metric = METRICS[check.metric]
    baseline, current = pair.baseline.columns[name], pair.current.columns.get(name)
    if current is None:
        return Measured(None if metric.compared else 1.0, reason="the column is absent from the current data")
    if metric.compared and not (baseline.present and current.present):
        return Measured(None, reason=f"the {'current data' if baseline.present else 'baseline'} has no value")
    if baseline.kind is not current.kind and Kind.EMPTY not in {baseline.kind, current.kind}:
        raise SpecError(
            f"column `{name}` is {baseline.kind} in the baseline and {current.kind} in the current data",
            hint="profile the current data with `like=` the baseline",
        )
    return metric.measure(baseline, current)


def _violated(check: Check, name: str, pair: Pair, found: Measured) -> bool:
    """Above the bound; without a number, when the check names a column that has values on one side only."""
    if found.value is not None:
        return not found.value <= check.max
    current = pair.current.columns.get(name)
    lost = bool(pair.baseline.columns[name].present) != bool(current is not None and current.present)
    return check.columns is not None and lost


def _is_bound(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and isfinite(value) and value >= 0


def _one_of(what: str, found: str, allowed: Iterable[str]) -> None:
    choices = list(allowed)
    if found not in choices:
        near = get_close_matches(str(found), choices, n=1)
        meant = f"did you mean `{near[0]}`? " if near else ""
        raise SpecError(f"no {what} `{found}`", hint=f"{meant}one of: {', '.join(choices)}")
