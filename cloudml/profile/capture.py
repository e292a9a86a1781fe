"""Recorded traffic as two profiles: of what was asked, and of what was answered."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cloudml.errors import SpecError
from cloudml.profile import files, reading, rows, table
from cloudml.profile.events import EVENTS, Event
from cloudml.profile.problems import Problems
from cloudml.profile.table import Profile

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from datetime import datetime
    from pathlib import Path

SCHEMA = pa.schema(
    {
        "event_id": pa.string(),
        "time": pa.timestamp("us", "UTC"),
        "endpoint": pa.string(),
        "version": pa.string(),
        "row": pa.int32(),
        "instance": pa.string(),
        "prediction": pa.string(),
    }
)
"""Our own capture files: Parquet, one row per instance; `instance` and `prediction` are JSON."""

Chunk = tuple[list[Any], list[Any]]
"""Instances and predictions of some thousand rows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Where recorded traffic lies and how it is read.

    Attributes:
        format: cloudml, sagemaker, azure or vertex (`events.py`), or table: rows are instances, without answers.
        since: From this moment on; with *until*, before which, the window. Aware; an event without a time is outside.
        columns: Names for instances that are plain lists.
    """

    paths: tuple[str | Path, ...]
    format: str = "cloudml"
    since: datetime | None = None
    until: datetime | None = None
    columns: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        if self.format not in FORMATS:
            raise SpecError(f"no capture format `{self.format}`", hint=f"one of: {', '.join(FORMATS)}", path="format")

    def holds(self, time: float | None) -> bool:
        since, until = bound(self.since, float("-inf")), bound(self.until, float("inf"))
        return (self.since is None and self.until is None) or (time is not None and since <= time < until)


def bound(moment: datetime | None, otherwise: float) -> float:
    return otherwise if moment is None else moment.timestamp()


def capture_profile(
    paths: Iterable[str | Path],
    since: datetime | None = None,
    until: datetime | None = None,
    columns: Sequence[str] | None = None,
) -> tuple[Profile, Profile]:
    """Profiles of the features and of the predictions in our own capture files."""
    names = None if columns is None else tuple(columns)
    return profiles(Source(paths=tuple(paths), since=since, until=until, columns=names))


def profiles(
    source: Source,
    like: Profile | None = None,
    like_predictions: Profile | None = None,
    problems: Problems | None = None,
) -> tuple[Profile, Profile]:
    """Profiles of the features and of the predictions; values are read as the kinds they have in *like*.

    Predictions are the column `prediction` when they are single values, their keys when they are objects, and
    prediction_0, prediction_1, ... when they are lists. What cannot be read is counted in *problems*.

    Raises:
        SpecError: A path matches nothing.
    """
    found = Problems() if problems is None else problems
    if source.format == "table":
        return files.whole(source.paths, like, found), Profile()
    names = source.columns or (tuple(like.columns) if like else None)
    features, predictions = Profile(), Profile()
    for instances, answers in _chunks(source, found):
        features = _more(features, rows.batch(instances, rows.instance_names(names)), like)
        predictions = _more(predictions, rows.batch(answers, rows.prediction_names), like_predictions)
    return features, predictions


def _more(whole: Profile, batch: pa.RecordBatch, like: Profile | None) -> Profile:
    kinds = {**whole.kinds, **(like.kinds if like else {})}
    return table.merge(whole, table.of_batch(batch, kinds))


def _chunks(source: Source, problems: Problems) -> Iterator[Chunk]:
    """The rows of every file; one that is damaged is read as far as it goes."""
    for path in reading.files(source.paths, problems):
        try:
            yield from _READERS[source.format](path, source, problems)
        except (OSError, EOFError, pa.ArrowException, UnicodeDecodeError, KeyError) as exc:
            problems.add(path.name, f"cannot be read to its end: {reading.first_line(exc)}")


def _recorded(path: Path, source: Source, problems: Problems) -> Iterator[Chunk]:
    """Our own Parquet."""
    for batch in reading.parquet(path, ["time", "instance", "prediction"]):
        inside = batch.filter(_window(batch["time"], source))
        yield _parsed(inside["instance"], path, problems), _parsed(inside["prediction"], path, problems)


def _window(times: pa.Array, source: Source) -> pa.Array:
    stamps = pc.divide(times.cast(pa.timestamp("us", "UTC")).cast(pa.int64()).cast(pa.float64(), safe=False), 1e6)
    since, until = bound(source.since, float("-inf")), bound(source.until, float("inf"))
    if source.since is None and source.until is None:
        return pa.array(np.ones(len(times), dtype=bool))
    return pc.fill_null(pc.and_(pc.greater_equal(stamps, since), pc.less(stamps, until)), False)


def _parsed(texts: pa.Array, path: Path, problems: Problems) -> list[Any]:
    """The values of JSON texts: all in one go, or one by one when some are damaged. A null was not captured."""
    found = texts.drop_null().to_pylist()
    try:
        values: list[Any] = json.loads(f"[{','.join(found)}]")
    except ValueError:
        return _one_by_one(found, path, problems)
    return values if len(values) == len(found) else _one_by_one(found, path, problems)


def _one_by_one(texts: list[str], path: Path, problems: Problems) -> list[Any]:
    values = []
    for text in texts:
        try:
            values.append(json.loads(text))
        except ValueError:
            problems.add(path.name, "a captured value is not JSON")
    return values


def _logged(path: Path, source: Source, problems: Problems) -> Iterator[Chunk]:
    """The lines of a cloud's own format; Vertex's table may also be exported as Parquet."""
    for lines in _lines(path, problems):
        events = [event for line in lines for event in _event(line, source, path.name, problems)]
        yield (
            [row for event in events for row in event.instances],
            [row for event in events for row in event.predictions],
        )


def _lines(path: Path, problems: Problems) -> Iterator[list[Any]]:
    if reading.suffix(path) == ".parquet":
        return (batch.to_pylist() for batch in reading.parquet(path))
    return ([value for text in chunk for value in _line(text, path, problems)] for chunk in reading.lines(path))


def _line(text: str, path: Path, problems: Problems) -> list[Any]:
    try:
        return [json.loads(text)]
    except ValueError:
        problems.add(path.name, "a line is not JSON")
        return []


def _event(line: Mapping[str, Any], source: Source, name: str, problems: Problems) -> list[Event]:
    """The event of a line, if it can be read and is inside the window."""
    try:
        event = EVENTS[source.format](line)
    except (KeyError, TypeError, ValueError, AttributeError):
        problems.add(name, f"a line is not of the format {source.format}")
        return []
    outside = event.time is None and not source.holds(None)
    problems.add(name, "an event without a time is outside the window", outside)
    return [event] if source.holds(event.time) else []


_READERS: Mapping[str, Callable[[Path, Source, Problems], Iterator[Chunk]]] = {
    "cloudml": _recorded,
    **dict.fromkeys(EVENTS, _logged),
}
FORMATS = (*_READERS, "table")
