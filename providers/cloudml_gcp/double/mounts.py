"""The buckets as containers see them: folders below /gcs, as Cloud Storage FUSE lays them out.

What is written to a bucket appears in the folder at once. What a container writes goes to the bucket when the file has
rested for a moment, and at the latest when the container ends; what it removes goes from the bucket then too. Locks,
appending and renaming are those of a file system, which is more than FUSE gives.
"""

from __future__ import annotations

import shutil
import threading
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from cloudml_gcp.double.objects import Objects

ROOT = "/gcs"


@dataclass(frozen=True, slots=True)
class Look:
    """What a file looked like: another look means other content."""

    size: int
    moment: int


class Mount:
    """The folders of all buckets of one double.

    Args:
        folder: What containers see at /gcs.
    """

    def __init__(self, objects: Objects, folder: Path) -> None:
        self._objects, self.folder = objects, folder
        self._lock = threading.RLock()
        self._known: dict[tuple[str, str], Look] = {}
        self._resting: dict[tuple[str, str], Look] = {}
        self._in_use = False
        objects.watchers.append(self._changed)

    def use(self) -> None:
        """Lay out everything, the first time that a container needs it."""
        with self._lock:
            for bucket in self._objects.buckets():
                (self.folder / bucket.name).mkdir(parents=True, exist_ok=True)
            if self._in_use:
                return
            self._in_use = True
            for bucket in self._objects.buckets():
                for name in self._objects.names(bucket.name):
                    self._changed(bucket.name, name)

    def gather(self, *, whole: bool = False) -> None:
        """Bring to the buckets what containers have changed.

        Args:
            whole: Also files that were written a moment ago.
        """
        with self._lock:
            found = self._looks()
            for place, look in sorted(found.items()):
                if self._known.get(place) != look and (whole or self._resting.get(place) == look):
                    self._send(place, look)
            self._resting = found
            for place in [place for place in self._known if place not in found]:
                del self._known[place]
                with suppress(LookupError):
                    self._forget(place)

    def close(self) -> None:
        self._objects.watchers.remove(self._changed)
        shutil.rmtree(self.folder, ignore_errors=True)

    def _looks(self) -> dict[tuple[str, str], Look]:
        found = {}
        for bucket in self._objects.buckets():
            base = self.folder / bucket.name
            for path in base.rglob("*"):
                with suppress(OSError):  # it was removed a moment ago
                    if path.is_file() and not path.is_symlink():
                        state = path.stat()
                        name = path.relative_to(base).as_posix()
                        found[bucket.name, name] = Look(state.st_size, state.st_mtime_ns)
        return found

    def _send(self, place: tuple[str, str], look: Look) -> None:
        bucket, name = place
        with suppress(FileNotFoundError):
            content = (self.folder / bucket / name).read_bytes()
            self._known[place] = look
            stored = self._objects.live(bucket, name)
            if stored is None or stored.content != content:
                self._objects.put(bucket, name, content)

    def _forget(self, place: tuple[str, str]) -> None:
        if self._objects.live(*place) is not None:
            self._objects.delete(*place)

    def _changed(self, bucket: str, name: str) -> None:
        """A bucket has changed: so does the folder, unless the change came from there."""
        with self._lock:
            if not self._in_use or self._objects.bucket(bucket).own or not _is_file(name):
                return
            stored = self._objects.live(bucket, name)
            path = self.folder / bucket / name
            if stored is None:
                self._known.pop((bucket, name), None)
                with suppress(OSError):
                    path.unlink()
                return
            with suppress(OSError):  # a file and a folder of one name: FUSE shows one of them as well
                if path.is_file() and path.read_bytes() == stored.content:
                    return
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(stored.content)
                state = path.stat()
                self._known[bucket, name] = Look(state.st_size, state.st_mtime_ns)


def _is_file(name: str) -> bool:
    """Whether an object's name can be a file's."""
    parts = name.split("/")
    return not any(part in {"", ".", ".."} for part in parts) and "\0" not in name
