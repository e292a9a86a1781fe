"""Where an upload of a large content lies in a cloud's bucket."""

from __future__ import annotations

from typing import Self

from cloudml.records import dataclass


@dataclass(frozen=True, slots=True)
class Root:
    """The root of a storage in a bucket or container.

    Attributes:
        bucket: The bucket or container.
        folder: The root in it, with a slash at its end; empty for all of it.
    """

    bucket: str
    folder: str

    @classmethod
    def of(cls, url: str) -> Self:
        """The root that an address such as ``s3://bucket/folder`` means."""
        bucket, _, folder = url.partition("://")[2].partition("/")
        return cls(bucket, f"{folder.rstrip('/')}/" if folder.strip("/") else "")

    def key(self, path: str) -> str:
        """What a path below the root is called in the bucket."""
        return f"{self.folder}{path}"

    def path(self, key: str) -> str:
        """The path below the root of what lies there."""
        return key.removeprefix(self.folder)
