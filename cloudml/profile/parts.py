"""Data that grows, in parts: what is known of a part is kept, and read again instead of its files.

A part is some files of one folder that follow each other, a few megabytes together or one large file. Its profile is
kept in a file of its own, under a name that comes from where the part begins, with a digest of what the files are
called and hold, and a stamp that spares reading them where they lie as they lay. A part of which anything differs, a
file that was edited or came late included, is profiled again.

The profile of the whole is the merge of its parts in their order, kept or not, so that it is the same, bit for bit.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
import zlib
from collections import Counter
from dataclasses import asdict, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cloudml.errors import SpecError
from cloudml.profile import reading, table
from cloudml.profile.problems import Problems
from cloudml.profile.table import Profile
from cloudml.records import dataclass

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from cloudml.profile.kinds import Kind

    Kinds = Mapping[str, Kind]

FORMAT = "cloudml-part/1"
"""Changes when the same files would give another profile."""

SETTLED_NS = 2_000_000_000
"""A file that changed later than so long ago is known by its digest alone."""

BYTES = 4 << 20
"""A part ends with the file that brings it to so many bytes."""


@dataclass(slots=True)
class Times:
    """The times of the events of a part, in seconds since 1970.

    Attributes:
        inside: Events in the window.
        outside: The others.
        timeless: Events that do not say when they were.
    """

    first: float | None = None
    last: float | None = None
    inside: int = 0
    outside: int = 0
    timeless: int = 0

    def see(self, first: float | None, last: float | None) -> None:
        """Events were from *first* to *last*."""
        if first is not None and last is not None:
            self.first = first if self.first is None else min(first, self.first)
            self.last = last if self.last is None else max(last, self.last)


@dataclass(frozen=True, slots=True)
class Part:
    """What was found in some files."""

    features: Profile
    predictions: Profile = field(default_factory=Profile)
    problems: Problems = field(default_factory=Problems)
    times: Times = field(default_factory=Times)

    def as_json(self) -> dict[str, Any]:
        return {
            "features": self.features.as_json(),
            "predictions": self.predictions.as_json(),
            "problems": [[*key, number] for key, number in self.problems.seen.items()],
            "times": asdict(self.times),
        }


def from_json(document: Mapping[str, Any]) -> Part:
    """What `Part.as_json` gave."""
    return Part(
        table.from_json(document["features"]),
        table.from_json(document["predictions"]),
        Problems(Counter({(where, what): number for where, what, number in document["problems"]})),
        Times(**document["times"]),
    )


@dataclass(frozen=True, slots=True)
class Group:
    """The files of a part.

    Attributes:
        names: The files below what was asked for, the same wherever that is mounted.
    """

    paths: tuple[Path, ...]
    names: tuple[str, ...]

    @property
    def slot(self) -> str:
        """What stands for the part in the name of a file."""
        return hashlib.sha256(self.names[0].encode()).hexdigest()[:32]

    def stamp(self) -> list[list[Any]]:
        """Changes when a file is written, moved or replaced; where it is the same, nothing of the file is read.

        The time of the last change of status is the system's own: no program can set it back.
        """
        found = zip(self.names, (path.stat() for path in self.paths), strict=True)
        return [[name, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_ino] for name, stat in found]

    @property
    def settled(self) -> bool:
        """Whether the files changed long enough ago for another change to have another time."""
        return max(path.stat().st_ctime_ns for path in self.paths) < time.time_ns() - SETTLED_NS

    def digest(self, setting: str) -> str:
        """Changes with a file's name or content, and with how the files are read."""
        whole = hashlib.sha256(f"{FORMAT}\0{setting}".encode())
        for path, name in zip(self.paths, self.names, strict=True):
            with path.open("rb") as file:
                whole.update(f"\0{name}\0{hashlib.file_digest(file, 'sha256').hexdigest()}".encode())
        return whole.hexdigest()


def groups(paths: Iterable[str | Path], problems: Problems) -> Iterator[Group]:
    """The files that *paths* mean, in parts.

    Raises:
        SpecError: A path matches nothing, or is a file of a kind that is not read.
    """
    for number, root in enumerate(paths):
        pending: list[Path] = []
        size = 0
        for path in reading.files([root], problems):
            if pending and (size >= BYTES or path.parent != pending[0].parent):
                yield _group(number, Path(root), pending)
                pending, size = [], 0
            pending.append(path)
            size += path.stat().st_size
        if pending:
            yield _group(number, Path(root), pending)


def _group(number: int, root: Path, paths: list[Path]) -> Group:
    names = (path.relative_to(root).as_posix() if path != root and root.is_dir() else path.name for path in paths)
    return Group(tuple(paths), tuple(f"{number}/{name}" for name in names))


@dataclass(frozen=True, slots=True)
class Shelf:
    """The folders where the parts of a side are kept.

    Attributes:
        side: What begins the names of its files: baseline or capture.
        known: Where parts of earlier runs are.
        kept: Where new ones go; may be the same folder, and parts that no longer occur are then removed from it.
    """

    side: str
    known: Path
    kept: Path

    def part(self, group: Group, setting: str, make: Callable[[], Part], fits: Callable[[Part], Part | None]) -> Part:
        """A part, as it was kept or made anew.

        Args:
            group: The files.
            setting: How they are read.
            make: Reads them.
            fits: What a kept part gives now; None when it is to be made anew.
        """
        name, stamp = self._name(group), [setting, *group.stamp()]
        document = self._read(name)
        same = document is not None and document.get("stamp") == stamp
        digest = document["digest"] if document is not None and same else group.digest(setting)
        known = _known(document, digest)
        found = fits(known) if known else None
        new = found is None
        if found is None:
            found = known = make()
        if known and (new or (not same and self.known == self.kept)):
            self._write(name, {"digest": digest, "stamp": stamp if group.settled else None, **known.as_json()})
        return found

    def tidy(self, groups: Iterable[Group]) -> None:
        """Remove all parts but these."""
        wanted = {self._name(group) for group in groups}
        if self.known == self.kept and self.kept.is_dir():
            for path in self.kept.glob(f"{self.side}-*.json"):
                if path.name not in wanted:
                    path.unlink(missing_ok=True)

    def _name(self, group: Group) -> str:
        return f"{self.side}-{group.slot}.json"

    def _read(self, name: str) -> dict[str, Any] | None:
        try:
            document = json.loads((self.known / name).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None  # none is kept, or it was damaged: the files themselves are there
        return document if isinstance(document, dict) and "digest" in document else None

    def _write(self, name: str, document: Mapping[str, Any]) -> None:
        self.kept.mkdir(parents=True, exist_ok=True)
        hidden = self.kept / f".{name}.{os.getpid()}"
        hidden.write_text(json.dumps(document, allow_nan=False, ensure_ascii=False), encoding="utf-8")
        hidden.replace(self.kept / name)


def _known(document: Mapping[str, Any] | None, digest: str) -> Part | None:
    """The part in what was kept; None when that is of other files, or damaged."""
    try:
        return from_json(document) if document and document["digest"] == digest else None
    except (ValueError, KeyError, TypeError, AttributeError, zlib.error, SpecError):
        return None


def merged(
    groups: Iterable[Group], read: Callable[[Group, Kinds, Kinds], Part], like: tuple[Kinds, Kinds], problems: Problems
) -> tuple[Profile, Profile]:
    """The features and the predictions of all parts.

    A column keeps the kind that it had first: a part in which another came out is read again as that kind.

    Args:
        groups: The files.
        read: The part that a group is, its columns read as these kinds.
        like: The kinds that are known, of features and of predictions.
        problems: What could not be read.
    """
    features, predictions = Profile(), Profile()
    for group in groups:
        part = read(group, *like)
        if _clash(features, part.features) or _clash(predictions, part.predictions):
            part = read(group, {**features.kinds, **like[0]}, {**predictions.kinds, **like[1]})
        features = table.merge(features, part.features)
        predictions = table.merge(predictions, part.predictions)
        problems.seen.update(part.problems.seen)
    return features, predictions


def _clash(whole: Profile, part: Profile) -> bool:
    """Whether a column has values of one kind in the whole and of another in the part."""
    return any(whole.kinds.get(name, kind) is not kind for name, kind in part.kinds.items())
