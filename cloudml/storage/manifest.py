"""What a dataset consists of: names, sizes and digests of its files."""

from __future__ import annotations

import hashlib
import json
import unicodedata
from dataclasses import field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from cloudml.errors import SpecError
from cloudml.records import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterable

    from cloudml.storage.digests import Mark

FORMAT = "cloudml-manifest/1"

REMOTE = "remote-"
"""How the digest of a file begins that was not read: SHA-256 of what its server says of it (size and entity tag)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One file.

    Attributes:
        path: Its name inside the dataset, with ``/`` between folders, in Unicode's composed form (NFC).
        size: In bytes.
        digest: SHA-256 of its bytes in hexadecimal; of a file of more than 64 MiB that of its pieces, with their number
            behind it (`cloudml.storage.pieces`); of a remote file `REMOTE` and SHA-256 of size and entity tag.
        source: Where it lies: an absolute path, or a URL, which may be a signed one: not for messages. No part of its
            identity.
        mark: By what a local file is known to be still the one whose digest this is, as `digests.mark`; None where only
            reading it tells. No part of its identity.
        pieces: The SHA-256 of each of its pieces; empty where the file is not divided, or there is no mark. No part of
            its identity.
    """

    path: str
    size: int
    digest: str
    source: str = field(default="", compare=False, repr=False)
    mark: Mark | None = field(default=None, compare=False, repr=False)
    pieces: tuple[bytes, ...] = field(default=(), compare=False, repr=False)

    @property
    def remote(self) -> bool:
        return self.digest.startswith(REMOTE)


@dataclass(frozen=True)
class Manifest:
    """The files of a dataset, sorted by name.

    Raises:
        SpecError: A name cannot be used everywhere, or two files have the same.
    """

    entries: tuple[Entry, ...]
    location: str = field(default="", compare=False, repr=False)

    def __post_init__(self) -> None:
        for entry in self.entries:
            check(entry.path)
        refuse_twins(self.entries)
        object.__setattr__(self, "entries", tuple(sorted(self.entries, key=lambda entry: entry.path)))

    @property
    def size(self) -> int:
        """Of all files together, in bytes."""
        return sum(entry.size for entry in self.entries)

    @cached_property
    def hash(self) -> str:
        """SHA-256, in hexadecimal, over the sorted names and digests: the same on every machine."""
        return sha256_of_json([[entry.path, entry.digest] for entry in self.entries])


def sha256_of_json(value: Any) -> str:
    text = json.dumps(value, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode("utf-8")).hexdigest()


def composed(name: str) -> str:
    """*name* in NFC: one file system gives back "é" as one character, another as two."""
    return unicodedata.normalize("NFC", name)


def fault(name: str) -> str:
    """Why *name* cannot be an object's name in every store; empty when it can."""
    if not name or any(part in ("", ".", "..") for part in name.split("/")):
        return "has an empty part, `.` or `..`"
    if not name.isprintable() and any(unicodedata.category(character) in ("Cc", "Cs") for character in name):
        return "holds a control character, or bytes that are no text"
    return ""


def check(name: str) -> None:
    """Refuse a name that not every store and file system can hold.

    Raises:
        SpecError: With the reason.
    """
    if reason := fault(name):
        raise SpecError(f"the file name {name!r} {reason}", hint="rename the file")


def refuse_twins(entries: Iterable[Entry]) -> None:
    seen: dict[str, Entry] = {}
    for entry in entries:
        twin = seen.setdefault(entry.path, entry)
        if twin is not entry:
            raise SpecError(
                f"two files of the dataset have the name `{entry.path}`",
                hint="names that are spelt alike in composed Unicode (NFC) are one name; rename one of them",
            )


def document(manifest: Manifest, identity: str) -> bytes:
    """*manifest* as it lies in a store; *identity* is the hash of the manifest that was asked for."""
    # What json.dumps writes with indent=0, which it writes without its fast encoder.
    text = json.JSONEncoder(ensure_ascii=False).encode
    files = ",\n".join(
        f'{{\n"path": {text(entry.path)},\n"size": {entry.size},\n"digest": {text(entry.digest)}\n}}'
        for entry in manifest.entries
    )
    listed = f"[\n{files}\n]" if files else "[]"
    return f'{{\n"format": "{FORMAT}",\n"hash": {text(identity)},\n"files": {listed}\n}}'.encode()


def parsed(content: bytes) -> tuple[str, Manifest] | None:
    """The identity and the manifest in a document of `document`; None when it is none."""
    try:
        read = json.loads(content)
    except ValueError:
        return None
    if not isinstance(read, dict) or read.get("format") != FORMAT:
        return None
    entries = tuple(Entry(path=item["path"], size=item["size"], digest=item["digest"]) for item in read["files"])
    return read["hash"], Manifest(entries)
