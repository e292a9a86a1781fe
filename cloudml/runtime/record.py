"""What every run leaves behind, the same at every provider: the folder `_cloudml/`.

    status.json      {"state", "exit_code", "started", "ended", "reason", "pid"}; state is running, succeeded, failed,
                     timed_out or cancelled; exit_code is the script's own, 128 + signal when a signal ended it
    metrics.jsonl    a line each: {"name", "value", "step" (may be absent), "time"}; a value that is no finite number is
                     the text "NaN", "Infinity" or "-Infinity", which JSON has no numbers for
    parameters.json  the parameters with their types
    versions.json    {"python", "platform", "packages": {name: version}}
    tail.log         the last lines of the script, both streams

Times are ISO 8601 in UTC. Files are replaced in one step, metrics.jsonl grows by whole lines.
"""

from __future__ import annotations

import functools
import glob
import json
import math
import os
import sys
from datetime import datetime, timezone
from typing import Any, Mapping, NamedTuple, Sequence

TAIL_LINES = 100
_WORDS = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}


class Metric(NamedTuple):
    """One point of a metric; *time* is ISO 8601 in UTC."""

    name: str
    value: float
    step: int | None = None
    time: str = ""


class Record(NamedTuple):
    """A run as its folder tells it; what cannot be read is empty, and the state then `unknown`."""

    path: str
    state: str = "unknown"
    exit_code: int | None = None
    started: str | None = None
    ended: str | None = None
    reason: str = ""
    pid: int | None = None
    points: Sequence[Metric] = ()
    parameters: Mapping[str, Any] = {}
    versions: Mapping[str, Any] = {}
    tail: str = ""

    @property
    def metrics(self) -> dict[str, float]:
        """The last value of each metric."""
        return {point.name: point.value for point in self.points}


def now() -> str:
    return datetime.now(timezone.utc).isoformat(timespec="milliseconds")


def metric_line(metric: Metric) -> str:
    """*metric* as a line of metrics.jsonl."""
    value: float | str = metric.value
    if not math.isfinite(metric.value):
        value = "NaN" if math.isnan(metric.value) else "Infinity" if metric.value > 0 else "-Infinity"
    content: dict[str, Any] = {"name": metric.name, "value": value, "step": metric.step, "time": metric.time}
    if metric.step is None:
        del content["step"]
    return json.dumps(content, allow_nan=False) + "\n"


def parse_metrics(text: str) -> list[Metric]:
    """The metrics of a metrics.jsonl; lines that are not whole or not metrics are passed over."""
    return [point for point in map(_point, text.splitlines()) if point]


def versions(site: str | None = None) -> dict[str, Any]:
    """This Python and the packages it can import, those in *site* first.

    The packages are found by their metadata files; importlib.metadata says the same, and costs every job its import.
    """
    found: dict[str, Any] = json.loads(_versions(_searched(site)))
    return found


def write_versions(path: str, site: str | None = None) -> None:
    """Write versions.json of the record at *path*."""
    write_text(path, "versions.json", _versions(_searched(site)))


def _searched(site: str | None) -> tuple[tuple[str, int], ...]:
    """The folders that packages are looked for in, the first one first, and when each was changed."""
    return tuple((folder, _changed(folder)) for folder in ([site, *sys.path] if site else sys.path))


@functools.lru_cache(maxsize=None)
def _versions(searched: tuple[tuple[str, int], ...]) -> str:
    """What versions.json says; a text, since making it from 240 packages takes longer than all else in the record."""
    import platform  # only here: a third of what the rest of this file imports

    packages: dict[str, str] = {}
    for folder, changed in searched:
        packages = {**_packages(folder, changed), **packages}
    content = {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "packages": dict(sorted(packages.items())),
    }
    return _json(content)


def _changed(folder: str) -> int:
    """When something was last put into *folder* or taken away, in nanoseconds; 0 where there is none."""
    try:
        return os.stat(folder).st_mtime_ns
    except OSError:
        return 0


@functools.lru_cache(maxsize=None)
def _packages(folder: str, changed: int) -> Mapping[str, str]:
    """Name to version; *changed* is of what one remembers."""
    del changed
    packages: dict[str, str] = {}
    for pattern in ("*.dist-info/METADATA", "*.egg-info/PKG-INFO", "*.egg-info"):
        for path in glob.iglob(os.path.join(glob.escape(folder), pattern)):
            found = _metadata(path)
            if "name" in found:
                packages.setdefault(found["name"], found.get("version", ""))
    return packages


def read_metrics(path: str | os.PathLike[str]) -> list[Metric]:
    """The points in the record at *path*, in the order they were logged; none if there is no file."""
    return parse_metrics(_text(path, "metrics.jsonl"))


def read_record(path: str | os.PathLike[str]) -> Record:
    """What the folder *path* tells, as far as it can be read: never raises for what is missing or cut off."""
    status = _document(path, "status.json")
    known = ("state", "exit_code", "started", "ended", "reason", "pid")
    return Record(
        path=os.fspath(path),
        points=tuple(read_metrics(path)),
        parameters=_document(path, "parameters.json"),
        versions=_document(path, "versions.json"),
        tail=_text(path, "tail.log"),
        **{key: status[key] for key in known if key in status},
    )


def begin(path: str, parameters: Mapping[str, Any], *, resumed: bool) -> None:
    """Make the folder ready for a run; a resumed one carries on the metrics of the one before."""
    os.makedirs(path, exist_ok=True)
    for name in ("status.json", "tail.log", *(() if resumed else ("metrics.jsonl",))):
        if os.path.exists(os.path.join(path, name)):
            os.unlink(os.path.join(path, name))
    _end_line(os.path.join(path, "metrics.jsonl"))
    write_json(path, "parameters.json", parameters)


def write_json(path: str, name: str, content: Mapping[str, Any]) -> None:
    write_text(path, name, _json(content))


def _json(content: Mapping[str, Any]) -> str:
    return json.dumps(content, indent=1, ensure_ascii=False, default=str) + "\n"


def write_text(path: str, name: str, content: str) -> None:
    """Replace a file of the record in one step."""
    partial = os.path.join(path, f".{name}.{os.getpid()}.partial")
    with open(partial, "w", encoding="utf-8", errors="replace") as file:
        file.write(content)
    os.replace(partial, os.path.join(path, name))


def append_metric(path: str, metric: Metric) -> None:
    """Add a line in one write, so that processes of one job do not mix theirs."""
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT
    descriptor = os.open(os.path.join(path, "metrics.jsonl"), flags, 0o644)
    try:
        os.write(descriptor, metric_line(metric).encode("utf-8"))
    finally:
        os.close(descriptor)


def _end_line(path: str) -> None:
    """Close a line that an interrupted run left open, so that the next one stands alone."""
    if os.path.exists(path):
        with open(path, "rb+") as file:
            if file.read()[-1:] not in {b"\n", b""}:
                file.write(b"\n")


def _point(line: str) -> Metric | None:
    try:
        content = json.loads(line)
        value = content["value"]
        number = _WORDS[value] if isinstance(value, str) else float(value)
        return Metric(content["name"], number, content.get("step"), content.get("time", ""))
    except (ValueError, KeyError, TypeError):
        return None


def _metadata(path: str) -> dict[str, str]:
    """The fields at the top of a package's metadata, their names in lower case."""
    found: dict[str, str] = {}
    if os.path.isfile(path):
        with open(path, encoding="utf-8", errors="replace") as file:
            for line in file:
                key, colon, value = line.partition(":")
                if not colon or {"name", "version"} <= set(found):
                    break
                found.setdefault(key.lower(), value.strip())
    return found


def _text(path: str | os.PathLike[str], name: str) -> str:
    try:
        with open(os.path.join(path, name), encoding="utf-8", errors="replace") as file:
            return file.read()
    except OSError:
        return ""


def _document(path: str | os.PathLike[str], name: str) -> dict[str, Any]:
    try:
        content = json.loads(_text(path, name))
    except ValueError:
        return {}
    return content if isinstance(content, dict) else {}
