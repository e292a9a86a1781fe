"""Endpoints: managed online endpoints of Azure ML, each with one deployment that answers and, in between, the next one.

The endpoint's tag has the hash of what it shall be, and a deployment is named by the hash of what it is. An update
makes a second deployment beside the first, asks it once by its own header, moves the traffic, and lets the old one go
when the endpoint has answered; until then the old one is what answers. See `cloudml_azure.rollout` for the steps.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

from cloudml.capabilities import Level
from cloudml.clock import moment
from cloudml.clouds import settling, words
from cloudml.errors import AlreadyExistsError, ConflictError, NotFoundError, UnavailableError
from cloudml.plan import Call, Note, Plan
from cloudml.records import dataclass
from cloudml.status import Answer, EndpointStatus
from cloudml_azure import invoking, machines, names, rollout, running, serving, versions
from cloudml_azure.live import FAILED, SCALING_TAG, Live, Looking, provisioning
from cloudml_azure.places import datastore
from cloudml_azure.rollout import Step, standing
from cloudml_azure.scaling import lower as lower_scaling
from cloudml_azure.scaling import wanted as scaling_wanted

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from cloudml.resources import EndpointResource
    from cloudml_azure.clients import Clients
    from cloudml_azure.logs import AzureLogs
    from cloudml_azure.places import Places
    from cloudml_azure.settings import AzureSettings

CREATE = "OnlineEndpoints_CreateOrUpdate"
DEPLOY = "OnlineDeployments_CreateOrUpdate"
NEW = 201
AUTH: Mapping[str, str] = {"key": "Key", "entra": "AADToken"}
START_LOOKS = 90
"""So many looks of ten seconds may a container take to start: requirements are installed, the model is loaded."""
LONGEST_START = "PT900S"
PROPOSED = ("livenessProbe", "readinessProbe", "requestSettings")
"""What gives way to the user's own words."""
OF_ENDPOINT = frozenset({"publicNetworkAccess", "mirrorTraffic", "description"})
"""Words of the `azure` block that are the endpoint's and not the deployment's."""
SMOKE = b'{"instances": []}'
JSON = "application/json"


def lower(resource: EndpointResource, places: Places, settings: AzureSettings) -> tuple[Call, ...]:
    """The requests of an endpoint, in order; each is sent when the one before is done.

    Raises:
        UnsupportedError: No machine is large enough; a word of the `azure` block is not allowed.
    """
    name = names.endpoint(resource.identity.name, settings)
    endpoint = lower_endpoint(name, resource, settings)
    deployment = names.deployment(resource.identity.hash)
    return (
        *((datastore(settings),) if resource.spec.capture else ()),
        *versions.captured(name, resource, places, settings),
        Call(CREATE, endpoint),
        Call(DEPLOY, lower_deployment(name, resource, settings)),
        Call(CREATE, rollout.traffic(endpoint, {deployment: rollout.ALL})),
        *lower_scaling(name, resource, settings),
    )


def lower_endpoint(name: str, resource: EndpointResource, settings: AzureSettings) -> dict[str, Any]:
    """The endpoint, which answers nobody yet."""
    own = {key: value for key, value in resource.spec.native.get("azure", {}).items() if key in OF_ENDPOINT}
    properties = {"authMode": AUTH[settings.authentication], "traffic": {}}
    return {
        "endpoint": name,
        "location": settings.region,
        "tags": names.tags(resource.identity, settings),
        "identity": identity(settings),
        "properties": words.merge(f"{resource.identity.resource}.azure", own, properties),
    }


def identity(settings: AzureSettings) -> dict[str, Any]:
    """Who an endpoint is when it fetches image, code and model."""
    if settings.identity:
        return {"type": "UserAssigned", "userAssignedIdentities": {settings.identity: {}}}
    return {"type": "SystemAssigned"}


def lower_deployment(name: str, resource: EndpointResource, settings: AzureSettings) -> dict[str, Any]:
    """The deployment: which model, on what, and what is recorded."""
    choice, block = machine(resource), resource.spec.native.get("azure", {})
    scaled = scaling_wanted(resource, settings)
    own = {key: value for key, value in block.items() if key not in OF_ENDPOINT}
    ours = words.said(lower_properties(name, resource, choice.instance_type, settings))
    kept = {key: value for key, value in ours.items() if key not in PROPOSED or key not in own}
    return {
        "endpoint": name,
        "deployment": names.deployment(resource.identity.hash),
        "location": settings.region,
        "tags": {**names.tags(resource.identity, settings), **({SCALING_TAG: scaled} if scaled else {})},
        "sku": {"name": "Default", "capacity": resource.spec.scale.min},
        "properties": words.merge(f"{resource.identity.resource}.azure", own, kept),
    }


def lower_properties(
    name: str, resource: EndpointResource, instance_type: str, settings: AzureSettings
) -> dict[str, Any]:
    """The properties of a deployment as cloudml makes it; None for what was not said."""
    workers = machines.cpus(instance_type)
    probe = {"initialDelay": "PT10S", "period": "PT10S", "timeout": "PT10S", "successThreshold": 1}
    return {
        "endpointComputeType": "Managed",
        "instanceType": instance_type,
        "model": versions.id_of(versions.MODEL, resource.model, settings),
        "environmentId": versions.id_of(versions.ENVIRONMENT, resource.model, settings),
        "codeConfiguration": {
            "codeId": versions.id_of(versions.CODE, resource.model, settings),
            "scoringScript": serving.SCRIPT,
        },
        "environmentVariables": {"CLOUDML_PROVIDER": "azure", "WORKER_COUNT": str(workers)},
        "requestSettings": {
            "requestTimeout": f"PT{settings.request_timeout_s}S",
            "maxConcurrentRequestsPerInstance": workers,
        },
        "livenessProbe": {**probe, "initialDelay": LONGEST_START, "failureThreshold": 30},
        "readinessProbe": {**probe, "failureThreshold": START_LOOKS},
        "scaleSettings": {"scaleType": "Default"},
        "dataCollector": versions.collector(name, resource, settings) if resource.spec.capture else None,
    }


def machine(resource: EndpointResource) -> machines.Choice:
    """The machine that is asked for."""
    return machines.choose(f"{resource.identity.resource}.machine", resource.spec.machine, "endpoint")


def notes(resource: EndpointResource, settings: AzureSettings) -> Iterator[Note]:
    """What became of what is not sent as it stands."""
    path, spec = resource.identity.resource, resource.spec
    yield from machine(resource).notes
    native = names.endpoint(resource.identity.name, settings)
    yield Note(f"{path}.name", f"called `{native}`: {names.ENDPOINT_RULE}", Level.NATIVE)
    if spec.scale.min < spec.scale.max:
        text = f"autoscale of Azure Monitor, above {settings.cpu_percent}% of CPU one more; set once it answers"
        yield Note(f"{path}.instances", text, Level.NATIVE)


def lift(live: Live) -> EndpointStatus:
    """The status of an endpoint: up when its deployment gets all traffic and scales as asked."""
    endpoint, found, tags = live.endpoint, standing(live), names.ours(live.endpoint)
    answering, system = live.answering or {}, live.endpoint.get("systemData", {})
    return EndpointStatus(
        resource=tags.get("cloudml-resource", ""),
        name=live.name,
        project=tags.get("cloudml-project", ""),
        hash=found.hash,
        state=found.state,
        reason=found.reason,
        created=moment(system.get("createdAt")),
        updated=moment(system.get("lastModifiedAt")),
        native={"endpoint": dict(endpoint), "deployments": dict(live.deployments)},
        url=endpoint["properties"].get("scoringUri") or "",
        model=model_name(str(answering.get("properties", {}).get("model") or "")),
        instances=int((answering.get("sku") or {}).get("capacity") or 0),
    )


def model_name(model: str) -> str:
    """The name of a model version by its ARM id."""
    container, _, version = model.partition("/models/")[2].partition("/versions/")
    return f"{container}-{version}" if version else ""


@dataclass(frozen=True, slots=True)
class AzureEndpoints:
    """Managed online endpoints."""

    clients: Clients
    places: Places
    logs: AzureLogs

    def plan(self, resource: EndpointResource) -> Plan:
        """The endpoint, its deployment, its traffic and its scaling; nothing is sent."""
        settings = self.clients.settings
        return Plan(lower(resource, self.places, settings), tuple(notes(resource, settings)))

    def create(self, resource: EndpointResource) -> EndpointStatus:
        """Ask for the endpoint; one that failed is removed first. What follows `update` sends.

        Raises:
            AlreadyExistsError: The endpoint is there, and did not fail.
        """
        name = self._name(resource.identity.name)
        with suppress(NotFoundError):
            there = self.clients.send("OnlineEndpoints_Get", {"endpoint": name})
            if provisioning(there) not in FAILED:
                raise _exists(name)
            self._remove(name)
        self.clients.forget_endpoint(name)
        try:
            answer = self.clients.ask(CREATE, lower_endpoint(name, resource, self.clients.settings))
        except ConflictError as error:
            if self._there(name):
                raise _exists(name) from error
            raise
        if answer.status != NEW:
            raise _exists(name)
        return settling.seen(lambda: self.get(name), self.clients.sleep)

    def update(self, resource: EndpointResource) -> EndpointStatus:
        """Move the endpoint to *resource*: the next request towards it, see `rollout`; revive one that failed.

        Raises:
            NotFoundError: There is no such endpoint.
            ConflictError: It stays busy.
            UnavailableError: The new deployment does not answer; the one before goes on.
        """
        name = self._name(resource.identity.name)
        live = self._looking.live(name)
        if provisioning(live.endpoint) in FAILED:
            return self.create(resource)
        self._clear(live, names.deployment(resource.identity.hash))
        if live.hash != resource.identity.hash:
            wanted = lower_endpoint(name, resource, self.clients.settings)
            self._put(Call(CREATE, rollout.traffic(wanted, live.traffic)))
            return self.get(name)
        SENDERS[self._next(live)](self, name, resource, live)
        return self.get(name)

    def get(self, name: str) -> EndpointStatus:
        """How the endpoint stands: its hash is that of what answers, or is on its way to it."""
        return lift(self._looking.live(self._name(name)))

    def list(self, project: str) -> Iterator[EndpointStatus]:
        """Every endpoint of the project."""
        query = {"query": {"tags": f"cloudml-project={project}"}}
        for one in self.clients.pages("OnlineEndpoints_List", query):
            if names.ours(one).get("cloudml-project") == project:
                with suppress(NotFoundError):  # it went meanwhile
                    yield lift(self._looking.around(one))

    def invoke(self, name: str, body: bytes, *, content_type: str, accept: str) -> Answer:
        """One request, sent once; one for no predictions that is answered lets older deployments go.

        Raises:
            InvalidRequestError: The container refused it, in its own words.
            UnavailableError: The container failed, or did not answer in time.
            NotFoundError: There is no such endpoint.
        """
        from cloudml.runtime.answering import asks_nothing

        native = self._name(name)
        answer = self._ask(native, body, content_type, accept)
        if asks_nothing(body):
            self._looking.sweep(native)
        return answer

    def delete(self, name: str) -> None:
        """Remove its scaling, the endpoint with its deployments, and what was recorded; returns when it is gone."""
        native = self._name(name)
        self._remove(native)
        for collection in versions.COLLECTIONS:
            versions.remove(self.clients, versions.DATA, versions.asset_name(native, collection))
        self.clients.storage(self.places.root).delete(self.places.capture(native))

    @property
    def _looking(self) -> Looking:
        return Looking(self.clients, self.logs)

    def _name(self, name: str) -> str:
        return names.endpoint(name, self.clients.settings)

    def _there(self, name: str) -> bool:
        with suppress(NotFoundError):
            return bool(self.clients.send("OnlineEndpoints_Get", {"endpoint": name}))
        return False

    def _next(self, live: Live) -> Step:
        """The next step; a deployment that failed was just removed, and is to be made again."""
        wanted = live.wanted
        if wanted is not None and provisioning(wanted) in FAILED:
            return Step.DEPLOYMENT
        return standing(live).step

    def _put(self, call: Call) -> None:
        """Send what the service refuses while the endpoint is busy, until it is taken."""
        settling.free(lambda: self.clients.send(call.operation, call.body), self.clients.sleep)

    def _clear(self, live: Live, deployment: str) -> None:
        """Remove a deployment of that name that failed: it cannot be mended, and holds quota."""
        there = live.deployments.get(deployment)
        if there is None or provisioning(there) not in FAILED:
            return
        asked = {"endpoint": live.name, "deployment": deployment}
        settling.free(lambda: self._looking.remove(live.name, deployment), self.clients.sleep)
        settling.gone(
            lambda: self.clients.send("OnlineDeployments_Get", asked), f"deployment `{deployment}`", self.clients.sleep
        )

    def _deploy(self, name: str, resource: EndpointResource, live: Live) -> None:
        """Make the deployment; where the load has made more instances of the one before, it begins with as many."""
        settings = self.clients.settings
        if resource.spec.capture:
            running.ensure(self.clients, datastore(settings))
        for asset in versions.captured(name, resource, self.places, settings):
            versions.put(self.clients, asset)
        body = lower_deployment(name, resource, settings)
        scale, before = resource.spec.scale, (live.answering or {}).get("sku") or {}
        if scale.min < scale.max and before.get("capacity"):
            count = rollout.kept_count(int(before["capacity"]), scale.min, scale.max)
            body["sku"] = {**body["sku"], "capacity": count}
        self._put(Call(DEPLOY, body))
        asked = {key: body[key] for key in ("endpoint", "deployment")}
        settling.seen(lambda: self.clients.send("OnlineDeployments_Get", asked), self.clients.sleep)

    def _move(self, name: str, resource: EndpointResource, _: Live) -> None:
        """Ask the new deployment once, and let it have the traffic."""
        deployment = names.deployment(resource.identity.hash)
        try:
            self._ask(name, SMOKE, JSON, JSON, deployment)
        except UnavailableError as error:
            said = self.logs.last_words(name, deployment, 12)
            tail = f"; the container's last lines: {' | '.join(said)}" if said else ""
            error.message = f"the new deployment does not answer, and gets no traffic: {error.message}{tail}"
            raise
        wanted = lower_endpoint(name, resource, self.clients.settings)
        self._put(Call(CREATE, rollout.traffic(wanted, {deployment: rollout.ALL})))

    def _scale(self, name: str, resource: EndpointResource, _: Live) -> None:
        for call in lower_scaling(name, resource, self.clients.settings):
            self.clients.send(call.operation, call.body)

    def _nothing(self, name: str, resource: EndpointResource, live: Live) -> None:
        """Everything was sent."""

    def _ask(self, name: str, body: bytes, content_type: str, accept: str, deployment: str = "") -> Answer:
        url, key = self._address(name), self.clients.key(name)
        status, head, content = self.clients.score(url, body, invoking.headers(key, content_type, accept, deployment))
        if status == invoking.UNAUTHORIZED:  # the key was changed since it was looked up
            self.clients.forget_endpoint(name)
            fresh = invoking.headers(self.clients.key(name), content_type, accept, deployment)
            status, head, content = self.clients.score(self._address(name), body, fresh)
        if status == invoking.OK:
            return Answer(status=status, body=content, content_type=head.get("content-type", ""))
        if status == invoking.NOBODY:
            self.clients.forget_endpoint(name)
            self._address(name)  # says so where the endpoint itself is gone
        raise invoking.refused(name, status, head, content)

    def _address(self, name: str) -> str:
        try:
            url = self.clients.scoring(name)
        except NotFoundError as error:
            raise invoking.missing(name) from error
        if not url:
            self.clients.forget_endpoint(name)
            raise UnavailableError(f"endpoint `{name}` has no address yet", operation=invoking.OPERATION)
        return url

    def _remove(self, name: str) -> None:
        """Remove the endpoint and its deployments, after their scaling, which would stay; wait until it is gone."""
        for one in self._looking.deployments(name):
            self._looking.scaling.remove(name, str(one["name"]))
        asked = {"endpoint": name}

        def send() -> None:
            with suppress(NotFoundError):
                self.clients.send("OnlineEndpoints_Delete", asked)

        settling.free(send, self.clients.sleep)
        settling.gone(lambda: self.clients.send("OnlineEndpoints_Get", asked), f"endpoint `{name}`", self.clients.sleep)
        self.clients.forget_endpoint(name)


SENDERS = {
    Step.DEPLOYMENT: AzureEndpoints._deploy,  # noqa: SLF001  the table belongs to the class
    Step.TRAFFIC: AzureEndpoints._move,  # noqa: SLF001
    Step.SCALING: AzureEndpoints._scale,  # noqa: SLF001
    Step.NOTHING: AzureEndpoints._nothing,  # noqa: SLF001
}


def _exists(name: str) -> AlreadyExistsError:
    return AlreadyExistsError(f"endpoint `{name}` is there already", operation=CREATE)
