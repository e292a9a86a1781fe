"""What a training container runs: its entrypoint, or what the training toolkit in a stock image would.

The toolkit's contract: the hyperparameters `sagemaker_program` and `sagemaker_submit_directory` name the script; the
others become its arguments; what it fails with is exit code 1 and a text of the toolkit's own.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cloudml_aws.double.tables import Record


def command(record: Record) -> list[str]:
    """The exec-form command of a training job."""
    algorithm: dict[str, Any] = record["AlgorithmSpecification"]
    entry = algorithm.get("ContainerEntrypoint")
    if entry:
        return [*entry, *algorithm.get("ContainerArguments", ())]
    return [sys.executable, "-P", "-m", "cloudml_aws.double.train", *algorithm.get("ContainerArguments", ("train",))]
