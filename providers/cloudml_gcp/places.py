"""Where things lie in the bucket, and where a job finds them: Vertex AI mounts Cloud Storage at ``/gcs``.

The layout is that of `cloudml.clouds.places`, and besides

  endpoints/<name>/<id>.json      what the server of a deployed model shall record, and where
"""

from __future__ import annotations

from typing import ClassVar

from cloudml.clouds import places

MOUNT = "/gcs"


class Places(places.Places):
    """The addresses below one project's root in a bucket of Cloud Storage."""

    __slots__ = ()
    SCHEME: ClassVar[str] = "gs"

    def deployed(self, endpoint: str, deployed: str) -> str:
        """What the server of that deployed model reads when it starts."""
        return f"endpoints/{endpoint}/{deployed}.json"


def mounted(uri: str) -> str:
    """Where a container of a job finds an address of Cloud Storage."""
    return f"{MOUNT}/{uri.removeprefix('gs://')}"
