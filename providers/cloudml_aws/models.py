"""Models: a version in the model registry, and beside it the SageMaker model that endpoints name.

The SageMaker model costs nothing, is one per version and has a unique name: of two who register at once one makes it,
and an endpoint's plan needs its name only. A version has neither name nor tags of its own: its description carries what
`list` needs, so that a page of versions needs no further request, and its metadata the lineage.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

from cloudml.clouds import cards, models, settling
from cloudml.errors import AlreadyExistsError, ConflictError, NotFoundError, UnsupportedError
from cloudml.plan import Call, Note, Plan
from cloudml.records import dataclass
from cloudml.status import ModelStatus, State
from cloudml_aws import images, serving
from cloudml_aws.names import group, native, tags
from cloudml_aws.versions import Registry, described, facts, failure, measured, metadata, name_of

if TYPE_CHECKING:
    from collections.abc import Container, Iterator, Mapping, Sequence

    from cloudml.resources import Identity, ModelResource
    from cloudml_aws.clients import Clients
    from cloudml_aws.places import Places
    from cloudml_aws.settings import AwsSettings

COPY = "s3:CopyObject"
PUT = "s3:PutObject"
GROUP = "sagemaker:CreateModelPackageGroup"
VERSION = "sagemaker:CreateModelPackage"
MODEL = "sagemaker:CreateModel"
APPROVED = "Approved"
TYPES = ("application/json", "text/csv", "application/jsonlines")
STATES: Mapping[str, State] = {
    "Pending": State.CREATING,
    "InProgress": State.CREATING,
    "Completed": State.READY,
    "Failed": State.FAILED,
    "Deleting": State.DELETING,
}
JUDGED: Mapping[str, str] = {
    APPROVED: "",
    "Rejected": "it was rejected in the registry",
    "PendingManualApproval": "it awaits approval in the registry",
}
"""Approval status to why the version is not deployed; empty when it may be."""
INTERRUPTED = "registering it was interrupted"
UNLISTED = "its version is not in the registry"
TOKEN = 36
CPU, GPU = "ml.m5.xlarge", "ml.g5.xlarge"
OWN_SERVERS = frozenset({"tensorflow"})
GPU_IMAGES = frozenset({"pytorch", "huggingface"})
"""Frameworks whose image for accelerators runs on machines without one as well: a version is served on either."""


def lower(resource: ModelResource, places: Places, settings: AwsSettings) -> tuple[Call, ...]:
    """The requests of a version, in order: its files, its group, its entry in the registry, its SageMaker model."""
    container = lower_container(resource, places, settings)
    files = places.uri(f"{places.model(native(resource.identity))}/")
    return (
        Call(COPY, {"CopySource": f"{resource.artifact.rstrip('/')}/", "Key": files}),
        Call(PUT, {"Key": f"{files}code/", "Body": lower_code(resource)}),
        Call(GROUP, {"ModelPackageGroupName": group(resource.identity), "Tags": group_tags(resource, settings)}),
        Call(VERSION, lower_version(resource, container)),
        Call(MODEL, lower_model(resource, container, settings)),
    )


def lower_code(resource: ModelResource) -> dict[str, Any]:
    """What travels to serve the model."""
    source = resource.source
    return {
        **serving.card(resource),
        "code": {"digest": source.digest, "files": len(source.files)} if source else None,
        "requirements": resource.requirements,
    }


def lower_container(resource: ModelResource, places: Places, settings: AwsSettings) -> dict[str, Any]:
    """The container that serves it: a prebuilt image, the files as they lie, and the variables that find the code."""
    return {
        "Image": image(resource, settings).uri,
        "ModelDataSource": {
            "S3DataSource": {
                "S3Uri": places.uri(f"{places.model(native(resource.identity))}/"),
                "S3DataType": "S3Prefix",
                "CompressionType": "None",
            }
        },
        "Environment": serving.environment(resource),
    }


def image(resource: ModelResource, settings: AwsSettings) -> images.Image:
    """The image that serves what the model's job ran on; the endpoint's machine is not known to a version.

    Raises:
        UnsupportedError: The framework's image has a server of its own, which runs no Python of the model's.
    """
    path, name = resource.identity.resource, resource.framework.name if resource.framework else ""
    if name in OWN_SERVERS:
        raise UnsupportedError(
            f"`{path}` comes from a job on `{name}`, and SageMaker's image for it runs TensorFlow Serving alone",
            path=f"{path}.source",
            hint="let the job run on another framework with tensorflow in its requirements.txt, and the model's",
        )
    return images.resolve(path, resource.framework, "inference", GPU if name in GPU_IMAGES else CPU, settings)


def lower_version(resource: ModelResource, container: Mapping[str, Any]) -> dict[str, Any]:
    """The entry in the registry. Passing the gate approves it; the token makes a repeated request the same version."""
    return {
        "ModelPackageGroupName": group(resource.identity),
        "ModelPackageDescription": described(resource),
        "ModelApprovalStatus": APPROVED,
        "InferenceSpecification": {
            "Containers": [container],
            "SupportedContentTypes": list(TYPES),
            "SupportedResponseMIMETypes": list(TYPES),
        },
        "CustomerMetadataProperties": metadata(resource),
        "ClientToken": resource.identity.hash[:TOKEN],
    }


def lower_model(resource: ModelResource, container: Mapping[str, Any], settings: AwsSettings) -> dict[str, Any]:
    """The SageMaker model that an endpoint names."""
    body = {
        "ModelName": native(resource.identity),
        "ExecutionRoleArn": settings.role_arn,
        "PrimaryContainer": container,
        "Tags": tags(resource.identity, settings),
    }
    if settings.subnets:
        body["VpcConfig"] = {"Subnets": list(settings.subnets), "SecurityGroupIds": list(settings.security_groups)}
    return {**body, "EnableNetworkIsolation": True} if settings.network_isolation else body


def group_tags(resource: ModelResource, settings: AwsSettings) -> list[dict[str, str]]:
    """A group outlives its versions, so it has no hash."""
    return [tag for tag in tags(resource.identity, settings) if tag["Key"] != "cloudml-hash"]


def notes(resource: ModelResource, settings: AwsSettings) -> Iterator[Note]:
    """What became of what is not sent as it stands."""
    path = resource.identity.resource
    for note in image(resource, settings).notes:
        yield Note(f"{path}.source", f"served by {note.text}", note.level)
    if serving.own_handlers(resource):
        yield Note(f"{path}.predictor", "its own handlers are called by the image; cloudml's server is not between")
    if resource.requirements and settings.network_isolation:
        yield Note(f"{path}.requirements", "`network_isolation` of the target lets nothing be installed")


def lift(version: Mapping[str, Any], uri: str, *, served: bool) -> ModelStatus:
    """The status in a version's description or in its entry of a list.

    Args:
        version: A ModelPackageSummary, or what DescribeModelPackage answers.
        uri: Where its files lie.
        served: Whether its SageMaker model is there; without it, registering was interrupted.
    """
    said = facts(version.get("ModelPackageDescription", ""))
    state = STATES.get(version["ModelPackageStatus"], State.UNKNOWN)
    approval = version.get("ModelApprovalStatus", APPROVED)
    reason = JUDGED.get(approval, f"its approval status is {approval}")
    if reason and version.get("ApprovalDescription"):
        reason = f"{reason}: {version['ApprovalDescription']}"
    if state is State.READY and not served:
        reason = INTERRUPTED
    failed = state is State.READY and bool(reason)
    return ModelStatus(
        resource=said.get("resource", ""),
        name=said.get("name", ""),
        project=said.get("project", ""),
        hash=said.get("hash", ""),
        state=State.FAILED if failed else state,
        reason=reason or failure(version),
        created=version.get("CreationTime"),
        updated=version.get("LastModifiedTime", version.get("CreationTime")),
        native=dict(version),
        version=f"v{version['ModelPackageVersion']}" if "ModelPackageVersion" in version else "",
        uri=uri,
        metrics=said.get("metrics") or measured(version.get("CustomerMetadataProperties", {})),
    )


@dataclass(frozen=True, slots=True)
class AwsModels:
    """Models in SageMaker's registry."""

    clients: Clients
    places: Places

    def plan(self, resource: ModelResource) -> Plan:
        """The copies and three requests; nothing is sent."""
        settings = self.clients.settings
        return Plan(lower(resource, self.places, settings), tuple(notes(resource, settings)))

    def create(self, resource: ModelResource) -> ModelStatus:
        """Copy the files, then register; interrupted anywhere, the next call goes on and makes one version.

        Raises:
            AlreadyExistsError: It is registered, or another registers it at this moment.
            ConflictError: Somebody rejected it in the registry, or has not approved it yet.
            NotFoundError: The job's output is not there.
        """
        identity, name = resource.identity, native(resource.identity)
        there = self._registry.of(identity)
        mended = self._mending(identity, there)
        self._lay(resource)
        *_, a_group, a_version, a_model = lower(resource, self.places, self.clients.settings)
        with suppress(AlreadyExistsError):
            self.clients.send(a_group.operation, a_group.body)
        if not self._registry.of(identity):
            self.clients.send(a_version.operation, a_version.body)
        try:
            self.clients.send(a_model.operation, a_model.body)
        except AlreadyExistsError:
            if not mended:
                raise
        finally:
            self._registry.leave_one(identity)
        return settling.seen(lambda: self._registered(name), self.clients.sleep)

    def _mending(self, identity: Identity, there: Sequence[Mapping[str, Any]]) -> bool:
        """Whether the SageMaker model stands and its version is to be made again.

        What is registered or judged is refused; a version that the registry could not take is removed.
        """
        name = native(identity)
        served = self._model(name) is not None
        status = self._lifted(there[0], served=served) if there else None
        approval = there[0].get("ModelApprovalStatus", APPROVED) if there else APPROVED
        if approval != APPROVED:
            judged = self._lifted(self._registry.whole(there[0]), served=served)
            raise ConflictError(
                f"version {judged.version} of `{identity.resource}` is not deployed: {judged.reason}",
                operation=VERSION,
                hint="approve it in the registry, or change what it is made from",
            )
        if status and served and status.state is not State.FAILED:
            raise AlreadyExistsError(f"model `{name}` is registered already", operation=MODEL, code="AlreadyExists")
        if status and status.state is State.FAILED and status.reason != INTERRUPTED:
            self._registry.remove(there)
        return served

    def _lay(self, resource: ModelResource) -> None:
        """Bring the model's files and the code that serves them to the bucket."""
        models.lay(resource, native(resource.identity), self.places, self._storage, COPY, serving.lay_out)

    def _registered(self, name: str) -> ModelStatus:
        """The version as the registry has it; lists of versions lag behind.

        Raises:
            NotFoundError: It is not listed yet.
        """
        status = self.get(name)
        if status.reason == UNLISTED:
            raise NotFoundError(f"model `{name}` is not listed yet", operation="sagemaker:ListModelPackages")
        return status

    def get(self, name: str) -> ModelStatus:
        """The version behind a SageMaker model, as the registry has it now."""
        model = self._model(name)
        if model is None:
            raise NotFoundError(f"there is no model `{name}`", operation="sagemaker:DescribeModel")
        found = [one for one in self._registry.versions(self._registry.groups(name)) if name_of(one) == name]
        if not found:
            return self._without_version(name, model)
        return self._lifted(self._registry.whole(found[0]), served=True)

    def list(self, project: str) -> Iterator[ModelStatus]:
        """Every version of the project: a request for each model and page, none for each version."""
        served = {one["ModelName"] for one in self._registry.pages("Models", "Models", f"{project}-")}
        known: set[str] = set()
        for version in self._registry.versions(self._registry.groups(f"{project}-")):
            said = facts(version.get("ModelPackageDescription", ""))
            if said.get("project") == project and said["name"] not in known:
                known.add(said["name"])
                yield self._lifted(version, served=said["name"] in served)
        yield from (one for one in self._begun(known) if one.project == project)

    def delete(self, name: str) -> None:
        """Remove the SageMaker model, the files, the version, and the group with its last version.

        In this order whatever is left by an interruption is still listed, as a version that was not finished.
        """
        self._registry.gone("sagemaker:DeleteModel", {"ModelName": name})
        self._storage.delete(self.places.model(name))
        for a_group in self._registry.groups(name):
            ours = [one for one in self._registry.versions((a_group,)) if name_of(one) == name]
            self._registry.remove(ours)
            # Asked anew: of two versions that are removed at once, the later one takes the group along.
            if ours and not tuple(self._registry.versions((a_group,))):
                with suppress(ConflictError, AlreadyExistsError):  # another version came at this moment
                    self._registry.gone("sagemaker:DeleteModelPackageGroup", {"ModelPackageGroupName": a_group})
        cards.remove(self._storage, self.places.card("models", name))

    @property
    def _registry(self) -> Registry:
        return Registry(self.clients)

    @property
    def _storage(self) -> Any:
        return self.clients.storage(self.places.root)

    def _begun(self, known: Container[str]) -> Iterator[ModelStatus]:
        """What was begun and came not so far as the registry."""
        for name in cards.listed(self._storage, self.places.card("models", "")):
            if name in known:
                continue
            with suppress(NotFoundError):
                said = cards.read(self._storage, self.places.card("models", name))
                yield ModelStatus(
                    resource=said["cloudml-resource"],
                    name=name,
                    project=said["cloudml-project"],
                    hash=said["cloudml-hash"],
                    state=State.FAILED,
                    reason=INTERRUPTED,
                    uri=self.places.uri(f"{self.places.model(name)}/"),
                )

    def _model(self, name: str) -> dict[str, Any] | None:
        try:
            return self.clients.send("sagemaker:DescribeModel", {"ModelName": name})
        except NotFoundError:
            return None

    def _without_version(self, name: str, model: Mapping[str, Any]) -> ModelStatus:
        """A model whose version somebody removed from the registry."""
        listed = self.clients.send("sagemaker:ListTags", {"ResourceArn": model["ModelArn"]})["Tags"]
        said = {tag["Key"]: tag["Value"] for tag in listed}
        return ModelStatus(
            resource=said.get("cloudml-resource", ""),
            name=name,
            project=said.get("cloudml-project", ""),
            hash=said.get("cloudml-hash", ""),
            state=State.FAILED,
            reason=UNLISTED,
            created=model.get("CreationTime"),
            native=dict(model),
        )

    def _lifted(self, version: Mapping[str, Any], *, served: bool) -> ModelStatus:
        name = name_of(version)
        return lift(version, self.places.uri(f"{self.places.model(name)}/"), served=served)
