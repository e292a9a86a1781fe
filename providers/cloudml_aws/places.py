"""Where SageMaker leaves things in the bucket, and where it lays them in a container.

The layout is that of `cloudml.clouds.places`, but for a job's outputs:

  jobs/<name>/output/model/       what a training job left in /opt/ml/model
  jobs/<name>/output/data/<name>/ its other outputs, and those of a processing job; _cloudml/ is the record
  capture/<endpoint>/…            captured requests as SageMaker writes them
"""

from __future__ import annotations

from typing import ClassVar

from cloudml.clouds import places

TRAINING = "/opt/ml"
PROCESSING = "/opt/ml/processing"
CODE = "code"
"""The channel of the job's own code; no input may have its name."""


class Places(places.Places):
    """The addresses below one project's root in an S3 bucket."""

    __slots__ = ()
    SCHEME: ClassVar[str] = "s3"

    def output(self, name: str, output: str) -> str:
        """Where a job leaves an output: SageMaker keeps the model apart from the rest."""
        return f"{self.outputs(name)}/model" if output == "model" else f"{self.data(name)}/{output}"

    def data(self, name: str) -> str:
        """What a job leaves besides a model: its outputs, each a folder, and the record."""
        return f"{self.outputs(name)}/data"

    def record(self, name: str) -> str:
        """The record that the driver leaves."""
        return f"{self.data(name)}/_cloudml"
