"""Recorded traffic as two profiles: of what was asked, and of what was answered."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cloudml.errors import SpecError
from cloudml.profile import files, parts, reading, rows, table
from cloudml.profile.events import EVENTS, Event
from cloudml.profile.parts import Part, Times
from cloudml.profile.problems import Problems
from cloudml.profile.table import Profile
from cloudml.records import dataclass

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from datetime import datetime
    from pathlib import Path

    from cloudml.profile.kinds import Kind
    from cloudml.profile.parts import Group, Shelf

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

    @property
    def always(self) -> bool:
        """Whether there is no window."""
        return self.since is None and self.until is None

    def holds(self, time: float | None) -> bool:
        """Whether an event of that time is in the window."""
        return self.always or (time is not None and self.spans(time, time))

    def spans(self, first: float | None, last: float | None) -> bool:
        """Whether a moment from *first* to *last* is in the window."""
        since, until = bound(self.since, float("-inf")), bound(self.until, float("inf"))
        return first is not None and last is not None and last >= since and first < until


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
    shelf: Shelf | None = None,
) -> tuple[Profile, Profile]:
    """Profiles of the features and of the predictions; values are read as the kinds they have in *like*.

    Predictions are the column `prediction` when they are single values, their keys when they are objects, and
    prediction_0, prediction_1, ... when they are lists. What cannot be read is counted in *problems*. What is known of
    parts is taken from the *shelf* and kept there.

    Raises:
        SpecError: A path matches nothing.
    """
    found = Problems() if problems is None else problems
    kinds = (like.kinds if like else {}, like_predictions.kinds if like_predictions else {})
    if source.format == "table":
        return files.whole(source.paths, kinds[0], found, shelf), Profile()
    names = source.columns or (tuple(like.columns) if like else None)
    groups = list(parts.groups(source.paths, found))

    def read(group: Group, *known: Mapping[str, Kind]) -> Part:
        def make() -> Part:
            return _part(group, source, names, known)

        if shelf is None:
            return make()
        setting = json.dumps([source.format, names, *known], sort_keys=True)
        return shelf.part(group, setting, make, lambda part: _fits(part, source))

    both = parts.merged(groups, read, kinds, found)
    if shelf is not None:
        shelf.tidy(groups)
    return both


def _part(group: Group, source: Source, names: Sequence[str] | None, kinds: Sequence[Mapping[str, Kind]]) -> Part:
    features, predictions = (table.Counter(known) for known in kinds)
    problems, times = Problems(), Times()
    for instances, answers in _chunks(group.paths, source, problems, times):
        features.add(rows.batch(instances, rows.instance_names(names)))
        predictions.add(rows.batch(answers, rows.prediction_names))
    return Part(features.profile(), predictions.profile(), problems, times)


def _fits(part: Part, source: Source) -> Part | None:
    """What a kept part gives in the window of *source*; None when only its files can say."""
    times = part.times
    if source.always:
        return None if times.outside else part
    if times.timeless:
        return None
    if source.holds(times.first) and source.holds(times.last):
        return None if times.outside else part
    if not source.spans(times.first, times.last) and not part.problems.total:
        return Part(Profile(), times=times)
    return None


def _chunks(paths: Sequence[Path], source: Source, problems: Problems, times: Times) -> Iterator[Chunk]:
    """The rows of every file; one that is damaged is read as far as it goes."""
    for path in paths:
        try:
            yield from _READERS[source.format](path, source, problems, times)
        except (OSError, EOFError, pa.ArrowException, UnicodeDecodeError, KeyError) as exc:
            problems.add(path.name, f"cannot be read to its end: {reading.first_line(exc)}")


def _recorded(path: Path, source: Source, problems: Problems, times: Times) -> Iterator[Chunk]:
    """Our own Parquet."""
    for batch in reading.parquet(path, ["time", "instance", "prediction"]):
        inside = batch.filter(_window(batch["time"], source, times))
        yield _parsed(inside["instance"], path, problems), _parsed(inside["prediction"], path, problems)


def _window(when: pa.Array, source: Source, times: Times) -> pa.Array:
    stamps = pc.divide(when.cast(pa.timestamp("us", "UTC")).cast(pa.int64()).cast(pa.float64(), safe=False), 1e6)
    span = pc.min_max(stamps).as_py()
    times.see(span["min"], span["max"])
    times.timeless += stamps.null_count
    if source.always:
        times.inside += len(stamps)
        return pa.array(np.ones(len(stamps), dtype=bool))
    since, until = bound(source.since, float("-inf")), bound(source.until, float("inf"))
    inside = pc.fill_null(pc.and_(pc.greater_equal(stamps, since), pc.less(stamps, until)), False)
    times.inside += inside.true_count
    times.outside += inside.false_count
    return inside


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


def _logged(path: Path, source: Source, problems: Problems, times: Times) -> Iterator[Chunk]:
    """The lines of a cloud's own format; Vertex's table may also be exported as Parquet."""
    for lines in _lines(path, problems):
        events = [event for line in lines for event in _event(line, source, (path.name, problems), times)]
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


def _event(line: Mapping[str, Any], source: Source, where: tuple[str, Problems], times: Times) -> list[Event]:
    """The event of a line, if it can be read and is inside the window."""
    name, problems = where
    try:
        event = EVENTS[source.format](line)
    except (KeyError, TypeError, ValueError, AttributeError):
        problems.add(name, f"a line is not of the format {source.format}")
        return []
    inside = source.holds(event.time)
    times.see(event.time, event.time)
    times.timeless += event.time is None
    times.inside += inside
    times.outside += not inside
    problems.add(name, "an event without a time is outside the window", event.time is None and not inside)
    return [event] if inside else []


_READERS: Mapping[str, Callable[[Path, Source, Problems, Times], Iterator[Chunk]]] = {
    "cloudml": _recorded,
    **dict.fromkeys(EVENTS, _logged),
}
FORMATS = (*_READERS, "table")
