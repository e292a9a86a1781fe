"""Datasets in the target's bucket: `cloudml.clouds.datasets`, in Google's words.

A dataset of Vertex AI is a pointer to files, which no custom job can read: it would add nothing.
"""

from __future__ import annotations

from typing import ClassVar

from cloudml.clouds.datasets import BucketDatasets
from cloudml_gcp import names, running


class GcpDatasets(BucketDatasets):
    """Datasets in the target's bucket."""

    __slots__ = ()
    UPLOAD: ClassVar[str] = running.UPLOAD
    RULE: ClassVar[str] = names.RULE

    def native(self, name: str) -> str:
        """The name as Google Cloud takes it."""
        return names.fit(name)
