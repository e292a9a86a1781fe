"""The two kinds of job at SageMaker, and where their words and limits differ.

Source of the limits: the service model (TrainingEnvironmentValue, ProcessingEnvironmentValue, InputDataConfig,
ProcessingInputs, ProcessingMaxRuntimeInSeconds) and, for the 28 days, the documentation of StoppingCondition in it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cloudml.records import dataclass

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cloudml.specs import JobSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """A kind of job.

    Attributes:
        key: As machines are asked for it, and as a job's card says it.
        noun: As it stands in the names of operations and members.
        title: For people.
        place: Its row in `cloudml.runtime.contract.PLACES`.
        arn: Its type in resource names.
        inputs: At most so many, besides the code.
        characters: At most so many in the value of a variable.
        days: At most so long.
    """

    key: str
    noun: str
    title: str
    place: str
    arn: str
    inputs: int
    characters: int
    days: int

    def operation(self, verb: str) -> str:
        """``sagemaker:CreateTrainingJob``."""
        return f"sagemaker:{verb}{self.noun}" + ("s" if verb == "List" else "")

    def named(self, name: str) -> dict[str, str]:
        """The request that names a job."""
        return {f"{self.noun}Name": name}

    def name(self, answer: Mapping[str, Any]) -> str:
        """The name in a description or summary."""
        return str(answer[f"{self.noun}Name"])

    def status(self, answer: Mapping[str, Any]) -> str:
        """SageMaker's own word for where the job stands."""
        return str(answer[f"{self.noun}Status"])

    @property
    def group(self) -> str:
        """The log group."""
        return f"/aws/sagemaker/{self.noun}s"


TRAINING = Kind(
    key="training",
    noun="TrainingJob",
    title="training job",
    place="aws",
    arn="training-job",
    inputs=19,
    characters=512,
    days=28,
)
PROCESSING = Kind(
    key="processing",
    noun="ProcessingJob",
    title="processing job",
    place="aws-processing",
    arn="processing-job",
    inputs=9,
    characters=256,
    days=9,
)
KINDS: Mapping[str, Kind] = {kind.key: kind for kind in (TRAINING, PROCESSING)}


def kind(spec: JobSpec) -> Kind:
    """What a job runs as: spot machines are there for training jobs only, and those need not make a model."""
    return TRAINING if spec.trains or spec.spot else PROCESSING
