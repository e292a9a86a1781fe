"""Training jobs: a job's spec -> CreateTrainingJob."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from cloudml.plan import Note
from cloudml_aws import names, running
from cloudml_aws.kinds import TRAINING
from cloudml_aws.places import CODE

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from cloudml.resources import JobResource
    from cloudml_aws.places import Places
    from cloudml_aws.running import Container
    from cloudml_aws.settings import AwsSettings

METRICS = 40
"""SageMaker follows at most so many numbers of a job."""
CHECKPOINTS = "/opt/ml/checkpoints"
WAITS_S = 86_400
"""How long a spot job waits for machines, all in all, besides the time that it may run."""


def body(resource: JobResource, there: Container, places: Places, settings: AwsSettings) -> dict[str, Any]:
    """CreateTrainingJob as cloudml makes it; None for what was not said."""
    spec = resource.spec
    return {
        **TRAINING.named(there.name),
        "RoleArn": settings.role_arn,
        "AlgorithmSpecification": {
            "TrainingImage": there.image.uri,
            "TrainingInputMode": "File",
            "ContainerEntrypoint": running.entrypoint(TRAINING),
            "MetricDefinitions": metric_definitions(spec.metrics),
        },
        "InputDataConfig": channels(resource, there.name, places),
        "OutputDataConfig": {
            "S3OutputPath": places.uri("jobs"),
            "CompressionType": "NONE",
            "KmsKeyId": settings.kms_key,
        },
        "ResourceConfig": {
            "InstanceType": there.choice.instance_type,
            "InstanceCount": spec.nodes,
            "VolumeSizeInGB": there.volume_gib,
            "VolumeKmsKeyId": running.volume_key(there, settings),
        },
        "StoppingCondition": stopping(resource),
        "CheckpointConfig": {"S3Uri": places.uri(places.checkpoints(there.name)), "LocalPath": CHECKPOINTS},
        "Environment": running.environment(resource, TRAINING),
        "EnableManagedSpotTraining": spec.spot,
        "EnableNetworkIsolation": settings.network_isolation,
        "VpcConfig": running.network(settings),
        "Tags": names.tags(resource.identity, settings),
    }


def channels(resource: JobResource, name: str, places: Places) -> list[dict[str, Any]]:
    """The code and the inputs, each a folder that is there before the script starts."""
    folders = {CODE: places.uri(places.code(name)), **resource.inputs}
    return [channel(one, uri) for one, uri in folders.items()]


def channel(name: str, uri: str) -> dict[str, Any]:
    """One input. It ends with a slash: a prefix `a` would bring `ab` as well."""
    source = {
        "S3DataType": "S3Prefix",
        "S3Uri": f"{uri.rstrip('/')}/",
        "S3DataDistributionType": "FullyReplicated",
    }
    return {"ChannelName": name, "DataSource": {"S3DataSource": source}, "InputMode": "File"}


def metric_definitions(metrics: Sequence[str]) -> list[dict[str, str]]:
    """How SageMaker finds each number in what the runtime prints: ``cloudml-metric NAME=VALUE``."""
    return [
        {"Name": name, "Regex": rf"cloudml-metric {re.escape(name)}=([0-9.eE+-]+)"} for name in list(metrics)[:METRICS]
    ]


def stopping(resource: JobResource) -> dict[str, int | None]:
    """SageMaker's own time limits; the one for waiting is understood for spot jobs only."""
    limit = running.limit_s(resource.spec.timeout, TRAINING)
    return {
        "MaxRuntimeInSeconds": limit,
        "MaxWaitTimeInSeconds": limit + WAITS_S if resource.spec.spot else None,
    }


def notes(resource: JobResource) -> Iterator[Note]:
    """What became of the fields that this kind of job does not have."""
    if len(resource.spec.metrics) > METRICS:
        left = ", ".join(resource.spec.metrics[METRICS:])
        text = f"kept in the job's record, where cloudml reads them; SageMaker itself follows {METRICS}, without {left}"
        yield Note(f"{resource.identity.resource}.metrics", text)
