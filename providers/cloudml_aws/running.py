"""What both kinds of job need in their container: the driver's request, the environment, the time limit, the machine.

Pure: from the resource, the places and the settings alone.
"""

from __future__ import annotations

import math
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from cloudml.capabilities import Level
from cloudml.clouds.names import shortened
from cloudml.errors import UnsupportedError
from cloudml.plan import Call, Note
from cloudml.records import dataclass
from cloudml.runtime import contract
from cloudml.shipping import SOURCE, START, requirements_file
from cloudml_aws import images, machines, names
from cloudml_aws.images import Image
from cloudml_aws.kinds import PROCESSING, Kind, kind
from cloudml_aws.places import CODE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cloudml.resources import JobResource
    from cloudml_aws.machines import Choice
    from cloudml_aws.places import Places
    from cloudml_aws.settings import AwsSettings

UPLOAD = "s3:Upload"
GRACE_S = 100.0
"""From SIGTERM to SIGKILL; SageMaker kills everything after 120 seconds, and the driver writes its record between."""
LATER_S = 900
"""SageMaker's own limit comes so much later than the driver's, which lets the script clean up and says why it ended."""
VARIABLES = 100
"""At most so many variables in a request."""
VOLUME_GIB = 30
"""The disk where none was asked for."""
USUAL = timedelta(days=5)
"""Longer jobs need an account's quota "longest run time" raised."""
DAY_S = 86_400


@dataclass(frozen=True, slots=True, kw_only=True)
class Container:
    """What a job runs on and in.

    Attributes:
        kind: What SageMaker runs it as.
        name: Its name there.
        choice: The machine.
        image: The image.
        volume_gib: The disk.
    """

    kind: Kind
    name: str
    choice: Choice
    image: Image
    volume_gib: int


def container(resource: JobResource, settings: AwsSettings) -> Container:
    """The machine and the image of a job.

    Raises:
        UnsupportedError: There is no such machine or image, or the job asks for more than its kind can have.
    """
    spec, path, found = resource.spec, resource.identity.resource, kind(resource.spec)
    _refuse(resource, found)
    choice = machines.choose(f"{path}.machine", spec.machine, found.key)
    if spec.image:
        image = Image(uri=spec.image)
    else:
        image = images.resolve(path, spec.framework, "training", choice.instance_type, settings)
    return Container(
        kind=found,
        name=names.native(resource.identity),
        choice=choice,
        image=image,
        volume_gib=choice.volume_gib or VOLUME_GIB,
    )


def _refuse(resource: JobResource, found: Kind) -> None:
    spec, path = resource.spec, resource.identity.resource
    if len(spec.inputs) > found.inputs:
        raise UnsupportedError(
            f"a {found.title} of SageMaker has at most {found.inputs} inputs besides its code, and `{path}` has"
            f" {len(spec.inputs)}",
            path=f"{path}.inputs",
            hint="let one job put several together, and read its output",
        )
    if spec.timeout > timedelta(days=found.days):
        raise UnsupportedError(
            f"a {found.title} of SageMaker runs for at most {found.days} days",
            path=f"{path}.timeout",
            hint=f"write {found.days}d or less; what the script leaves in `job.checkpoints` lets another run go on"
            if found is not PROCESSING
            else f"write {found.days}d or less",
        )


def driver_request(resource: JobResource, found: Kind) -> dict[str, Any]:
    """The request of cloudml.runtime.driver; see `cloudml.runtime.request` for its keys."""
    spec = resource.spec
    return {
        "version": 1,
        "name": names.native(resource.identity),
        "resource": resource.identity.resource,
        "script": spec.script,
        "source": f"{code_folder(found)}/{SOURCE}",
        **contract.paths(found.place, list(spec.inputs), list(spec.outputs)),
        "parameters": dict(spec.parameters),
        "environment": dict(spec.environment),
        "requirements": requirements_file(spec) if resource.requirements else None,
        "timeout_s": spec.timeout.total_seconds(),
        "grace_s": GRACE_S,
    }


def code_folder(found: Kind) -> str:
    """Where the code lies in the container."""
    return str(contract.paths(found.place, [CODE], [])["inputs"][CODE])


def entrypoint(found: Kind) -> list[str]:
    """What the container starts, as a program and not through a shell, which would keep SIGTERM to itself."""
    return ["python3", f"{code_folder(found)}/{START}"]


def card(resource: JobResource, found: Kind, places: Places) -> dict[str, Any]:
    """What is kept of a job besides what SageMaker keeps; it lies in the bucket before anything else of the job."""
    name = names.native(resource.identity)
    return {
        "kind": found.key,
        "tags": dict(resource.identity.tags),
        "parameters": dict(resource.spec.parameters),
        "outputs": {output: places.uri(places.output(name, output)) for output in resource.spec.outputs},
    }


def upload(resource: JobResource, found: Kind, places: Places) -> Call:
    """The transfer of the code and the driver's request."""
    name = names.native(resource.identity)
    return Call(
        UPLOAD,
        {
            "to": places.uri(f"{places.code(name)}/"),
            "code": {"digest": resource.source.digest, "files": len(resource.source.files)},
            "requirements": resource.requirements or None,
            "request": driver_request(resource, found),
            "card": card(resource, found, places),
        },
    )


def environment(resource: JobResource, found: Kind) -> dict[str, str]:
    """The container's own environment: what the driver's start and pip see; the script gets all from the driver."""
    return {contract.PROVIDER: "aws"} | {
        name: value
        for name, value in list(resource.spec.environment.items())[: VARIABLES - 1]
        if _fits(name, value, found)
    }


def _fits(name: str, value: str, found: Kind) -> bool:
    return len(name) <= found.characters and len(value) <= found.characters


def limit_s(timeout: timedelta, found: Kind) -> int:
    """SageMaker's own time limit: the driver's comes first, as far as SageMaker's longest allows."""
    return min(math.ceil(timeout.total_seconds() + GRACE_S) + LATER_S, found.days * DAY_S)


def volume_key(there: Container, settings: AwsSettings) -> str | None:
    """The key for the machine's disk; machines with disks of their own encrypt them themselves, and take none."""
    return None if machines.has_own_disk(there.choice.instance_type) else settings.kms_key


def network(settings: AwsSettings) -> dict[str, Any] | None:
    """The VPC of the target; None without one."""
    if not settings.subnets and not settings.security_groups:
        return None
    return {"SecurityGroupIds": list(settings.security_groups), "Subnets": list(settings.subnets)}


def notes(resource: JobResource, there: Container, settings: AwsSettings) -> Iterator[Note]:
    """What became of the fields that are not sent as they stand."""
    spec, path = resource.spec, resource.identity.resource
    yield from there.choice.notes
    yield from there.image.notes
    yield from shortened(resource.identity.resource, resource.identity.name, there.name, names.RULE)
    if spec.spot and not spec.trains:
        yield Note(f"{path}.spot", "runs as a training job without a model: only those can have spot machines")
    left_out = sorted(set(spec.environment) - set(environment(resource, there.kind)))
    if left_out:
        yield Note(
            f"{path}.environment",
            f"set for the script by the job's driver, and too long or too many for the container's own environment:"
            f" {', '.join(left_out)}",
        )
    if spec.timeout > USUAL:
        text = f"more than {USUAL.days} days need the account's quota `longest run time` raised"
        yield Note(f"{path}.timeout", text, Level.NATIVE)
    if settings.kms_key and volume_key(there, settings) is None:
        text = f"{there.choice.instance_type} encrypts its own disks, with keys of its own; outputs are under `kms_key`"
        yield Note(f"{path}.machine.disk", text)
    if resource.requirements and settings.network_isolation:
        text = "the target cuts containers off the network: only files of the code can be installed"
        yield Note(f"{path}.requirements", text)
