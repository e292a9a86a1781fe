"""One run of a monitor from a description in JSON: what a job does on each cloud, and what the local provider calls.

    {
      "monitor": "delay-drift",
      "baseline": ["train/"],              Parquet, CSV or JSON lines; or one saved profile, baseline.json
      "capture": ["captured/"],
      "format": "cloudml",                 cloudml | sagemaker | azure | vertex | table
      "checks": [{"metric": "psi", "max": 0.2}],
      "label": "late",                     optional: the baseline's column that predictions are compared with
      "since": "2026-01-01T00:00:00Z",     optional, as is "until"
      "out": "report/",                    optional: report.json, baseline.json, current.json, report.html
      "kept": "kept/",                     optional: a folder for what is known of parts of the data, for later runs
      "known": "known/"                    optional: where earlier runs kept it, if elsewhere
    }

In the saved profiles the predictions are columns whose names begin with `prediction`, in a document of their own:
baseline.json and current.json hold `{"features": profile, "predictions": profile}`.
"""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cloudml.errors import SpecError
from cloudml.profile import capture, files, table
from cloudml.profile.capture import Source
from cloudml.profile.checks import Check, Pair, evaluate, parse
from cloudml.profile.page import page
from cloudml.profile.parts import Shelf
from cloudml.profile.problems import Problems
from cloudml.profile.table import Profile
from cloudml.records import dataclass

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cloudml.profile.report import Report

PREDICTION = "prediction"

_KEYS = ("monitor", "baseline", "capture", "format", "checks", "label", "since", "until", "out", "kept", "known")


@dataclass(frozen=True, slots=True)
class Sides:
    """Features and predictions of one side of a comparison."""

    features: Profile
    predictions: Profile

    def save(self, path: Path) -> None:
        document = {"features": self.features.as_json(), "predictions": self.predictions.as_json()}
        path.write_text(json.dumps(document, allow_nan=False, ensure_ascii=False), encoding="utf-8")


def analyse(description: Mapping[str, Any]) -> Report:
    """Read both sides, evaluate the checks, write the files when the description says where.

    Raises:
        SpecError: The description is wrong, the baseline cannot be read, or a check does not fit it.
    """
    known = _checked(description)
    checks = parse(known["checks"])
    problems = Problems()
    baseline = _baseline(known, problems)
    current = _current(known, baseline, problems)
    report = _report(known.get("monitor", ""), baseline, current, checks)
    report = replace(report, problems=problems.sentences())
    if known.get("out"):
        write(Path(known["out"]), report, baseline, current)
    return report


def write(out: Path, report: Report, baseline: Sides, current: Sides) -> None:
    """report.json, baseline.json, current.json and report.html in the folder *out*."""
    out.mkdir(parents=True, exist_ok=True)
    baseline.save(out / "baseline.json")
    current.save(out / "current.json")
    pairs = {
        "features": Pair(baseline.features, current.features),
        "predictions": Pair(baseline.predictions, current.predictions),
    }
    (out / "report.html").write_text(page(report, pairs), encoding="utf-8")
    (out / "report.json").write_text(json.dumps(report.as_json(), indent=2, allow_nan=False), encoding="utf-8")


def load(path: Path) -> Sides:
    """What `Sides.save` wrote.

    Raises:
        SpecError: Not such a file.
    """
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        return Sides(table.from_json(document["features"]), table.from_json(document["predictions"]))
    except (ValueError, KeyError, TypeError) as exc:
        raise SpecError(f"`{path}` is not a saved baseline: {exc}", hint="it is what an earlier run wrote") from exc


def _report(monitor: str, baseline: Sides, current: Sides, checks: tuple[Check, ...]) -> Report:
    predictions = Pair(baseline.predictions, current.predictions) if baseline.predictions.rows else None
    return evaluate(baseline.features, current.features, checks, predictions=predictions, monitor=monitor)


def _baseline(description: Mapping[str, Any], problems: Problems) -> Sides:
    """The baseline's columns without the label, and the label as the predictions that were right."""
    paths = description["baseline"]
    if len(paths) == 1 and Path(paths[0]).name == "baseline.json":
        return load(Path(paths[0]))
    whole = files.whole(paths, {}, problems, _shelf("baseline", description))
    label = description.get("label")
    if (
        label is None or label not in whole.columns
    ):  # predictions then have nothing to be compared with, and a check of them says so
        return Sides(whole, Profile())
    features = whole.only(name for name in whole.columns if name != label)
    return Sides(features, whole.only([label]).renamed(label, PREDICTION))


def _current(description: Mapping[str, Any], baseline: Sides, problems: Problems) -> Sides:
    source = Source(
        paths=tuple(description["capture"]),
        format=description.get("format", "cloudml"),
        since=_moment(description, "since"),
        until=_moment(description, "until"),
    )
    shelf = _shelf("capture", description)
    return Sides(*capture.profiles(source, baseline.features, baseline.predictions, problems, shelf))


def _shelf(side: str, description: Mapping[str, Any]) -> Shelf | None:
    kept = description.get("kept")
    return Shelf(side, Path(description.get("known") or kept), Path(kept)) if kept else None


def _moment(description: Mapping[str, Any], key: str) -> datetime | None:
    text = description.get(key)
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except (TypeError, ValueError) as exc:
        raise SpecError(f"`{key}` is {text!r}", hint="write 2026-01-01T00:00:00Z", path=key) from exc
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _checked(description: Mapping[str, Any]) -> Mapping[str, Any]:
    unknown = [key for key in description if key not in _KEYS]
    if unknown:
        raise SpecError(f"no key `{unknown[0]}` in the description", hint=f"one of: {', '.join(_KEYS)}")
    lacking = [key for key in ("baseline", "capture", "checks") if key not in description]
    if lacking:
        raise SpecError(f"the description has no `{lacking[0]}`", hint="it needs baseline, capture and checks")
    return description
