"""From a dataset's `path` to its manifest."""

from __future__ import annotations

import os
from difflib import get_close_matches
from itertools import islice
from pathlib import Path
from stat import S_ISREG
from time import time_ns
from typing import TYPE_CHECKING

from cloudml.errors import SpecError
from cloudml.progress import SILENT, Meter
from cloudml.records import dataclass
from cloudml.storage import patterns, pieces, remote
from cloudml.storage.digests import changed, mark, settled, sha256, sha256_of_piece, stamp, unreadable
from cloudml.storage.locations import is_remote, local
from cloudml.storage.manifest import Entry, Manifest, check, composed
from cloudml.storage.parallel import each

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from cloudml.progress import Progress
    from cloudml.storage.digests import DigestCache, Stamp

READERS = 4
WHOLE = -1
"""The place of what is no piece."""

LOOKED_AT = 5000
"""How many files are looked at for the nearest name."""

Inode = tuple[int, int]
"""Device and inode of a folder."""


def scan(location: str, root: Path, cache: DigestCache | None = None, progress: Progress = SILENT) -> Manifest:
    """The manifest of the files that *location* means.

    What a path means is told in `cloudml.storage.patterns`. Links are followed. A name inside the dataset is relative
    to the fixed part: ``data/*.parquet`` gives ``a.parquet``. Remote files are listed, not read.

    Args:
        location: A path relative to *root* or absolute, or a URL (s3, gs, az, https).
        root: The project's folder.
        cache: Digests of files that were read before.
        progress: Told of the bytes that are read.

    Raises:
        SpecError: Nothing matches, a link leads nowhere or into itself, a file cannot be read or changed meanwhile.
        ProviderError: A remote store does not answer.
    """
    if is_remote(location):
        return Manifest(tuple(remote.entries(location)), location)
    files = list(_found(location, root))
    if not files:
        raise _nothing(location, root)
    for name, _ in files:
        check(name)
    seen = {path: _looked_at(path) for _, path in files}
    began = time_ns()
    known, found = _digests({path: stamp(status) for path, status in seen.items()}, cache, began, progress)

    def entry(name: str, path: str) -> Entry:
        status = seen[path]
        reckoned = found.get(path)
        # A digest that was remembered is that of a file with the same stamp: reading it tells whether it is its own.
        if reckoned is None or not settled(max(status.st_mtime_ns, status.st_ctime_ns), began):
            digest = reckoned.digest if reckoned else known[path]
            return Entry(path=name, size=status.st_size, digest=digest, source=path)
        return Entry(
            path=name, size=status.st_size, digest=reckoned.digest, source=path,
            mark=mark(status), pieces=reckoned.pieces,
        )  # fmt: skip

    return Manifest(tuple(entry(name, path) for name, path in files), location)


def _found(location: str, root: Path) -> Iterator[tuple[str, str]]:
    """Names inside the dataset and absolute paths."""
    path = root / (local(location) or location)
    if path.is_file():
        return iter([(composed(path.name), str(path.absolute()))])
    if path.is_dir():
        return _below(path.absolute(), (), patterns.start(()), "", frozenset())
    fixed, pattern = patterns.split(str(local(location)))
    folder = (root / fixed).absolute()
    if not pattern or not folder.is_dir():
        return iter(())
    return _below(folder, pattern, patterns.start(pattern), "", frozenset())


def _below(
    folder: Path, pattern: Sequence[str], states: patterns.States, prefix: str, above: frozenset[Inode]
) -> Iterator[tuple[str, str]]:
    try:
        status = folder.stat()
        inside = sorted(os.scandir(folder), key=lambda item: item.name)
    except OSError as error:
        raise unreadable(folder, error) from error
    here = (status.st_dev, status.st_ino)
    if here in above:
        raise SpecError(f"`{folder}` is a link to a folder that it lies in", hint="remove the link")
    for item in inside:
        reached = frozenset[int]() if patterns.skipped(item.name) else patterns.step(states, item.name, pattern)
        if not reached:
            continue
        name = f"{prefix}{composed(item.name)}"
        if item.is_dir():
            yield from _below(Path(item.path), pattern, reached, f"{name}/", above | {here})
        elif patterns.matched(reached, pattern):
            yield name, item.path


def _looked_at(path: str) -> os.stat_result:
    try:
        status = os.stat(path)  # noqa: PTH116 - hot: once for each file of a dataset
    except FileNotFoundError:
        raise SpecError(f"`{path}` is a link that leads nowhere", hint="remove it, or bring back its target") from None
    except OSError as error:
        raise unreadable(path, error) from error
    if not S_ISREG(status.st_mode):
        raise SpecError(f"`{path}` is no regular file", hint="a dataset consists of files")
    return status


@dataclass(frozen=True, slots=True)
class _Reckoned:
    """The digest of a file, and the SHA-256 of each of its pieces if it is divided."""

    digest: str
    pieces: tuple[bytes, ...] = ()


def _digests(
    stamps: dict[str, Stamp], cache: DigestCache | None, began: int, progress: Progress
) -> tuple[dict[str, str], dict[str, _Reckoned]]:
    """The digests that were remembered, and those of the files that were read."""
    known = cache.known(stamps) if cache else {}
    unknown = [path for path in stamps if path not in known]
    meter = Meter(progress, sum(stamps[path].size for path in unknown), "reading")
    found = _reckoned({path: stamps[path] for path in unknown}, meter)
    if cache:
        cache.keep(((path, stamps[path], found[path].digest) for path in unknown), began)
    return known, found


def _reckoned(stamps: dict[str, Stamp], meter: Meter) -> dict[str, _Reckoned]:
    """The digests of files, each thread at a file or at a piece of a large one."""

    def read(wanted: tuple[str, int, int]) -> str | bytes:
        path, place, size = wanted
        if place == WHOLE:
            return sha256(path, size, meter.add)
        return sha256_of_piece(path, place, size, meter.add)

    wanted = [one for path, seen in stamps.items() for one in _wanted(path, seen.size)]
    pieces_of: dict[str, list[bytes]] = {}
    found: dict[str, _Reckoned] = {}
    for (path, _, _), digest in zip(wanted, each(read, wanted, workers=READERS, stop=meter.stop), strict=True):
        if isinstance(digest, str):
            found[path] = _Reckoned(digest)
        else:
            pieces_of.setdefault(path, []).append(digest)
    for path, digests in pieces_of.items():
        if stamp(_looked_at(path)) != stamps[path]:
            raise changed(path)
        found[path] = _Reckoned(pieces.composite(digests), tuple(digests))
    return found


def _wanted(path: str, size: int) -> Iterator[tuple[str, int, int]]:
    """What is to be read of a file: all of it, or each piece with its place and size."""
    if size <= pieces.LARGE_BYTES:
        yield path, WHOLE, size
        return
    places = range(0, size, pieces.piece_bytes(size))
    yield from ((path, place, length) for place, length in zip(places, pieces.sizes(size), strict=True))


def _nothing(location: str, root: Path) -> SpecError:
    path = root / (local(location) or location)
    if path.is_dir():
        return SpecError(
            f"the folder `{location}` holds no file",
            hint="hidden files and `_cloudml` do not count; put files there, or name another folder",
        )
    near = _nearest(path, root)
    return SpecError(
        f"`{location}` matches no file" if patterns.has_magic(location) else f"`{location}` does not exist",
        hint=f"the nearest file is `{near}`" if near else f"paths are relative to {root}",
    )


def _nearest(path: Path, root: Path) -> str:
    """The existing file that is spelt most like *path*, below the nearest folder that exists; empty when none is."""
    folder = next(parent for parent in path.absolute().parents if parent.is_dir())
    files = [_relative(file, root) for file in islice(_visible(folder), LOOKED_AT)]
    return next(iter(get_close_matches(_relative(path.absolute(), root), files, n=1, cutoff=0.3)), "")


def _visible(folder: Path) -> Iterator[Path]:
    for parent, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if not patterns.skipped(name))
        yield from (Path(parent, name) for name in sorted(files) if not patterns.skipped(name))


def _relative(path: Path, root: Path) -> str:
    base = root.absolute()
    return path.relative_to(base).as_posix() if path.is_relative_to(base) else path.as_posix()
