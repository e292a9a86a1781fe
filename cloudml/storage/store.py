"""One way to files, a bucket or a container."""

from __future__ import annotations

import shutil
from datetime import timedelta
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

from cloudml.errors import AlreadyExistsError, ConflictError, InvalidRequestError, NotFoundError
from cloudml.progress import SILENT
from cloudml.records import dataclass
from cloudml.storage import copying, files, locations, pulling, pushing, sweeping
from cloudml.storage.blobs import PAGE
from cloudml.storage.failures import translated
from cloudml.storage.manifest import fault, parsed
from cloudml.storage.scanning import scan

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from obstore import ObjectMeta, UpdateVersion
    from obstore.store import ObjectStore

    from cloudml.progress import Progress
    from cloudml.storage.copies import Copies
    from cloudml.storage.manifest import Manifest
    from cloudml.storage.parts import PartCopies, Uploads
    from cloudml.storage.pulling import Pulled
    from cloudml.storage.pushing import Pushed
    from cloudml.storage.sweeping import Swept

LOCAL_WORKERS = 2
"""More wait for each other: for the interpreter, and for the lock of a folder in the file system."""
REMOTE_WORKERS = 16
A_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Listed:
    """An object: its path below the root, its size in bytes, and when it was written."""

    path: str
    size: int
    modified: datetime


class Storage:
    """Objects below a root: a folder, ``memory:///``, or a prefix of a bucket (s3, gs, az, abfss).

    Paths are relative to the root, with ``/``. A folder of files that was pushed has its manifest beside it,
    ``<prefix>.json``, written last: where the manifest is, the folder is complete. ``blobs/``, ``origins/`` and
    ``staging/`` belong to the storage itself. Requests are retried by obstore; threads may share one object.

    Args:
        root_url: A path or a URL. Nothing is opened before it is needed.
        uploads: By which large contents are sent in parts that an interrupted push finds again; without it they are
            sent anew.
        part_copies: By which large objects are copied in parts; without it the store copies each by itself, which S3
            does not with more than 5 GiB.
        copies: By which many copies take one request; without it each takes one.
        options: Those of obstore for that kind of store: region, endpoint, client_options, credential_provider, …
    """

    def __init__(
        self,
        root_url: str | Path,
        *,
        uploads: Uploads | None = None,
        part_copies: PartCopies | None = None,
        copies: Copies | None = None,
        **options: Any,
    ) -> None:
        folder = locations.local(root_url)
        self.folder = folder.absolute() if folder else None
        """The root in the file system; None where it is in none."""
        self.url = str(self.folder or root_url)
        self.uploads, self.part_copies = uploads, part_copies
        self.copies = copies
        self.workers = LOCAL_WORKERS if self.folder else REMOTE_WORKERS
        self._options = options
        self._lock = Lock()
        self._store: ObjectStore | None = None

    def __repr__(self) -> str:
        return f"Storage({locations.address(self.url, '')!r})"

    @property
    def store(self) -> ObjectStore:
        """The obstore store, opened on first use."""
        with self._lock:
            if self._store is None:
                self._store = locations.store(self.url, **self._options)
            return self._store

    def uri(self, path: str) -> str:
        """Where *path* lies: a path of the file system, or a URL."""
        return locations.address(self.url, self.checked(path))

    def checked(self, path: str) -> str:
        """*path*, once it is known to lie below the root.

        Raises:
            InvalidRequestError: It does not.
        """
        if reason := fault(path):
            raise InvalidRequestError(f"the path {path!r} {reason}", hint="give a path relative to the storage's root")
        return path

    def head(self, path: str) -> ObjectMeta | None:
        """What the store says of *path*; None where nothing is."""
        import obstore

        try:
            with translated(self.uri(path)):
                return obstore.head(self.store, path)
        except NotFoundError:
            return None

    def exists(self, path: str) -> bool:
        return self.head(path) is not None

    def read(self, path: str) -> bytes:
        """The whole object.

        Raises:
            NotFoundError: Nothing is there.
        """
        import obstore

        with translated(self.uri(path)):
            return obstore.get(self.store, path).bytes().to_bytes()

    def write(self, path: str, content: bytes, *, only_new: bool = False) -> None:
        """Put *content* there; others see all of it or nothing.

        Raises:
            AlreadyExistsError: Something is there and *only_new* was asked; of several at once, one succeeds.
        """
        import obstore

        with translated(self.uri(path)):
            if self.folder:
                files.write(self.folder, self.checked(path), (content,), only_new=only_new)
            else:
                obstore.put(self.store, path, content, mode="create" if only_new else "overwrite", use_multipart=False)

    def list(self, prefix: str = "") -> Iterator[Listed]:
        """What lies below the folder *prefix*, in no given order; ``a`` does not list ``ab/c``."""
        import obstore

        if prefix:
            self.checked(prefix)
        with translated(locations.address(self.url, prefix)):
            for page in obstore.list(self.store, prefix or None, chunk_size=PAGE):
                for meta in page:
                    yield Listed(meta["path"], meta["size"], meta["last_modified"])

    def folders(self, prefix: str) -> tuple[str, ...]:
        """The names of the folders directly below the folder *prefix*; one request for a thousand of them."""
        import obstore

        with translated(self.uri(prefix)):
            found = obstore.list_with_delimiter(self.store, prefix)
        return tuple(sorted(one.rstrip("/").rpartition("/")[2] for one in found["common_prefixes"]))

    def delete(self, prefix: str) -> int:
        """Remove the object *prefix*, all below the folder *prefix*, and its manifest, this first; how many there were.

        What is not there is no error.
        """
        first = [path for path in (f"{self.checked(prefix)}.json", prefix) if self.remove([path])]
        below = self.remove([listed.path for listed in self.list(prefix)])
        if self.folder:
            shutil.rmtree(self.folder / prefix, ignore_errors=True)  # the empty folders
        return len(first) + below

    def remove(self, paths: Sequence[str]) -> int:
        """Remove those objects; how many were there."""
        import obstore

        present = paths if len(paths) > 1 else [path for path in paths if self.exists(path)]
        if present:
            try:
                with translated(self.uri(present[0])):
                    obstore.delete(self.store, present)
            except NotFoundError:
                # One of them went meanwhile, and the store stops at it: go on with those that are left.
                left = [path for path in present if self.exists(path)]
                return self.remove(left) if left else 0
        return len(present)

    def manifest(self, prefix: str) -> Manifest:
        """The files of a folder that was pushed.

        Raises:
            NotFoundError: Never pushed, or not to the end.
        """
        found = self.stored(prefix)
        if found is None:
            raise NotFoundError(
                f"`{self.uri(prefix)}` is not there, or not complete", hint="push it: what arrived is not sent again"
            )
        return found[1]

    def stored(self, prefix: str) -> tuple[str, Manifest] | None:
        """The hash that was asked for, and the files; None where no manifest is."""
        try:
            return parsed(self.read(f"{prefix}.json"))
        except NotFoundError:
            return None

    def push(self, manifest: Manifest, prefix: str, progress: Progress = SILENT) -> Pushed:
        """Bring the files of *manifest* to the folder *prefix*, so that it holds them and nothing else.

        Each content travels once: it is put under its digest, and `<prefix>/<path>` is a copy made by the store (on a
        file system a link to the same read-only file). Interrupted anywhere, the next push goes on.

        Raises:
            SpecError: A file is not what it was when the manifest was made.
            ProviderError: The store's refusal.
        """
        return pushing.push(self, manifest, self.checked(prefix), progress)

    def fetch(self, url: str, prefix: str, progress: Progress = SILENT) -> Pushed:
        """Bring what *url* means (a file, a folder or a pattern; s3, gs, az, https) to the folder *prefix*."""
        return self.push(scan(url, Path()), prefix, progress)

    def copy_folder(self, source: str, target: str) -> Sequence[str]:
        """Let the store copy all below the folder *source* to the folder *target*; the paths that it has there.

        Interrupted, the next call goes on: what is there and not older than its original is not copied again.
        """
        return copying.copy_folder(self, self.checked(source), self.checked(target))

    def pull(self, prefix: str, folder: Path, progress: Progress = SILENT) -> Pulled:
        """Bring a folder that was pushed to *folder*, each file verified by its digest; what is there is not fetched.

        Raises:
            NotFoundError: Never pushed, or not to the end.
            ConflictError: What arrives is not what was pushed.
        """
        return pulling.pull(self, self.checked(prefix), folder, progress)

    def download(self, prefix: str, folder: Path, progress: Progress = SILENT) -> Pulled:
        """Bring what lies below *prefix* now, pushed or not, to *folder*."""
        return pulling.download(self, self.checked(prefix), folder, progress)

    def sweep(self, grace: timedelta = A_DAY) -> Swept:
        """Remove content that no manifest names and that is older than *grace*; datasets themselves are not touched.

        Uploads that nobody has finished for so long are aborted.
        """
        return sweeping.sweep(self, grace)

    def seen(self, path: str) -> tuple[bytes, ObjectMeta] | None:
        """The whole object and what `replace` needs to know of it; None where nothing is."""
        import obstore

        try:
            with translated(self.uri(path)):
                found = obstore.get(self.store, path)
                return found.bytes().to_bytes(), found.meta
        except NotFoundError:
            return None

    def replace(self, path: str, content: bytes, seen: ObjectMeta) -> bool:
        """Write *content* if the object is still the one that was *seen*; whether it was written.

        In buckets only: a file system cannot compare and write in one.
        """
        import obstore

        version: UpdateVersion = {"e_tag": seen["e_tag"], "version": seen["version"]}
        try:
            with translated(self.uri(path)):
                obstore.put(self.store, path, content, mode=version, use_multipart=False)
        except (ConflictError, NotFoundError):
            return False
        return True

    def claim(self, path: str, content: bytes) -> bool:
        """Write *content* unless something is there; whether it was written."""
        try:
            self.write(path, content, only_new=True)
        except AlreadyExistsError:
            return False
        return True
