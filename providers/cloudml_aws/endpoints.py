"""Endpoints: a configuration that is never changed, an endpoint that is moved from one to the next, and its scaling.

A configuration's name has the hash of its content, and its tags the whole of it, so the live configuration tells what
the endpoint is. An update is blue/green: new instances are started beside the old ones, and take over when they pass
the health check; otherwise the endpoint goes on with the old ones, and says why.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

from cloudml.clouds import settling, words
from cloudml.errors import AlreadyExistsError, InvalidRequestError, NotFoundError, ProviderError
from cloudml.plan import Call, Note, Plan
from cloudml.records import dataclass
from cloudml.status import Answer, EndpointStatus, State
from cloudml_aws import invoking, machines, rollout
from cloudml_aws.errors import translated
from cloudml_aws.live import ENDPOINT_TAG, SCALING_TAG, Live, Looking, lift_config
from cloudml_aws.names import fit, listed, native, tags
from cloudml_aws.scaling import VARIANT, refuse_burstable
from cloudml_aws.scaling import lower as lower_scaling
from cloudml_aws.scaling import wanted as scaling_wanted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from cloudml.resources import EndpointResource
    from cloudml_aws.clients import Clients
    from cloudml_aws.places import Places
    from cloudml_aws.settings import AwsSettings

CONFIG = "sagemaker:CreateEndpointConfig"
CREATE = "sagemaker:CreateEndpoint"
UPDATE = "sagemaker:UpdateEndpoint"
DEAD = "Failed"
"""An endpoint in this state can only be deleted. Source: the reference of DescribeEndpoint."""
STUCK = "UpdateRollbackFailed"
"""An endpoint in this state may have to be deleted as well."""
STATES: Mapping[str, State] = {
    "Creating": State.CREATING,
    "Updating": State.UPDATING,
    "SystemUpdating": State.UPDATING,
    "RollingBack": State.UPDATING,
    "InService": State.READY,
    "OutOfService": State.FAILED,
    "Deleting": State.DELETING,
    "Failed": State.FAILED,
    STUCK: State.FAILED,
}
REASONS: Mapping[str, str] = {
    "OutOfService": "it takes no requests",
    STUCK: "neither the update nor its roll-back succeeded: old and new instances answer",
}
"""What a state means, where the API gives no reason."""
DOWNLOAD_S = 1800
STARTUP_S = 900
"""For requirements to be installed and the model to be loaded; SageMaker allows an hour at most."""
CONTENT = {"JsonContentTypes": ["application/json", "application/jsonlines"], "CsvContentTypes": ["text/csv"]}
"""What is captured as text: everything else would lie there in base64."""


def config_name(resource: EndpointResource) -> str:
    """The configuration of that content."""
    return fit(f"{native(resource.identity)}-{resource.identity.hash[:10]}")


def lower(resource: EndpointResource, places: Places, settings: AwsSettings) -> tuple[Call, ...]:
    """The requests of an endpoint, in order; the last two once it is in service, where its size follows the traffic.

    Raises:
        UnsupportedError: No machine is large enough, or it cannot be scaled; a word of the `aws` block is not allowed.
    """
    name = native(resource.identity)
    path, block = f"{resource.identity.resource}.aws", resource.spec.native.get("aws", {})
    calls = (
        Call(CONFIG, lower_config(resource, places, settings)),
        Call(CREATE, lower_endpoint(resource, settings)),
        *lower_scaling(name, resource, settings),
    )
    return tuple(merged(path, block, calls))


def merged(path: str, block: Mapping[str, Any], calls: tuple[Call, ...]) -> Iterator[Call]:
    """The requests with the user's own words in them: how it is moved in the endpoint's, the rest in the first.

    What cloudml only proposes gives way: the way of an update, and how long a start may take.
    """
    for call in calls:
        own = {key: value for key, value in block.items() if OWN_WORDS.get(key, CONFIG) == call.operation}
        merge = MERGED[call.operation] if own else None
        yield Call(call.operation, merge(path, own, call.body)) if merge else call


def _merged_config(path: str, own: Mapping[str, Any], body: Mapping[str, Any]) -> dict[str, Any]:
    """Words for the one variant stand in a list of one, as in the request."""
    said = own.get("ProductionVariants")
    if not (isinstance(said, list) and len(said) == 1 and isinstance(said[0], dict)):
        return words.merge(path, own, body)
    place, (variant,) = f"{path}.ProductionVariants", body["ProductionVariants"]
    kept = {key: value for key, value in variant.items() if key not in PROPOSED or key not in said[0]}
    rest = {key: value for key, value in own.items() if key != "ProductionVariants"}
    merged = words.merge(path, rest, body)
    merged["ProductionVariants"] = [words.merge(place, said[0], kept)]
    return merged


OWN_WORDS: Mapping[str, str] = {"DeploymentConfig": CREATE}
"""Words of the `aws` block that are not the configuration's."""
PROPOSED = ("ModelDataDownloadTimeoutInSeconds", "ContainerStartupHealthCheckTimeoutInSeconds")
MERGED: Mapping[str, Callable[[str, Mapping[str, Any], Mapping[str, Any]], dict[str, Any]]] = {
    CONFIG: _merged_config,
    CREATE: rollout.merged,
}


def lower_config(resource: EndpointResource, places: Places, settings: AwsSettings) -> dict[str, Any]:
    """The configuration: which model, on what, and what is recorded."""
    body: dict[str, Any] = {
        "EndpointConfigName": config_name(resource),
        "ProductionVariants": [lower_variant(resource)],
        "Tags": config_tags(resource, settings),
    }
    if resource.spec.capture:
        body["DataCaptureConfig"] = lower_capture(resource, places, settings)
    own_disk = machines.has_own_disk(machine(resource).instance_type)
    return {**body, "KmsKeyId": settings.kms_key} if settings.kms_key and not own_disk else body


def lower_variant(resource: EndpointResource) -> dict[str, Any]:
    """The one variant."""
    choice = machine(resource)
    refuse_burstable(resource, choice.instance_type)
    own_disk = machines.has_own_disk(choice.instance_type)
    volume = {"VolumeSizeInGB": choice.volume_gib} if choice.volume_gib and not own_disk else {}
    return {
        "VariantName": VARIANT,
        "ModelName": fit(resource.model),
        "InstanceType": choice.instance_type,
        "InitialInstanceCount": resource.spec.scale.min,
        "InitialVariantWeight": 1.0,
        **volume,
        "ModelDataDownloadTimeoutInSeconds": DOWNLOAD_S,
        "ContainerStartupHealthCheckTimeoutInSeconds": STARTUP_S,
    }


def machine(resource: EndpointResource) -> machines.Choice:
    """The machine that is asked for."""
    return machines.choose(f"{resource.identity.resource}.machine", resource.spec.machine, "endpoint")


def lower_capture(resource: EndpointResource, places: Places, settings: AwsSettings) -> dict[str, Any]:
    """What is recorded of requests and answers."""
    body = {
        "EnableCapture": True,
        "InitialSamplingPercentage": percent(resource.spec.capture),
        "DestinationS3Uri": places.uri(places.capture("")),
        "CaptureOptions": [{"CaptureMode": "Input"}, {"CaptureMode": "Output"}],
        "CaptureContentTypeHeader": CONTENT,
    }
    return {**body, "KmsKeyId": settings.kms_key} if settings.kms_key else body


def percent(share: float) -> int:
    """A share in whole hundredths, the only ones that SageMaker knows; some where some are asked for."""
    return max(1, round(share * 100))


def lower_endpoint(resource: EndpointResource, settings: AwsSettings) -> dict[str, Any]:
    """The endpoint, and how it is moved later on."""
    return {
        "EndpointName": native(resource.identity),
        "EndpointConfigName": config_name(resource),
        "DeploymentConfig": rollout.policy(resource.spec.scale.min),
        "Tags": [tag for tag in tags(resource.identity, settings) if tag["Key"] != "cloudml-hash"],
    }


def config_tags(resource: EndpointResource, settings: AwsSettings) -> list[dict[str, str]]:
    """The tags by which a configuration tells what the endpoint is that it is live at."""
    scaling = scaling_wanted(resource, settings)
    own = {ENDPOINT_TAG: native(resource.identity), **({SCALING_TAG: scaling} if scaling else {})}
    return listed({**settings.tags, **resource.identity.tags, **own})


def notes(resource: EndpointResource) -> Iterator[Note]:
    """What became of what is not sent as it stands."""
    path, spec = resource.identity.resource, resource.spec
    yield from machine(resource).notes
    if spec.capture and round(spec.capture * 100, 6) != percent(spec.capture):
        yield Note(f"{path}.capture", f"{percent(spec.capture)} of 100 requests are recorded: only whole percents")
    if spec.scale.min < spec.scale.max:
        yield Note(f"{path}.instances", "registered once the endpoint is in service; an update keeps the number")


def host(settings: AwsSettings) -> str:
    """Where the endpoints of a region answer; China has a domain of its own."""
    domain = "amazonaws.com.cn" if settings.partition == "aws-cn" else "amazonaws.com"
    return f"runtime.sagemaker.{settings.region}.{domain}"


def lift(live: Live, host: str) -> EndpointStatus:
    """The status of an endpoint: up when nothing is pending and it scales as asked."""
    endpoint = live.endpoint
    state = STATES.get(live.status, State.UNKNOWN)
    reasons = [endpoint.get("FailureReason", "") or REASONS.get(live.status, "")]
    if state is State.READY and endpoint.get("PendingDeploymentSummary"):
        state = State.UPDATING
    elif state is State.READY and live.scaling:
        state, reasons = State.UNFINISHED, [*reasons, live.scaling]
    if live.tail:
        reasons.append("the container's last lines: " + " | ".join(live.tail))
    name = endpoint["EndpointName"]
    return EndpointStatus(
        resource=live.tags.get("cloudml-resource", ""),
        name=name,
        project=live.tags.get("cloudml-project", ""),
        hash=live.tags.get("cloudml-hash", ""),
        state=state,
        reason="; ".join(reason for reason in reasons if reason),
        created=endpoint.get("CreationTime"),
        updated=endpoint.get("LastModifiedTime"),
        native={"endpoint": dict(endpoint), "config": dict(live.config)},
        url=f"https://{host}/endpoints/{name}/invocations",
        model=live.variant.get("ModelName", ""),
        instances=sum(int(one.get("CurrentInstanceCount", 0)) for one in endpoint.get("ProductionVariants", ())),
    )


@dataclass(frozen=True, slots=True)
class AwsEndpoints:
    """Endpoints of SageMaker that answer at once."""

    clients: Clients
    places: Places

    def plan(self, resource: EndpointResource) -> Plan:
        """Two requests, and two more where its size follows the traffic; nothing is sent."""
        return Plan(lower(resource, self.places, self.clients.settings), tuple(notes(resource)))

    def create(self, resource: EndpointResource) -> EndpointStatus:
        """Make the configuration and the endpoint; one that failed is removed first.

        Raises:
            AlreadyExistsError: The endpoint is there, and did not fail.
        """
        name = native(resource.identity)
        config, endpoint, *_ = lower(resource, self.places, self.clients.settings)
        self._configure(config)
        try:
            self._send(endpoint)
        except AlreadyExistsError:
            if self._described(name).get("EndpointStatus") != DEAD:
                raise
            self._remove(name)
            self._send(endpoint)
        return settling.seen(lambda: self.get(name), self.clients.sleep)

    def update(self, resource: EndpointResource) -> EndpointStatus:
        """Move the endpoint to *resource*, or send what is left where it is there already; revive one that failed.

        Raises:
            NotFoundError: There is no such endpoint.
            ConflictError: It is being created, updated or deleted.
        """
        name = native(resource.identity)
        config, endpoint, *scaling = lower(resource, self.places, self.clients.settings)
        live = self._looking.live(name)
        if live.endpoint["EndpointStatus"] == DEAD:
            return self.create(resource)
        if live.endpoint["EndpointConfigName"] == config_name(resource) and STATES.get(live.status) is State.READY:
            for call in scaling:
                self._send(call)
            return self.get(name)
        self._configure(config)
        after = scaling_wanted(resource, self.clients.settings)
        if live.scaled and (not after or live.variant.get("InstanceType") != machine(resource).instance_type):
            # The instance type of a variant whose number is scaled cannot be changed.
            self._looking.scaling.remove(name)
        try:
            self._send(Call(UPDATE, rollout.lower(endpoint.body, keep_count=bool(live.scaled and after))))
        except InvalidRequestError:
            if live.status != STUCK:
                raise
            self._remove(name)
            return self.create(resource)
        return self.get(name)

    def get(self, name: str) -> EndpointStatus:
        """How the endpoint stands: its hash is that of the configuration that answers now."""
        return lift(self._looking.live(name), host(self.clients.settings))

    def list(self, project: str) -> Iterator[EndpointStatus]:
        """Every endpoint of the project, and those of which a configuration was made and no more."""
        known: set[str] = set()
        configs: set[str] = set()
        for summary in self._looking.pages("Endpoints", f"{project}-"):
            with suppress(NotFoundError):  # it went meanwhile
                status = self.get(summary["EndpointName"])
                known.add(status.name)
                configs.add(status.native["endpoint"]["EndpointConfigName"])
                if status.project == project:
                    yield status
        for config in self._looking.pages("EndpointConfigs", f"{project}-"):
            if config["EndpointConfigName"] not in configs:
                said = self._looking.tags(config["EndpointConfigArn"])
                name = said.get(ENDPOINT_TAG, "")
                if said.get("cloudml-project") == project and name and name not in known:
                    known.add(name)
                    yield lift_config(name, said, config)

    def invoke(self, name: str, body: bytes, *, content_type: str, accept: str) -> Answer:
        """One request, sent once; one for no predictions that is answered lets older configurations go.

        Raises:
            InvalidRequestError: The container refused it, in its own words; or it is larger than 6 MiB.
            UnavailableError: The container failed, or did not answer within 60 seconds.
            NotFoundError: There is no such endpoint.
        """
        from cloudml.runtime.answering import NOTHING, asks_nothing

        invoking.refuse_large(body)
        request = {"EndpointName": name, "Body": body, "ContentType": content_type, "Accept": accept}
        try:
            answer = self.clients.send(invoking.OPERATION, request)
            with translated(invoking.OPERATION):
                content = answer["Body"].read()
        except ProviderError as error:
            ours = invoking.answered(name, error)
            if not (asks_nothing(body) and self._own_handlers(name, ours)):
                raise ours from error
            return Answer(status=NOTHING.status, body=NOTHING.body, content_type=NOTHING.content_type)
        if asks_nothing(body):
            self._looking.sweep(name)
        return Answer(status=200, body=content, content_type=answer.get("ContentType", ""))

    def delete(self, name: str) -> None:
        """Remove its scaling, the endpoint, its configurations and what was recorded; returns when it is gone."""
        self._remove(name)
        for config in self._looking.configs(name):
            self._looking.remove_config(config)
        self.clients.storage(self.places.root).delete(self.places.capture(name))

    @property
    def _looking(self) -> Looking:
        return Looking(self.clients)

    def _send(self, call: Call) -> None:
        """Send what may name something that was made a moment ago and is not seen everywhere yet."""
        settling.seen(lambda: self.clients.send(call.operation, call.body), self.clients.sleep)

    def _configure(self, config: Call) -> None:
        with suppress(AlreadyExistsError):  # of the same content: its name has the hash
            self._send(config)

    def _described(self, name: str) -> dict[str, Any]:
        try:
            return self.clients.send("sagemaker:DescribeEndpoint", {"EndpointName": name})
        except NotFoundError:
            return {}

    def _remove(self, name: str) -> None:
        """Remove the endpoint, after its scaling, which would hold it; wait until it is gone."""
        with suppress(NotFoundError):
            if self._looking.live(name).scaled:
                self._looking.scaling.remove(name)
        look = {"EndpointName": name}

        def send() -> None:
            with suppress(NotFoundError):
                self.clients.send("sagemaker:DeleteEndpoint", look)

        settling.free(send, self.clients.sleep)
        settling.gone(
            lambda: self.clients.send("sagemaker:DescribeEndpoint", look), f"endpoint `{name}`", self.clients.sleep
        )

    def _own_handlers(self, name: str, error: ProviderError) -> bool:
        """Whether the endpoint's model has handlers of its own, and one of them refused: then it answers."""
        if not invoking.of_own_handlers(error):
            return False
        model = self._looking.live(name).variant.get("ModelName", "")
        described = self.clients.send("sagemaker:DescribeModel", {"ModelName": model})
        environment: Mapping[str, str] = described.get("PrimaryContainer", {}).get("Environment", {})
        return environment.get("CLOUDML_HANDLERS") == "own"
