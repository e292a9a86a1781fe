"""Cloud Storage of the double: buckets, objects and their generations, preconditions; every front asks here."""

from __future__ import annotations

import base64
import hashlib
import itertools
import re
import struct
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from cloudml_gcp.double.refusals import Refused

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from datetime import datetime

    from cloudml.doubles.clock import Clock

KEPT = (
    "metadata", "contentType", "cacheControl", "contentEncoding", "contentDisposition", "contentLanguage", "customTime",
)  # fmt: skip
"""What an object takes over from the request that makes or patches it."""
NAME = re.compile(r"[a-z0-9][a-z0-9._-]{1,220}[a-z0-9]")
LONGEST_NAME = 1024


def when(moment: datetime) -> str:
    """A timestamp of UTC as Google writes it."""
    return f"{moment.replace(tzinfo=None).isoformat(timespec='microseconds')}Z"


@dataclass(slots=True, kw_only=True)
class Stored:
    """One generation of an object.

    Attributes:
        md5: Empty where it was put together of others, or of parts: Google has none of such an object.
    """

    bucket: str
    name: str
    content: bytes
    generation: int
    created: datetime
    meta: dict[str, Any]
    metageneration: int = 1
    updated: datetime | None = None
    gone: datetime | None = None
    md5: str = ""
    crc32c: str = ""

    @property
    def etag(self) -> str:
        return base64.b64encode(f"{self.generation}/{self.metageneration}".encode()).decode()

    def resource(self) -> dict[str, Any]:
        """As the JSON API shows it."""
        found = {
            "kind": "storage#object",
            "id": f"{self.bucket}/{self.name}/{self.generation}",
            "name": self.name,
            "bucket": self.bucket,
            "generation": str(self.generation),
            "metageneration": str(self.metageneration),
            "contentType": "application/octet-stream",
            **self.meta,
            "storageClass": "STANDARD",
            "size": str(len(self.content)),
            **({"md5Hash": self.md5} if self.md5 else {}),
            "crc32c": self.crc32c,
            "etag": self.etag,
            "timeCreated": when(self.created),
            "updated": when(self.updated or self.created),
        }
        return {**found, "timeDeleted": when(self.gone)} if self.gone else found


@dataclass(slots=True, kw_only=True)
class Bucket:
    """A bucket.

    Attributes:
        own: It belongs to Google: nobody lists it, but the double's containers read it.
    """

    name: str
    meta: dict[str, Any]
    own: bool = False
    objects: dict[str, list[Stored]] = field(default_factory=dict)


class Objects:
    """All buckets of one double; safe for threads.

    Args:
        about: What every bucket says of itself, such as its location.
    """

    def __init__(self, clock: Clock, about: Mapping[str, Any]) -> None:
        self._clock, self._about = clock, dict(about)
        self.lock = threading.RLock()
        self._buckets: dict[str, Bucket] = {}
        self._generations = itertools.count(int(clock.now().timestamp() * 1_000_000))
        self.watchers: list[Callable[[str, str], None]] = []
        """Told of each object that was written or removed, when nobody holds the lock for that."""

    def make(self, name: str, *, own: bool = False, **said: Any) -> Bucket:
        """Make a bucket.

        Raises:
            Refused: The name is taken, or can be none.
        """
        with self.lock:
            if name in self._buckets:
                text = "Your previous request to create the named bucket succeeded and you already own it."
                raise Refused("conflict", text, status=409)
            if not NAME.fullmatch(name):
                raise Refused("invalid", f"Invalid bucket name: '{name}'", status=400)
            now = when(self._clock.now())
            meta = {**self._about, "timeCreated": now, "updated": now, "metageneration": "1", **said}
            self._buckets[name] = Bucket(name=name, meta=meta, own=own)
            return self._buckets[name]

    def buckets(self) -> list[Bucket]:
        with self.lock:
            return [one for _, one in sorted(self._buckets.items()) if not one.own]

    def bucket(self, name: str) -> Bucket:
        """The bucket of that name.

        Raises:
            Refused: There is none.
        """
        found = self._buckets.get(name)
        if found is None:
            raise Refused("notFound", "The specified bucket does not exist.", status=404)
        return found

    def has(self, name: str) -> bool:
        return name in self._buckets

    def remove(self, name: str) -> None:
        """Remove a bucket.

        Raises:
            Refused: There is none, or it is not empty.
        """
        with self.lock:
            if any(self.bucket(name).objects.values()):
                raise Refused("conflict", "The bucket you tried to delete is not empty.", status=409)
            del self._buckets[name]

    def live(self, bucket: str, name: str) -> Stored | None:
        """The object as it is now."""
        versions = self.bucket(bucket).objects.get(name, ())
        return next((one for one in reversed(versions) if one.gone is None), None)

    def find(self, bucket: str, name: str, generation: str = "") -> Stored:
        """An object, or one of its generations.

        Raises:
            Refused: There is none.
        """
        versions = self.bucket(bucket).objects.get(name, ())
        found = (
            next((one for one in versions if str(one.generation) == generation), None)
            if generation
            else self.live(bucket, name)
        )
        if found is None:
            raise Refused("notFound", f"No such object: {bucket}/{name}", status=404)
        return found

    def put(
        self, bucket: str, name: str, content: bytes, meta: Mapping[str, Any] | None = None, **conditions: str
    ) -> Stored:
        """Write an object.

        Raises:
            Refused: There is no such bucket, a precondition does not hold, or a checksum is another.
        """
        sums = {"md5Hash": md5(content), "crc32c": crc32c(content)}
        return self._write(bucket, name, bytes(content), _with(meta or {}, sums), conditions)

    def put_together(
        self, bucket: str, name: str, contents: list[bytes], meta: Mapping[str, Any], **conditions: str
    ) -> Stored:
        """Write an object of contents of other objects, or of parts of an upload.

        Raises:
            Refused: As of `put`.
        """
        whole = b"".join(contents)
        return self._write(bucket, name, whole, _with(meta, {"md5Hash": "", "crc32c": crc32c(whole)}), conditions)

    def copy(self, source: Stored, bucket: str, name: str, meta: Mapping[str, Any], **conditions: str) -> Stored:
        """Write an object of the content of another, whose checksums are known.

        Raises:
            Refused: There is no such bucket, or a precondition does not hold.
        """
        sums = {"md5Hash": source.md5, "crc32c": source.crc32c}
        return self._write(bucket, name, source.content, {**meta, **sums}, conditions)

    def _write(
        self, bucket: str, name: str, content: bytes, about: Mapping[str, Any], conditions: Mapping[str, str]
    ) -> Stored:
        if not name or len(name.encode()) > LONGEST_NAME:
            raise Refused("required", "Required parameter: name", status=400)
        with self.lock:
            self.hold(self.live(bucket, name), conditions)
            stored = Stored(
                bucket=bucket,
                name=name,
                content=content,
                generation=next(self._generations),
                created=self._clock.now(),
                meta={key: about[key] for key in KEPT if about.get(key) is not None},
                md5=about["md5Hash"],
                crc32c=about["crc32c"],
            )
            self._retire(bucket, name)
            self.bucket(bucket).objects.setdefault(name, []).append(stored)
        self._tell(bucket, name)
        return stored

    def patch(self, stored: Stored, changes: Mapping[str, Any]) -> Stored:
        """Change what stands beside an object's content."""
        with self.lock:
            for key, value in changes.items():
                if key == "metadata" and value is not None:
                    kept = {**stored.meta.get("metadata", {}), **value}
                    stored.meta["metadata"] = {name: text for name, text in kept.items() if text is not None}
                elif key in KEPT:
                    stored.meta[key] = value
            stored.meta = {key: value for key, value in stored.meta.items() if value is not None}
            stored.metageneration += 1
            stored.updated = self._clock.now()
        return stored

    def delete(self, bucket: str, name: str, generation: str = "", **conditions: str) -> None:
        """Remove an object, or one generation of it for good.

        Raises:
            Refused: There is none, or a precondition does not hold.
        """
        with self.lock:
            found = self.find(bucket, name, generation)
            self.hold(self.live(bucket, name), conditions)
            if generation:
                self.bucket(bucket).objects[name].remove(found)
            else:
                self._retire(bucket, name)
            if not self.bucket(bucket).objects.get(name):
                self.bucket(bucket).objects.pop(name, None)
        self._tell(bucket, name)

    def hold(self, stored: Stored | None, conditions: Mapping[str, str], *, reading: bool = False) -> None:
        """Ask whether the preconditions of a request hold; generation 0 is an object that is not there.

        Raises:
            Refused: One does not.
        """
        if not conditions:
            return
        generation = stored.generation if stored else 0
        meta = stored.metageneration if stored else 0
        for word, real, wanted in (
            ("ifGenerationMatch", generation, True),
            ("ifMetagenerationMatch", meta, True),
            ("ifGenerationNotMatch", generation, False),
            ("ifMetagenerationNotMatch", meta, False),
        ):
            if word in conditions and (_whole(word, conditions[word]) == real) is not wanted:
                if reading and not wanted:
                    raise Refused("notModified", "", status=304)
                text = "At least one of the pre-conditions you specified did not hold."
                raise Refused("conditionNotMet", text, status=412)

    def names(self, bucket: str, prefix: str = "") -> list[str]:
        """The names of the objects that are there, in their order."""
        with self.lock:
            found = [name for name in self.bucket(bucket).objects if name.startswith(prefix)]
            return sorted((name for name in found if self.live(bucket, name)), key=str.encode)

    def versions(self, bucket: str) -> Iterator[tuple[str, list[Stored]]]:
        """Every object's generations, by name in their order."""
        yield from sorted(self.bucket(bucket).objects.items(), key=lambda pair: pair[0].encode())

    def _retire(self, bucket: str, name: str) -> None:
        found = self.bucket(bucket)
        if found.meta.get("versioning", {}).get("enabled"):
            for one in found.objects.get(name, ()):
                one.gone = one.gone or self._clock.now()
        else:
            found.objects.pop(name, None)

    def _tell(self, bucket: str, name: str) -> None:
        for watcher in self.watchers:
            watcher(bucket, name)


def _with(meta: Mapping[str, Any], sums: Mapping[str, str]) -> dict[str, Any]:
    """What a request says of an object, and its checksums, which must be those that it says."""
    for kind, real in sums.items():
        if meta.get(kind, real) != real:
            text = f'Provided {kind} "{meta[kind]}" doesn\'t match calculated {kind} "{real}".'
            raise Refused("invalid", text, status=400)
    return {**meta, **sums}


def md5(content: bytes) -> str:
    return base64.b64encode(hashlib.md5(content, usedforsecurity=False).digest()).decode()


def crc32c(content: bytes) -> str:
    import google_crc32c

    return base64.b64encode(struct.pack(">I", google_crc32c.value(content))).decode()


def _whole(word: str, text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise Refused("invalidParameter", f"Invalid value for {word}: {text}", status=400) from None


def split(uri: str) -> tuple[str, str]:
    """Bucket and name of ``gs://bucket/name``."""
    bucket, _, name = uri.removeprefix("gs://").partition("/")
    return bucket, name
