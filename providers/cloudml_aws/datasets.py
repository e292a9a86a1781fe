"""Datasets in the target's S3 bucket: `cloudml.clouds.datasets`, in AWS's words."""

from __future__ import annotations

from typing import ClassVar

from cloudml.clouds.datasets import BucketDatasets
from cloudml_aws import names, running


class AwsDatasets(BucketDatasets):
    """Datasets in the target's bucket."""

    __slots__ = ()
    UPLOAD: ClassVar[str] = running.UPLOAD
    RULE: ClassVar[str] = names.RULE

    def native(self, name: str) -> str:
        """The name as AWS takes it."""
        return names.fit(name)
