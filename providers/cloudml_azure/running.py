"""What a job needs in its container: the driver's request, the command, the environment, the machine, its data.

Pure but for `ensure`: from the resource, the places and the settings alone.
"""

from __future__ import annotations

import math
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from cloudml.capabilities import Level
from cloudml.clouds.names import shortened
from cloudml.errors import NotFoundError, UnsupportedError
from cloudml.plan import Call, Note
from cloudml.records import dataclass
from cloudml.runtime import contract
from cloudml.shipping import SOURCE, START, requirements_file
from cloudml_azure import images, machines, names, versions
from cloudml_azure.places import datastore_uri

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from cloudml.resources import Identity, JobResource
    from cloudml_azure.clients import Clients
    from cloudml_azure.images import Image
    from cloudml_azure.machines import Choice
    from cloudml_azure.places import Places
    from cloudml_azure.settings import AzureSettings

UPLOAD = "Blobs_Upload"
GRACE_S = 30.0
"""From SIGTERM to SIGKILL; a node of Azure Batch, on which jobs run, gives no more when it is taken away."""
LATER_S = 900
"""Azure's own limit comes so much later than the driver's, which lets the script clean up and says why it ended."""
LONGEST = timedelta(days=21)
LONGEST_SPOT = timedelta(days=7)
"""Source: "Manage and increase quotas", lifetime of jobs, and of jobs on low-priority machines."""
SPOT = "Spot"
RECORD, CHECKPOINTS = "cloudml_record", "cloudml_checkpoints"
"""Outputs that are cloudml's own; no output of a project begins like them."""
NODES = "PyTorch"
"""The distribution that tells every machine its rank and where the first one is, and starts one process on each."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Container:
    """What a job runs on and in.

    Attributes:
        name: Its name there.
        choice: The machine; None where a cluster has its own.
        image: The image.
    """

    name: str
    choice: Choice | None
    image: Image


def container(resource: JobResource, settings: AzureSettings) -> Container:
    """The machine and the image of a job.

    Raises:
        UnsupportedError: There is no such machine or image, or the job asks for more than Azure ML has.
    """
    spec, path = resource.spec, resource.identity.resource
    _refuse(resource, settings)
    choice = None if settings.compute else machines.choose(f"{path}.machine", spec.machine, "job")
    image = images.own(spec.image) if spec.image else images.resolve(path, spec.framework, _size(choice))
    return Container(name=names.native(resource.identity), choice=choice, image=image)


def _size(choice: Choice | None) -> str:
    return choice.instance_type if choice else machines.PLAIN


def _refuse(resource: JobResource, settings: AzureSettings) -> None:
    spec, path = resource.spec, resource.identity.resource
    longest = LONGEST_SPOT if spec.spot else LONGEST
    if spec.timeout > longest:
        raise UnsupportedError(
            f"a {'spot ' if spec.spot else ''}job of Azure Machine Learning runs for at most {longest.days} days",
            path=f"{path}.timeout",
            hint=f"write {longest.days}d or less; what the script leaves in `job.checkpoints` lets another run go on",
        )
    if settings.compute and spec.spot:
        raise UnsupportedError(
            f"`{path}` asks for spot machines, and the target's cluster `{settings.compute}` has a tier of its own",
            path=f"{path}.spot",
            hint="leave `compute` out of the target, or choose a low-priority cluster and drop `spot`",
        )


def driver_request(resource: JobResource) -> dict[str, Any]:
    """The request of cloudml.runtime.driver; see `cloudml.runtime.request` for its keys."""
    spec = resource.spec
    return {
        "version": 1,
        "name": names.native(resource.identity),
        "resource": resource.identity.resource,
        "script": spec.script,
        "source": SOURCE,
        **contract.paths("azure", list(spec.inputs), list(spec.outputs)),
        "parameters": dict(spec.parameters),
        "environment": dict(spec.environment),
        "requirements": requirements_file(spec) if resource.requirements else None,
        "timeout_s": spec.timeout.total_seconds(),
        "grace_s": GRACE_S,
    }


def command(resource: JobResource) -> str:
    """What the container starts, in the folder of its code; `exec` leaves no shell between Azure and the driver.

    Where the container finds its folders is known to the command line alone.
    """
    spec = resource.spec
    told = {f"INPUT_{contract.variable(name)}": f"inputs.{name}" for name in spec.inputs}
    told |= {f"OUTPUT_{contract.variable(name)}": f"outputs.{name}" for name in spec.outputs}
    told |= {"RECORD": f"outputs.{RECORD}", "CHECKPOINTS": f"outputs.{CHECKPOINTS}"}
    settings = [f"--set CLOUDML_{name}=${{{{{place}}}}}" for name, place in told.items()]
    return " ".join(["exec python3", START, *settings])


def inputs(resource: JobResource, settings: AzureSettings) -> dict[str, Any]:
    """The inputs, each a folder that is there before the script starts."""
    return {name: folder_in(uri, settings) for name, uri in resource.inputs.items()}


def folder_in(uri: str, settings: AzureSettings) -> dict[str, Any]:
    """A folder that is copied to the machine."""
    return _folder("jobInputType", uri, settings, "Download")


def folder_out(uri: str, settings: AzureSettings, mode: str) -> dict[str, Any]:
    """A folder that is kept: uploaded at the end, or mounted, which is kept even of a job that was killed."""
    return _folder("jobOutputType", uri, settings, mode)


def _folder(kind: str, uri: str, settings: AzureSettings, mode: str) -> dict[str, Any]:
    return {kind: "uri_folder", "mode": mode, "uri": f"{datastore_uri(uri, settings).rstrip('/')}/"}


def outputs(resource: JobResource, places: Places, settings: AzureSettings) -> dict[str, Any]:
    """The script's outputs, and what the driver leaves: record and checkpoints."""
    name = names.native(resource.identity)
    kept = {
        output: folder_out(places.uri(places.output(name, output)), settings, "Upload")
        for output in resource.spec.outputs
    }
    mounted = {RECORD: places.record(name), CHECKPOINTS: places.checkpoints(name)}
    return kept | {key: folder_out(places.uri(path), settings, "ReadWriteMount") for key, path in mounted.items()}


def card(resource: JobResource, places: Places) -> dict[str, Any]:
    """What is kept of a job besides what Azure ML keeps; it lies in the container before anything else of the job."""
    name, spec = names.native(resource.identity), resource.spec
    return {
        "tags": dict(resource.identity.tags),
        "parameters": dict(spec.parameters),
        "metrics": list(spec.metrics),
        "outputs": {output: places.uri(places.output(name, output)) for output in spec.outputs},
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
            "request": driver_request(resource),
            "card": card(resource, places),
        },
    )


def ensure(clients: Clients, wanted: Call) -> None:
    """Make the datastore unless it is there; one that the target names is the user's own, and stays as it is."""

    def look() -> None:
        try:
            clients.send("Datastores_Get", {"name": wanted.body["name"]})
        except NotFoundError:
            clients.send(wanted.operation, wanted.body)

    clients.once(f"datastore/{wanted.body['name']}", look)


def environment(identity: Identity, image: str, settings: AzureSettings) -> Call:
    """The environment of an image of one's own, named like what runs in it."""
    properties = {"image": image, "osType": "Linux", "tags": names.tags(identity, settings)}
    return versions.call(versions.ENVIRONMENT, names.native(identity), properties)


def environment_id(there: Container, settings: AzureSettings) -> str:
    """The id of the environment in which a job runs."""
    return there.image.environment or versions.id_of(versions.ENVIRONMENT, there.name, settings)


def variables(spec_environment: Mapping[str, str]) -> dict[str, str]:
    """The container's own environment: what the driver's start and pip see; the script gets all from the driver."""
    return {**spec_environment, contract.PROVIDER: "azure"}


def limit(timeout: timedelta) -> str:
    """Azure's own time limit, in ISO 8601: the driver's comes first, as far as Azure's longest allows."""
    seconds = math.ceil(timeout.total_seconds() + GRACE_S) + LATER_S
    return f"PT{min(seconds, int(LONGEST.total_seconds()))}S"


def identity(settings: AzureSettings) -> dict[str, str] | None:
    """Who a job is: the target's identity, or Azure ML's usual way."""
    return {"identityType": "Managed", "resourceId": settings.identity} if settings.identity else None


def notes(resource: JobResource, there: Container, settings: AzureSettings) -> Iterator[Note]:
    """What became of the fields that are not sent as they stand."""
    spec, path = resource.spec, resource.identity.resource
    yield from there.choice.notes if there.choice else ()
    yield from there.image.notes
    yield from shortened(path, resource.identity.name, there.name, names.RULE)
    if settings.compute:
        text = f"the target's cluster `{settings.compute}` has machines of its own, and no other is asked for"
        yield Note(f"{path}.machine", text)
    if there.image.uri and spec.image:
        text = f"an environment {there.name} is made for it"
        yield Note(f"{path}.image", text, Level.NATIVE)
    if spec.nodes > 1:
        text = f"{spec.nodes} machines, each with one process; distribution {NODES} tells it its rank"
        yield Note(f"{path}.nodes", text, Level.NATIVE)
