"""Sending files to a store, each content once.

An entry of the manifest becomes two objects: ``blobs/<digest[:2]>/<digest>``, which is sent, and ``<prefix>/<path>``,
which the store copies from it: one request each, or one for many names where its cloud has that. The manifest comes
last. So an interrupted push leaves blobs that the next one finds, and a folder without manifest, which counts as not
there.
"""

from __future__ import annotations

from dataclasses import field
from itertools import groupby
from typing import TYPE_CHECKING

from cloudml.errors import NotFoundError
from cloudml.progress import SILENT, Meter
from cloudml.records import dataclass
from cloudml.storage import blobs, files, origins
from cloudml.storage.copies import Waiting, together
from cloudml.storage.manifest import Entry, Manifest, document
from cloudml.storage.parallel import Room, each
from cloudml.storage.pieces import LARGE_BYTES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from cloudml.progress import Progress
    from cloudml.storage.store import Storage

ROOM_BYTES = 96 << 20
"""How much of all files that are on their way is in memory."""


@dataclass(frozen=True, slots=True)
class Pushed:
    """What a push did.

    Attributes:
        uploaded: How many contents travelled.
        copied: How many files the store made from contents that it has.
        skipped: How many files needed no sending: their content was there, or is that of another file.
        bytes: How many travelled; of a large content, what an earlier push had not sent.
    """

    uploaded: int = 0
    copied: int = 0
    skipped: int = 0
    bytes: int = 0


@dataclass(frozen=True, slots=True)
class Sent:
    """What became of the files of one content.

    Attributes:
        uploaded: How many bytes travelled; None where none had to.
    """

    entries: tuple[Entry, ...]
    uploaded: int | None
    copied: int


def push(storage: Storage, manifest: Manifest, prefix: str, progress: Progress) -> Pushed:
    """As `Storage.push`."""
    there = storage.stored(prefix)
    meter = Meter(progress, manifest.size, f"sending {prefix}")
    if storage.folder:
        files.tidy(storage.folder)
    if there and there[0] == manifest.hash:
        meter.add(manifest.size)
        return Pushed(skipped=len(manifest.entries))
    if there:
        storage.remove([f"{prefix}.json"])
    placed = {entry.path: entry.digest for entry in there[1].entries} if there else {}
    others = left_over(storage, prefix, manifest, there[1] if there else None)
    settled: list[tuple[Entry, ...]] = []
    wanting: list[tuple[Entry, ...]] = []
    for same in by_content(manifest):
        (wanting if missing(same, placed) else settled).append(same)
    meter.add(sum(entry.size for same in settled for entry in same))
    names = Waiting[Entry](together(storage.copies, sum(map(len, wanting)), storage.workers))
    sender = Sender(storage, prefix, placed, meter, names, known(storage, wanting))
    sent = [Sent(same, uploaded=None, copied=0) for same in settled]
    sent += each(sender.send, wanting, workers=storage.workers, stop=meter.stop)
    each(sender.name, names.rest(), workers=storage.workers, stop=meter.stop)
    if others:
        storage.remove(others)
    entries = tuple(entry for one in sent for entry in one.entries)
    storage.write(f"{prefix}.json", document(Manifest(entries), manifest.hash))
    return summary(sent)


def known(storage: Storage, wanting: list[tuple[Entry, ...]]) -> Mapping[str, int] | None:
    """What is known of the store's blobs before anything is sent, as `blobs.sizes`."""
    return blobs.sizes(storage, [same[0] for same in wanting if not same[0].remote])


def missing(same: tuple[Entry, ...], placed: Mapping[str, str]) -> list[Entry]:
    """The files of one content that do not lie below the prefix already."""
    return [entry for entry in same if placed.get(entry.path) != entry.digest]


def by_content(manifest: Manifest) -> list[tuple[Entry, ...]]:
    """Entries of equal content together, large ones first: they take longest."""
    ordered = sorted(manifest.entries, key=lambda entry: (-entry.size, entry.digest, entry.path))
    return [tuple(same) for _, same in groupby(ordered, key=lambda entry: entry.digest)]


def summary(sent: list[Sent]) -> Pushed:
    return Pushed(
        uploaded=sum(one.uploaded is not None for one in sent),
        copied=sum(one.copied for one in sent),
        skipped=sum(len(one.entries) - (one.uploaded is not None) for one in sent),
        bytes=sum(one.uploaded or 0 for one in sent),
    )


def left_over(storage: Storage, prefix: str, manifest: Manifest, before: Manifest | None) -> list[str]:
    """What earlier pushes left below *prefix* that is no part of *manifest*.

    Where a manifest was, that of *before*, the folder held its files and nothing else: it need not be listed.
    """
    wanted = {f"{prefix}/{entry.path}" for entry in manifest.entries}
    if before:
        return [path for entry in before.entries if (path := f"{prefix}/{entry.path}") not in wanted]
    return [listed.path for listed in storage.list(prefix) if listed.path not in wanted]


@dataclass(frozen=True, slots=True)
class Sender:
    """Sends the files of one push.

    Attributes:
        placed: Digests of the files that are known to lie below the prefix.
        names: The files whose content is there, and whose names are not yet.
        known: What is known of the store's blobs, as of `blobs.sizes`.
        room: The memory of all files that are on their way.
    """

    storage: Storage
    prefix: str
    placed: Mapping[str, str]
    meter: Meter
    names: Waiting[Entry]
    known: Mapping[str, int] | None = None
    room: Room = field(default_factory=lambda: Room(ROOM_BYTES))

    def send(self, entries: tuple[Entry, ...]) -> Sent:
        """Bring one content, and give it its names."""
        with self.room.of(blobs.room(self.storage, entries[0].size)):
            if entries[0].remote:
                entries, uploaded = origins.bring(self.storage, entries, self.meter)
            else:
                uploaded = blobs.upload(self.storage, entries[0], self.meter, self.known)
        copies = missing(entries, self.placed)
        if self.names.enough > 1 and entries[0].size <= LARGE_BYTES:
            for group in self.names.add(copies):
                self._name_together(group)
        else:
            for entry in copies:
                self.name(entry)
        self.meter.add((len(entries) - 1) * entries[0].size)
        return Sent(entries, uploaded=uploaded, copied=len(copies))

    def name(self, entry: Entry) -> None:
        """Give one file its name."""
        target = f"{self.prefix}/{entry.path}"
        try:
            blobs.copy(self.storage, entry, target)
        except NotFoundError:
            # Swept since it was looked at.
            blobs.upload(self.storage, entry, Meter(SILENT, None, "sending"))
            blobs.copy(self.storage, entry, target)

    def _name_together(self, entries: Sequence[Entry]) -> None:
        assert self.storage.copies is not None
        pairs = [(blobs.blob(entry.digest), f"{self.prefix}/{entry.path}") for entry in entries]
        for entry, refusal in zip(entries, self.storage.copies.copy(pairs), strict=True):
            if isinstance(refusal, NotFoundError):
                self.name(entry)
            elif refusal is not None:
                raise refusal
