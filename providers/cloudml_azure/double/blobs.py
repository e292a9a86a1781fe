"""The blobs of the double's storage accounts, as files in its folder."""

from __future__ import annotations

import base64
import hashlib
import shutil
import threading
import uuid
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from cloudml_azure.double.refusals import Refused

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from datetime import datetime

PIECE = 1 << 20


@dataclass(slots=True, kw_only=True)
class Blob:
    """One blob.

    Attributes:
        file: Holds its content.
        kind: ``BlockBlob`` or ``AppendBlob``.
        properties: Headers of its content by their small names, such as ``content-type``.
        blocks: What it was made of, if it was: the ids of blocks and their sizes, in order.
    """

    file: Path
    size: int
    etag: str
    created: datetime
    modified: datetime
    kind: str = "BlockBlob"
    metadata: dict[str, str] = field(default_factory=dict)
    properties: dict[str, str] = field(default_factory=dict)
    blocks: list[tuple[str, int]] = field(default_factory=list)


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
        self._staged: dict[tuple[str, str, str], Path] = {}
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
        content: bytes | Path | Iterable[Path],
        *,
        condition: Callable[[Blob | None], None] = lambda _: None,
        **said: object,
    ) -> Blob:
        """Keep content under a name; of files, all in their order.

        Args:
            condition: Is shown the blob that is there, and raises what forbids to replace it.
            said: Further attributes of the blob.
        """
        file = self._file()
        self._write(file, content)
        now = self._now()
        with self._lock:
            blobs = self.container(container)
            old = blobs.get(name)
            try:
                condition(old)
            except Refused:
                file.unlink()
                raise
            found = Blob(file=file, size=file.stat().st_size, etag=new_etag(), created=now, modified=now)
            for attribute, value in said.items():
                setattr(found, attribute, value)
            blobs[name] = found
            if old is not None:
                old.file.unlink(missing_ok=True)
        return found

    def append(self, container: str, name: str, content: bytes) -> Blob:
        """Add to the end; the blob comes into being with the first."""
        with self._lock:
            blob = self.find(container, name)
            if blob is None:
                text = {"content-type": "text/plain; charset=utf-8"}
                return self.put(container, name, content, kind="AppendBlob", properties=text)
            with blob.file.open("ab") as file:
                file.write(content)
            blob.size += len(content)
            blob.etag, blob.modified = new_etag(), self._now()
            return blob

    def read(self, container: str, name: str) -> bytes:
        """The content.

        Raises:
            Refused: There is no such blob.
        """
        with self._lock:
            blob = self.need(container, name)
            with blob.file.open("rb") as file:
                return file.read(blob.size)

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
            blob.file.unlink(missing_ok=True)

    def stage(self, container: str, name: str, block: str, content: bytes) -> None:
        """Keep a block that is not yet part of a blob.

        Raises:
            Refused: Its id is not as long as those of the others that wait.
        """
        self.container(container)
        if any(len(other) != len(block) for other in self.staged(container, name)):
            raise Refused("InvalidBlobOrBlock", "The specified blob or block content is invalid.")
        file = self._file()
        file.write_bytes(content)
        with self._lock:
            old = self._staged.pop((container, name, block), None)
            self._staged[container, name, block] = file
        if old is not None:
            old.unlink()

    def staged(self, container: str, name: str) -> dict[str, int]:
        """The blocks that wait, and their sizes."""
        with self._lock:
            found = [(key[2], file) for key, file in self._staged.items() if key[:2] == (container, name)]
            return {block: file.stat().st_size for block, file in found}

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
            there = self._committed(container, name)
            try:
                files = [self._staged.get((container, name, block)) or there[block] for block in wanted]
            except KeyError as error:
                raise Refused("InvalidBlockList", "The specified block list is invalid.") from error
            blocks = [(block, file.stat().st_size) for block, file in zip(wanted, files, strict=True)]
            found = self.put(container, name, files, condition=condition, blocks=blocks, **said)
            for key in [key for key in self._staged if key[:2] == (container, name)]:
                self._staged.pop(key).unlink()
            for file in there.values():
                file.unlink()
        return found

    def _committed(self, container: str, name: str) -> dict[str, Path]:
        """The blocks of the blob that is there, each copied to a file."""
        blob, found = self.find(container, name), {}
        if blob is not None and blob.blocks:
            with blob.file.open("rb") as whole:
                for block, size in blob.blocks:
                    found[block] = self._file()
                    found[block].write_bytes(whole.read(size))
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
            shutil.copyfile(self.need(container, name).file, target)

    def send(self, folder: Path, container: str, prefix: str) -> None:
        """Keep every file of a folder below a prefix."""
        for file in files_of(folder):
            name = f"{prefix.strip('/')}/{file.relative_to(folder).as_posix()}"
            self.put(container, name.lstrip("/"), file, properties={"content-type": "application/octet-stream"})

    def _file(self) -> Path:
        return self._folder / uuid.uuid4().hex

    def _write(self, file: Path, content: bytes | Path | Iterable[Path]) -> None:
        if isinstance(content, bytes):
            file.write_bytes(content)
        elif isinstance(content, Path):
            shutil.copyfile(content, file)
        else:
            with file.open("wb") as whole:
                for piece in content:
                    with piece.open("rb") as part:
                        shutil.copyfileobj(part, whole, PIECE)


def files_of(folder: Path) -> Iterator[Path]:
    """All files below a folder, in order."""
    return iter(sorted(path for path in folder.rglob("*") if path.is_file()))


def new_etag() -> str:
    return f'"0x8{uuid.uuid4().hex[:14].upper()}"'


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
