"""A monitor's run as a processing job: the engine's files, and the request. Pure.

The job finds beside its inputs a folder with a wheel of cloudml, `bootstrap.py` and a description; what differs from
run to run stands in its environment, so that a schedule can start it again and again with one request.
Sources: CreateProcessingJob of the service model; for the file whose text becomes ExitMessage, "Save and Access
Metadata Information About Your Processing Job" of the SageMaker guide.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

from cloudml.clouds import engine
from cloudml_aws import images, machines
from cloudml_aws.names import fit, tags
from cloudml_aws.places import PROCESSING
from cloudml_aws.schedules import EXECUTION, SCHEDULED

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from cloudml.resources import MonitorResource
    from cloudml_aws.places import Places
    from cloudml_aws.settings import AwsSettings

ENGINE = f"{PROCESSING}/input/engine"
BASELINE = f"{PROCESSING}/input/baseline"
CAPTURE = f"{PROCESSING}/input/capture"
KNOWN = f"{PROCESSING}/input/known"
REPORT = f"{PROCESSING}/output/report"
KEPT = f"{PROCESSING}/output/kept"
LATEST = f"{PROCESSING}/output/latest"
MESSAGE = "/opt/ml/output/message"
"""What stands there when a container ends is the ExitMessage of its job, up to a kibibyte."""
INSIDE = engine.Inside(
    baseline=BASELINE, capture=CAPTURE, report=REPORT, kept=KEPT, known=KNOWN, latest=LATEST, failure=MESSAGE
)
DISK_GIB = 50
"""For the captured requests, the baseline and the image's own needs."""
TIMEOUT_S = 4 * 3600
STEM = 17
DIGITS = 8


def description(resource: MonitorResource) -> dict[str, Any]:
    """What `bootstrap.py` is told."""
    return engine.description(resource, INSIDE, "sagemaker")


def stem(name: str) -> str:
    """How the names of a monitor's jobs begin. It always ends with a hash: ``a-b`` is no run ``b`` of ``a``."""
    return f"{name[:STEM].rstrip('-')}-{hashlib.sha256(name.encode()).hexdigest()[:DIGITS]}"


def machine(path: str) -> machines.Choice:
    """What a run works on: what is taken where nothing is asked."""
    from cloudml.specs import MachineSpec

    return machines.choose(f"{path}.machine", MachineSpec(), use="processing")


def request(resource: MonitorResource, name: str, mark: str, places: Places, settings: AwsSettings) -> dict[str, Any]:
    """CreateProcessingJob with the scheduler's words in the places that differ from run to run."""
    from cloudml.wheel import BOOTSTRAP

    path = resource.identity.resource
    instance = machine(path).instance_type
    body: dict[str, Any] = {
        "ProcessingJobName": f"{stem(name)}-{EXECUTION}",
        "RoleArn": settings.role_arn,
        "AppSpecification": {
            "ImageUri": images.resolve(path, None, "training", instance, settings).uri,
            "ContainerEntrypoint": ["python3", f"{ENGINE}/{BOOTSTRAP}", f"{ENGINE}/{engine.DESCRIPTION}"],
        },
        "ProcessingResources": {"ClusterConfig": _cluster(instance, settings)},
        "ProcessingInputs": [
            _input("engine", places.uri(f"{engine.folder(name, places, mark)}/"), ENGINE),
            _input("baseline", f"{resource.baseline.rstrip('/')}/", BASELINE),
            _input("capture", places.uri(f"{places.capture(fit(resource.endpoint))}/"), CAPTURE),
            _input("known", places.uri(f"{places.monitor(name)}/{engine.KEPT}/"), KNOWN),
        ],
        "ProcessingOutputConfig": {
            "Outputs": [
                _output("report", places.uri(f"{places.monitor(name)}/runs/{EXECUTION}/"), REPORT),
                _output("latest", places.uri(f"{places.monitor(name)}/latest/"), LATEST),
                _output("kept", places.uri(f"{places.monitor(name)}/{engine.KEPT}/"), KEPT),
            ],
            **({"KmsKeyId": settings.kms_key} if settings.kms_key else {}),
        },
        "StoppingCondition": {"MaxRuntimeInSeconds": TIMEOUT_S},
        "Environment": {"CLOUDML_RUN": EXECUTION, "CLOUDML_SCHEDULED": SCHEDULED},
        "NetworkConfig": _network(settings),
        "Tags": tags(resource.identity, settings),
    }
    return body


def once(
    template: Mapping[str, Any], run: str, since: datetime | None = None, until: datetime | None = None
) -> dict[str, Any]:
    """The request of one run that no schedule starts."""
    body: dict[str, Any] = json.loads(json.dumps(template).replace(EXECUTION, run))
    del body["Environment"]["CLOUDML_SCHEDULED"]
    times = {"CLOUDML_SINCE": since, "CLOUDML_UNTIL": until}
    body["Environment"] |= {key: moment.isoformat() for key, moment in times.items() if moment}
    return body


def _input(name: str, uri: str, path: str) -> dict[str, Any]:
    source = {
        "S3Uri": uri,
        "LocalPath": path,
        "S3DataType": "S3Prefix",
        "S3InputMode": "File",
        "S3DataDistributionType": "FullyReplicated",
    }
    return {"InputName": name, "S3Input": source}


def _output(name: str, uri: str, path: str) -> dict[str, Any]:
    return {"OutputName": name, "S3Output": {"S3Uri": uri, "LocalPath": path, "S3UploadMode": "EndOfJob"}}


def _cluster(instance: str, settings: AwsSettings) -> dict[str, Any]:
    key = {"VolumeKmsKeyId": settings.kms_key} if settings.kms_key else {}
    return {"InstanceCount": 1, "InstanceType": instance, "VolumeSizeInGB": DISK_GIB, **key}


def _network(settings: AwsSettings) -> dict[str, Any]:
    own = {"SecurityGroupIds": list(settings.security_groups), "Subnets": list(settings.subnets)}
    return {"EnableNetworkIsolation": settings.network_isolation, **({"VpcConfig": own} if settings.subnets else {})}
