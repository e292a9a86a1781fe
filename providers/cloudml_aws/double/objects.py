"""The double's own way to the objects in moto's S3: no request, no signature."""

from __future__ import annotations

import json
import os
import tarfile
import tempfile
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

PARTITION = "aws"


class Objects:
    """The buckets of one double.

    Args:
        account: The account under which moto keeps them: of this double alone, so that two doubles may have buckets of
            one name.
    """

    def __init__(self, account: str, region: str) -> None:
        self.account, self._region = account, region

    @cached_property
    def backend(self) -> Any:
        """Moto's, which takes as long to find as to ask."""
        from moto.s3.models import s3_backends

        return s3_backends[self.account][PARTITION]

    def make_bucket(self, name: str) -> None:
        """Make a bucket unless it is there."""
        if name not in self.backend.buckets:
            self.forget_elsewhere(name)
            self.backend.create_bucket(name, self._region)

    def has_bucket(self, name: str) -> bool:
        return name in self.backend.buckets

    def forget_elsewhere(self, name: str) -> None:
        """Let a bucket of that name be made although another double has one: moto keeps names apart everywhere."""
        from moto.s3.models import s3_backends

        s3_backends.bucket_accounts.pop(name, None)

    def clear(self) -> None:
        """Remove everything, and the files in which moto keeps it."""
        from moto.s3.models import s3_backends

        self.backend.reset()
        s3_backends.pop(self.account, None)
        del self.backend

    def keys(self, uri: str) -> list[str]:
        """The keys below an address, in order; folder marks are left out."""
        bucket, prefix = split(uri)
        found = self.backend.buckets.get(bucket)
        if found is None:
            return []
        return sorted(key for key in list(found.keys) if key.startswith(prefix) and not key.endswith("/"))

    def get(self, bucket: str, key: str) -> bytes:
        """The contents of an object.

        Raises:
            KeyError: There is none.
        """
        found = self.backend.buckets.get(bucket)
        object_ = found.keys.get(key) if found is not None else None
        if object_ is None:
            raise KeyError(f"s3://{bucket}/{key}")
        return bytes(object_.value)

    def put(self, uri: str, content: bytes) -> None:
        bucket, key = split(uri)
        self.backend.put_object(bucket, key, content)

    def fetch(self, bucket: str, pairs: Iterable[tuple[str, str]], folder: Path) -> None:
        """Write objects into a folder: pairs of key and path in it."""
        for key, path in pairs:
            target = folder / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(self.get(bucket, key))

    def send(self, folder: Path, uri: str) -> None:
        """Upload a folder; links are followed."""
        for path in files(folder):
            self.put(f"{uri.rstrip('/')}/{path.relative_to(folder).as_posix()}", path.read_bytes())

    def send_archive(self, folders: Iterable[Path], uri: str) -> None:
        """Upload what is in folders as one tar.gz."""
        with tempfile.TemporaryFile() as file:
            with tarfile.open(fileobj=file, mode="w:gz", compresslevel=1) as archive:
                for folder in folders:
                    for path in sorted(folder.iterdir()):
                        archive.add(path, arcname=path.name)
            file.seek(0)
            self.put(uri, file.read())


def split(uri: str) -> tuple[str, str]:
    """Bucket and key of an address."""
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    return bucket, key


def files(folder: Path) -> list[Path]:
    """All files below a folder, in order."""
    return sorted(Path(path, name) for path, _, names in os.walk(folder, followlinks=True) for name in names)


def relative(prefix: str, keys: Iterable[str]) -> list[tuple[str, str]]:
    """Keys below a prefix, and where each lies in the folder that the prefix becomes."""
    return [(key, _below(prefix, key)) for key in keys]


def _below(prefix: str, key: str) -> str:
    rest = key[len(prefix) :]
    if prefix.endswith("/") or not prefix:
        return rest
    return rest.lstrip("/") if rest.startswith("/") else key[prefix.rfind("/") + 1 :]


def manifest(content: bytes) -> tuple[str, list[tuple[str, str]]]:
    """Bucket, keys and paths of a ManifestFile: a list that begins with the common prefix.

    Raises:
        ValueError: It is none.
    """
    document = json.loads(content)
    if not isinstance(document, list) or not document or "prefix" not in document[0]:
        raise ValueError("The manifest is not a list that begins with a prefix.")
    bucket, prefix = split(document[0]["prefix"])
    return bucket, [(prefix + name, name) for name in document[1:]]
