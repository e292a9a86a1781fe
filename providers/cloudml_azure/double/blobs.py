"""The blobs of the double's storage accounts: small ones in memory, others as files in its folder."""

from __future__ import annotations

import base64
import hashlib
import os
import random
import shutil
import threading
import uuid
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from cloudml.doubles.listening import http_date
from cloudml_azure.double.refusals import Refused
from cloudml_azure.double.wire import Part

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterable, Iterator, Mapping
    from datetime import datetime

PIECE = 1 << 20
SMALL_BYTES = 1 << 18
"""Content of no more is kept in memory."""
_chance = random.Random()  # noqa: S311  identifiers; those of `uuid` ask the kernel for each

Kept = bytes | Path
"""Content that does not change: itself, or the file that holds it."""


@dataclass(slots=True, kw_only=True)
class Blob:
    """One blob.

    Attributes:
        kind: ``BlockBlob`` or ``AppendBlob``.
        properties: Headers of its content by their small names, such as ``content-type``.
        blocks: What it was made of, if it was: the ids of blocks and their sizes, in order.
    """

    content: Kept
    size: int
    etag: str
    created: datetime
    modified: datetime
    kind: str = "BlockBlob"
    metadata: dict[str, str] = field(default_factory=dict)
    properties: dict[str, str] = field(default_factory=dict)
    blocks: list[tuple[str, int]] = field(default_factory=list)

    def part(self, start: int, length: int) -> bytes | Part:
        """A stretch of its content, as the body of an answer."""
        if isinstance(self.content, Path):
            return Part(self.content, start, length)
        return self.content if length == self.size else self.content[start : start + length]

    def read(self, start: int, length: int) -> bytes:
        """The same, in memory."""
        part = self.part(start, length)
        return part if isinstance(part, bytes) else part.read()


Condition = dict[str, str]


class Blobs:
    """The containers of one account.

    Args:
        folder: Where content is kept.
        now: The moment.
    """

    def __init__(self, folder: Path, now: Callable[[], datetime]) -> None:
        self._folder, self._now = folder, now
        self._lock = threading.RLock()
        self._containers: dict[str, dict[str, Blob]] = {}
        self._staged: dict[tuple[str, str, str], Kept] = {}
        folder.mkdir(parents=True, exist_ok=True)

    def containers(self) -> list[str]:
        with self._lock:
            return sorted(self._containers)

    def make(self, container: str) -> bool:
        """Make a container; whether it was not there."""
        with self._lock:
            if container in self._containers:
                return False
            self._containers[container] = {}
            return True

    def remove_container(self, container: str) -> None:
        with self._lock:
            self.container(container)
            del self._containers[container]

    def container(self, name: str) -> dict[str, Blob]:
        """Its blobs by name.

        Raises:
            Refused: There is no such container.
        """
        with self._lock:
            if name not in self._containers:
                raise Refused("ContainerNotFound", "The specified container does not exist.", 404)
            return self._containers[name]

    def names(self, container: str, prefix: str = "") -> list[str]:
        """The names that begin so, in order."""
        with self._lock:
            return sorted(name for name in self.container(container) if name.startswith(prefix))

    def find(self, container: str, name: str) -> Blob | None:
        with self._lock:
            return self.container(container).get(name)

    def need(self, container: str, name: str) -> Blob:
        """The blob.

        Raises:
            Refused: There is none.
        """
        found = self.find(container, name)
        if found is None:
            raise Refused("BlobNotFound", "The specified blob does not exist.", 404)
        return found

    def put(
        self,
        container: str,
        name: str,
        content: Kept | Blob | Iterable[Kept],
        *,
        condition: Callable[[Blob | None], None] = lambda _: None,
        **said: object,
    ) -> Blob:
        """Keep content under a name.

        Args:
            content: Itself, a file or a blob that has it, or several that have it one after the other.
            condition: Is shown the blob that is there, and raises what forbids to replace it.
            said: Further attributes of the blob.
        """
        kept = self._kept(content)
        now = self._now()
        with self._lock:
            blobs = self.container(container)
            old = blobs.get(name)
            try:
                condition(old)
            except Refused:
                _drop(kept)
                raise
            found = Blob(content=kept, size=_size(kept), etag=new_etag(), created=now, modified=now)
            for attribute, value in said.items():
                setattr(found, attribute, value)
            blobs[name] = found
            if old is not None:
                _drop(old.content)
        return found

    def append(self, container: str, name: str, content: bytes) -> Blob:
        """Add to the end; the blob comes into being with the first."""
        with self._lock:
            blob = self.find(container, name)
            if blob is None:
                text = {"content-type": "text/plain; charset=utf-8"}
                return self.put(container, name, content, kind="AppendBlob", properties=text)
            old = blob.content
            if isinstance(old, Path) and old.stat().st_nlink == 1:  # no copy shares it
                with old.open("ab") as file:
                    file.write(content)
            else:
                blob.content = self._kept([old, content])
                _drop(old)
            blob.size += len(content)
            blob.etag, blob.modified = new_etag(), self._now()
            return blob

    def read(self, container: str, name: str) -> bytes:
        """The content.

        Raises:
            Refused: There is no such blob.
        """
        with self._lock:
            return _read(self.need(container, name).content)

    def touch(self, blob: Blob) -> None:
        """A change of what is said about a blob."""
        blob.etag, blob.modified = new_etag(), self._now()

    def remove(self, container: str, name: str, condition: Callable[[Blob | None], None] = lambda _: None) -> None:
        """Forget a blob.

        Raises:
            Refused: There is none, or the condition forbids it.
        """
        with self._lock:
            blob = self.need(container, name)
            condition(blob)
            del self.container(container)[name]
            _drop(blob.content)

    def stage(self, container: str, name: str, block: str, content: bytes) -> None:
        """Keep a block that is not yet part of a blob.

        Raises:
            Refused: Its id is not as long as those of the others that wait.
        """
        self.container(container)
        if any(len(other) != len(block) for other in self.staged(container, name)):
            raise Refused("InvalidBlobOrBlock", "The specified blob or block content is invalid.")
        kept = self._kept(content)
        with self._lock:
            old = self._staged.pop((container, name, block), b"")
            self._staged[container, name, block] = kept
        _drop(old)

    def staged(self, container: str, name: str) -> dict[str, int]:
        """The blocks that wait, and their sizes."""
        with self._lock:
            return {block: _size(kept) for block, kept in self._waiting(container, name).items()}

    def commit(
        self,
        container: str,
        name: str,
        wanted: list[str],
        *,
        condition: Callable[[Blob | None], None] = lambda _: None,
        **said: object,
    ) -> Blob:
        """Make a blob of the *wanted* ones of the staged blocks, in that order, or of those that it is made of already.

        Raises:
            Refused: One is neither, or the condition forbids it.
        """
        with self._lock:
            waiting = self._waiting(container, name)
            committed = self._committed(container, name, {*wanted} - waiting.keys())
            there = {**committed, **waiting}
            try:
                if not {*wanted} <= there.keys():
                    raise Refused("InvalidBlockList", "The specified block list is invalid.")
                pieces = [there[block] for block in wanted]
                blocks = [(block, _size(piece)) for block, piece in zip(wanted, pieces, strict=True)]
                found = self.put(container, name, pieces, condition=condition, blocks=blocks, **said)
            finally:
                for piece in committed.values():
                    _drop(piece)
            for block, piece in waiting.items():
                del self._staged[container, name, block]
                _drop(piece)
        return found

    def _waiting(self, container: str, name: str) -> dict[str, Kept]:
        return {key[2]: kept for key, kept in self._staged.items() if key[:2] == (container, name)}

    def _committed(self, container: str, name: str, wanted: Container[str]) -> dict[str, Kept]:
        """Those of the blocks of the blob that is there, each by itself."""
        blob, found, at = self.find(container, name), dict[str, Kept](), 0
        if blob is not None:
            for block, size in blob.blocks:
                if block in wanted:
                    found[block] = self._kept(blob.read(at, size))
                at += size
        return found

    def fetch(self, container: str, prefix: str, folder: Path) -> int:
        """Lay everything below a prefix into a folder; how many files."""
        stem = f"{prefix.strip('/')}/" if prefix.strip("/") else ""
        count = 0
        for name in self.names(container, stem):
            relative = name.removeprefix(stem)
            if relative and not relative.endswith("/"):
                self.fetch_one(container, name, folder / relative)
                count += 1
        return count

    def fetch_one(self, container: str, name: str, target: Path) -> None:
        target.parent.mkdir(parents=True, exist_ok=True)
        with self._lock:
            content = self.need(container, name).content
            if isinstance(content, Path):
                shutil.copyfile(content, target)
            else:
                target.write_bytes(content)

    def send(self, folder: Path, container: str, prefix: str) -> None:
        """Keep every file of a folder below a prefix."""
        for file in files_of(folder):
            name = f"{prefix.strip('/')}/{file.relative_to(folder).as_posix()}"
            self.put(container, name.lstrip("/"), file, properties={"content-type": "application/octet-stream"})

    def _file(self) -> Path:
        return self._folder / f"{_chance.getrandbits(128):032x}"

    def _kept(self, content: Kept | Blob | Iterable[Kept]) -> Kept:
        """The same content, kept by itself."""
        if isinstance(content, Blob):
            return self._shared(content.content)
        pieces = [content] if isinstance(content, Kept) else list(content)
        if sum(map(_size, pieces)) <= SMALL_BYTES:
            return _read(pieces[0]) if len(pieces) == 1 else b"".join(map(_read, pieces))
        file = self._file()
        with file.open("wb") as whole:
            for piece in pieces:
                if isinstance(piece, Path):
                    with piece.open("rb") as part:
                        shutil.copyfileobj(part, whole, PIECE)
                else:
                    whole.write(piece)
        return file

    def _shared(self, content: Kept) -> Kept:
        """What a blob's copy has: the same in memory, or the same file under another name."""
        if not isinstance(content, Path):
            return content
        file = self._file()
        try:
            os.link(content, file)
        except FileNotFoundError:
            raise Refused("BlobNotFound", "The specified blob does not exist.", 404) from None  # removed meanwhile
        except OSError:  # there are file systems without
            shutil.copyfile(content, file)
        return file


def _size(kept: Kept) -> int:
    return kept.stat().st_size if isinstance(kept, Path) else len(kept)


def _read(kept: Kept) -> bytes:
    return kept.read_bytes() if isinstance(kept, Path) else kept


def _drop(kept: Kept) -> None:
    if isinstance(kept, Path):
        kept.unlink(missing_ok=True)


def files_of(folder: Path) -> Iterator[Path]:
    """All files below a folder, in order."""
    return iter(sorted(path for path in folder.rglob("*") if path.is_file()))


def new_etag() -> str:
    return f'"0x8{_chance.getrandbits(56):014X}"'


def new_id() -> str:
    """An id of a request or a copy."""
    return str(uuid.UUID(int=_chance.getrandbits(128)))


def stamp(moment: datetime) -> str:
    """A moment as headers have it."""
    return http_date(int(moment.timestamp()))


def md5(content: bytes) -> str:
    return base64.b64encode(hashlib.md5(content, usedforsecurity=False).digest()).decode()


def conditions(headers: Mapping[str, str]) -> Callable[[Blob | None], None]:
    """What If-Match and If-None-Match ask of the blob that is to be replaced or removed."""
    match, none_match = headers.get("if-match"), headers.get("if-none-match")

    def check(there: Blob | None) -> None:
        if none_match == "*" and there is not None:
            raise Refused("BlobAlreadyExists", "The specified blob already exists.", 409)
        if match and (there is None or match not in {"*", there.etag}):
            raise unmet()
        if none_match and there is not None and none_match == there.etag:
            raise unmet()

    return check


def unmet() -> Refused:
    return Refused("ConditionNotMet", "The condition specified using HTTP conditional header(s) is not met.", 412)
