"""What a job needs in its container: the driver's request, the environment, the time limits, the machine, the image.

Pure: from the resource, the places and the settings alone. The code is read from the mounted bucket, so any image with
a Python of 3.8 or later will do.
"""

from __future__ import annotations

import math
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from cloudml.capabilities import Level
from cloudml.clouds.names import shortened
from cloudml.plan import Call, Note
from cloudml.records import dataclass
from cloudml.runtime import contract
from cloudml.shipping import SOURCE, START, requirements_file
from cloudml_gcp import images, machines, names
from cloudml_gcp.images import Image
from cloudml_gcp.places import mounted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cloudml.resources import JobResource
    from cloudml_gcp.machines import Choice
    from cloudml_gcp.places import Places
    from cloudml_gcp.settings import GcpSettings

UPLOAD = "storage:Upload"
CREATE = "aiplatform:CreateCustomJob"
GRACE_S = 25.0
"""From SIGTERM to SIGKILL; a machine that is taken away stays for 30 seconds, and the driver writes its record then."""
LATER_S = 900
"""Vertex AI's own limit comes so much later than the driver's, which lets the script clean up and says why it ended."""
VARIABLES = 100
"""At most so many variables in a request."""
DISK_GIB = 100
"""The disk where none was asked for: Vertex AI's own default."""
USUAL = timedelta(days=7)
"""Vertex AI's own default; longer ones are sent as they are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Container:
    """What a job runs on and in.

    Attributes:
        name: Our name of it.
        choice: The machine.
        image: The image.
        disk_gib: The disk.
    """

    name: str
    choice: Choice
    image: Image
    disk_gib: int


def container(resource: JobResource, settings: GcpSettings) -> Container:
    """The machine and the image of a job.

    Raises:
        UnsupportedError: There is no such machine or image.
    """
    spec, path = resource.spec, resource.identity.resource
    choice = machines.choose(f"{path}.machine", spec.machine, "job")
    if spec.image:
        image = Image(uri=spec.image)
    else:
        gpu = bool(choice.machine.gpus)
        image = images.resolve(path, spec.framework, "training", gpu=gpu, settings=settings)
    return Container(
        name=names.native(resource.identity),
        choice=choice,
        image=image,
        disk_gib=max(choice.disk_gib or DISK_GIB, DISK_GIB),
    )


def driver_request(resource: JobResource, places: Places) -> dict[str, Any]:
    """The request of cloudml.runtime.driver; see `cloudml.runtime.request` for its keys."""
    spec, name = resource.spec, names.native(resource.identity)
    return {
        "version": 1,
        "name": name,
        "resource": resource.identity.resource,
        "script": spec.script,
        "source": f"{mounted(places.uri(places.code(name)))}/{SOURCE}",
        **contract.paths("gcp", list(spec.inputs), list(spec.outputs)),
        "checkpoints": places.uri(places.checkpoints(name)),
        "parameters": dict(spec.parameters),
        "environment": dict(spec.environment),
        "requirements": requirements_file(spec) if resource.requirements else None,
        "timeout_s": spec.timeout.total_seconds(),
        "grace_s": GRACE_S,
    }


def command(name: str, places: Places) -> list[str]:
    """What the container starts, as a program and not through a shell, which would keep SIGTERM to itself."""
    return ["python3", f"{mounted(places.uri(places.code(name)))}/{START}"]


def card(resource: JobResource, places: Places) -> dict[str, Any]:
    """What is kept of a job besides what Vertex AI keeps; it lies in the bucket before anything else of the job."""
    name = names.native(resource.identity)
    return {
        "tags": dict(resource.identity.tags),
        "parameters": dict(resource.spec.parameters),
        "outputs": {output: places.uri(places.output(name, output)) for output in resource.spec.outputs},
    }


def upload(resource: JobResource, places: Places) -> Call:
    """The transfer of the code and the driver's request."""
    name = names.native(resource.identity)
    return Call(
        UPLOAD,
        {
            "to": places.uri(f"{places.code(name)}/"),
            "code": {"digest": resource.source.digest, "files": len(resource.source.files)},
            "requirements": resource.requirements or None,
            "request": driver_request(resource, places),
            "card": card(resource, places),
        },
    )


def environment(resource: JobResource) -> dict[str, str]:
    """The container's own environment: where inputs lie, and what pip sees; the script gets all from the driver.

    A variable must have a value there: EnvVar.value is required.
    """
    inputs = {f"CLOUDML_INPUT_{contract.variable(name)}": uri for name, uri in resource.inputs.items()}
    ours = {contract.PROVIDER: "gcp", **inputs}
    said = [(name, value) for name, value in resource.spec.environment.items() if value]
    return ours | dict(said[: VARIABLES - len(ours)])


def escaped(value: str) -> str:
    """A text of a container as it stands: ``$(NAME)`` would be replaced."""
    return value.replace("$(", "$$(")


def listed(variables: dict[str, str]) -> list[dict[str, str]]:
    """Variables in the form of requests."""
    return [{"name": name, "value": escaped(value)} for name, value in variables.items()]


def body(resource: JobResource, there: Container, places: Places, settings: GcpSettings) -> dict[str, Any]:
    """The CustomJob as cloudml makes it; None for what was not said."""
    spec = resource.spec
    pool = {
        "machineSpec": there.choice.machine.spec,
        "replicaCount": "1",
        "diskSpec": {"bootDiskType": "pd-ssd", "bootDiskSizeGb": there.disk_gib},
        "containerSpec": {
            "imageUri": there.image.uri,
            "command": command(there.name, places),
            "env": listed(environment(resource)),
        },
    }
    more = [{**pool, "replicaCount": str(spec.nodes - 1)}] if spec.nodes > 1 else []
    return {
        "displayName": there.name,
        "labels": names.labels(resource.identity, settings),
        "jobSpec": {
            "workerPoolSpecs": [pool, *more],
            "scheduling": scheduling(resource, settings),
            "serviceAccount": settings.service_account,
            "network": settings.network,
            "persistentResourceId": settings.persistent_resource,
            "baseOutputDirectory": {"outputUriPrefix": places.uri(places.outputs(there.name))},
        },
        "encryptionSpec": encryption(settings),
    }


def scheduling(resource: JobResource, settings: GcpSettings) -> dict[str, Any]:
    """The limits, which are always said: left out, a job waits for a day for machines, and runs for a week."""
    spec = resource.spec
    return {
        "timeout": f"{math.ceil(spec.timeout.total_seconds() + GRACE_S) + LATER_S}s",
        "maxWaitDuration": settings.max_wait,
        "strategy": "SPOT" if spec.spot else "STANDARD",
        "restartJobOnWorkerRestart": spec.spot,
    }


def encryption(settings: GcpSettings) -> dict[str, str] | None:
    """The key of the target; None without one."""
    return {"kmsKeyName": settings.kms_key} if settings.kms_key else None


def notes(resource: JobResource, there: Container) -> Iterator[Note]:
    """What became of the fields that are not sent as they stand."""
    spec, path = resource.spec, resource.identity.resource
    yield from there.choice.notes
    yield from there.image.notes
    yield from shortened(path, resource.identity.name, there.name, names.RULE)
    if there.choice.disk_gib and there.choice.disk_gib < DISK_GIB:
        yield Note(f"{path}.machine.disk", f"{DISK_GIB} GiB: Vertex AI has no smaller disk", Level.NATIVE)
    left_out = sorted(set(spec.environment) - set(environment(resource)))
    if left_out:
        text = "set for the script by the job's driver; empty or too many for the container's own environment"
        yield Note(f"{path}.environment", f"{text}: {', '.join(left_out)}")
    if spec.metrics:
        text = f"kept in the job's record, where cloudml reads them ({', '.join(spec.metrics)}); custom jobs have none"
        yield Note(f"{path}.metrics", text)
    if spec.timeout > USUAL:
        yield Note(f"{path}.timeout", "longer than Vertex AI's own default of 7 days", Level.NATIVE)
