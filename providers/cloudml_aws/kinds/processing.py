"""Processing jobs, for scripts that make no model: a job's spec -> CreateProcessingJob.

Everything that the script leaves is one output of SageMaker's, so that it lies at the same addresses as a training
job's. It is uploaded when the job ends: an upload as it grows would also take files that are only half written, and
names that they have only for a moment. What lies in `job.checkpoints` is not kept.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cloudml.plan import Note
from cloudml_aws import names, running
from cloudml_aws.kinds import PROCESSING
from cloudml_aws.places import CODE
from cloudml_aws.places import PROCESSING as FOLDER

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cloudml.resources import JobResource
    from cloudml_aws.places import Places
    from cloudml_aws.running import Container
    from cloudml_aws.settings import AwsSettings

OUTPUT = "output"


def body(resource: JobResource, there: Container, places: Places, settings: AwsSettings) -> dict[str, Any]:
    """CreateProcessingJob as cloudml makes it; None for what was not said."""
    return {
        **PROCESSING.named(there.name),
        "RoleArn": settings.role_arn,
        "AppSpecification": {
            "ImageUri": there.image.uri,
            "ContainerEntrypoint": running.entrypoint(PROCESSING),
        },
        "ProcessingInputs": inputs(resource, there.name, places),
        "ProcessingOutputConfig": {"Outputs": [output(there.name, places)], "KmsKeyId": settings.kms_key},
        "ProcessingResources": {
            "ClusterConfig": {
                "InstanceType": there.choice.instance_type,
                "InstanceCount": resource.spec.nodes,
                "VolumeSizeInGB": there.volume_gib,
                "VolumeKmsKeyId": running.volume_key(there, settings),
            }
        },
        "StoppingCondition": {"MaxRuntimeInSeconds": running.limit_s(resource.spec.timeout, PROCESSING)},
        "Environment": running.environment(resource, PROCESSING),
        "NetworkConfig": {
            "EnableNetworkIsolation": settings.network_isolation,
            "VpcConfig": running.network(settings),
        },
        "Tags": names.tags(resource.identity, settings),
    }


def inputs(resource: JobResource, name: str, places: Places) -> list[dict[str, Any]]:
    """The code and the inputs, each a folder that is there before the script starts."""
    folders = {CODE: places.uri(places.code(name)), **resource.inputs}
    return [_input(one, uri) for one, uri in folders.items()]


def _input(name: str, uri: str) -> dict[str, Any]:
    """One input. It ends with a slash: a prefix `a` would bring `ab` as well."""
    source = {
        "S3Uri": f"{uri.rstrip('/')}/",
        "LocalPath": f"{FOLDER}/input/{name}",
        "S3DataType": "S3Prefix",
        "S3InputMode": "File",
        "S3DataDistributionType": "FullyReplicated",
    }
    return {"InputName": name, "S3Input": source}


def output(name: str, places: Places) -> dict[str, Any]:
    """The folder in which the script's outputs and the record lie."""
    target = {
        "S3Uri": places.uri(places.data(name)),
        "LocalPath": f"{FOLDER}/{OUTPUT}",
        "S3UploadMode": "EndOfJob",
    }
    return {"OutputName": OUTPUT, "S3Output": target}


def notes(resource: JobResource) -> Iterator[Note]:
    """What became of the fields that this kind of job does not have."""
    if resource.spec.metrics:
        names_of_them = ", ".join(resource.spec.metrics)
        text = f"kept in the job's record, where cloudml reads them ({names_of_them}); processing jobs have no metrics"
        yield Note(f"{resource.identity.resource}.metrics", text)
