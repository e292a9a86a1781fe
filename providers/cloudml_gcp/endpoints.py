"""Endpoints: dedicated ones, to which models are deployed by operations that take their time.

What is deployed has the hash of its content as its name and, in ten digits, as its id: the live endpoint tells what it
is. The first deployment is given the traffic when it is done; a later one stands beside the old one until `update`
gives it the traffic, which it does if it answers, and takes the old one away. A deployment that fails leaves the old
one answering, and the status says why.
"""

from __future__ import annotations

import json
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from cloudml.clock import moment
from cloudml.clouds import cards, settling, words
from cloudml.clouds.names import shortened
from cloudml.errors import AlreadyExistsError, NotFoundError, ProviderError, RunFailedError
from cloudml.plan import Call, Note, Plan
from cloudml.records import dataclass
from cloudml.status import Answer, EndpointStatus, State
from cloudml_gcp import invoking, machines, names, rollout, running, scaling
from cloudml_gcp.live import OPERATION, SECTION, Live, Looking
from cloudml_gcp.names import fit, native
from cloudml_gcp.wire import operations

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from cloudml.clouds.cards import Held
    from cloudml.resources import EndpointResource
    from cloudml_gcp.clients import Clients
    from cloudml_gcp.logs import GcpLogs
    from cloudml_gcp.places import Places
    from cloudml_gcp.settings import GcpSettings

CREATE = "aiplatform:CreateEndpoint"
DEPLOY = "aiplatform:DeployModel"
UPDATE = "aiplatform:UpdateEndpoint"
UNDEPLOY = "aiplatform:UndeployModel"
DELETE = "aiplatform:DeleteEndpoint"
PUT = "storage:Put"
MADE_S = 600.0
BETWEEN_S = 30.0
"""For so long another, whose card says that it is about to deploy, is waited for."""
NOTHING = "nothing is deployed to it yet"
NO_TRAFFIC = "the new version has no traffic yet"
EARLIER = "an earlier version is still deployed"
INTERRUPTED = "making it was interrupted"
JSON = "application/json"


def lower(resource: EndpointResource, places: Places, settings: GcpSettings) -> tuple[Call, ...]:
    """The requests of an endpoint, in order: what its server shall record, the endpoint, the deployment.

    Raises:
        UnsupportedError: No machine is large enough; a word of the `gcp` block is set from the rest of the file.
    """
    path, block = f"{resource.identity.resource}.gcp", resource.spec.native.get("gcp", {})
    own = {key: value for key, value in block.items() if key in ENDPOINT_WORDS}
    rest = {key: value for key, value in block.items() if key not in ENDPOINT_WORDS}
    endpoint, deployment = lower_endpoint(resource, settings), lower_deployment(resource, settings)
    endpoint["endpoint"] = words.merge(path, own, endpoint["endpoint"])
    deployment["deployedModel"] = words.merge(path, rest, deployment["deployedModel"])
    return (
        Call(PUT, lower_capture(resource, places)),
        Call(CREATE, endpoint),
        Call(DEPLOY, deployment),
    )


ENDPOINT_WORDS = frozenset({
    "description", "network", "privateServiceConnectConfig", "clientConnectionConfig",
    "predictRequestResponseLoggingConfig",
})  # fmt: skip
"""Words of the `gcp` block that are the endpoint's; the rest are the deployed model's."""


def lower_capture(resource: EndpointResource, places: Places) -> dict[str, Any]:
    """What the server reads when it starts: how many requests it records, and where."""
    name = native(resource.identity)
    content = {"capture": resource.spec.capture, "to": places.uri(places.capture(name))}
    return {"to": places.uri(places.deployed(name, deployed_id(resource))), "content": content}


def lower_endpoint(resource: EndpointResource, settings: GcpSettings) -> dict[str, Any]:
    """The endpoint itself."""
    name = native(resource.identity)
    hashes = (names.HASH, names.REST)  # what is deployed has the hash
    labels = {key: value for key, value in names.labels(resource.identity, settings).items() if key not in hashes}
    endpoint = {
        "displayName": name,
        "labels": labels,
        "dedicatedEndpointEnabled": True,
        "encryptionSpec": running.encryption(settings),
    }
    return {"parent": settings.parent, "endpointId": name, "endpoint": words.said(endpoint)}


def lower_deployment(resource: EndpointResource, settings: GcpSettings) -> dict[str, Any]:
    """The deployment, with all of the traffic, as it is where nothing answers yet."""
    version = names.version(resource.model)
    deployed = {
        "id": deployed_id(resource),
        "displayName": rollout.display_name(resource.identity.hash),
        "model": f"{settings.parent}/models/{names.group(version)}@{names.alias(version)}",
        "serviceAccount": settings.service_account,
        "dedicatedResources": scaling.lower(resource, machine(resource).machine, settings),
    }
    return {
        "endpoint": f"{settings.parent}/endpoints/{native(resource.identity)}",
        "deployedModel": deployed,
        "trafficSplit": {rollout.NEW: rollout.ALL},
    }


def deployed_id(resource: EndpointResource) -> str:
    """The id of what is deployed for that content."""
    return rollout.deployed_id(resource.identity.hash)


def machine(resource: EndpointResource) -> machines.Choice:
    """The machine that is asked for."""
    return machines.choose(f"{resource.identity.resource}.machine", resource.spec.machine, "endpoint")


def notes(resource: EndpointResource) -> Iterator[Note]:
    """What became of what is not sent as it stands."""
    path = resource.identity.resource
    yield from machine(resource).notes
    yield from shortened(path, resource.identity.name, native(resource.identity), names.RULE)


def lift(live: Live) -> EndpointStatus:
    """The status of an endpoint: up when one version has all of the traffic and nothing is under way."""
    endpoint, answers = live.endpoint, rollout.answering(live.endpoint)
    state, why, digest = _stands(live)
    tags = {**names.tags(endpoint.get("labels", {})), **live.card.get("tags", {})}
    name = str(endpoint["name"]).rpartition("/")[2]
    model = _version(live, answers[0]) if answers else ""
    status = answers[0].get("status", {}) if answers else {}
    least = answers[0].get("dedicatedResources", {}).get("minReplicaCount", 0) if answers else 0
    dns = endpoint.get("dedicatedEndpointDns", "")
    return EndpointStatus(
        resource=tags.get(names.RESOURCE, ""),
        name=name,
        project=tags.get(names.PROJECT, ""),
        hash=digest,
        state=state,
        reason=why,
        created=moment(endpoint.get("createTime")),
        updated=moment(endpoint.get("updateTime")),
        native=dict(endpoint),
        url=f"https://{dns}/v1/{endpoint['name']}:rawPredict" if dns else "",
        model=model,
        instances=int(status.get("availableReplicaCount", least)),
    )


def _stands(live: Live) -> tuple[State, str, str]:
    """State, reason, and the hash of what answers, or of what is on its way where that is to be gone on with."""
    answers = rollout.answering(live.endpoint)
    there = [str(one["id"]) for one in live.endpoint.get("deployedModels", ())]
    digest = rollout.hash_of(answers[0]) if answers else ""
    wanted = rollout.deployed_id(live.wanted) if live.wanted else ""
    if live.pending:
        stage = next(filter(None, (operations.stage(one) for one in live.pending)), "")
        return (State.UPDATING if answers else State.CREATING), stage, digest or live.wanted
    if not answers and wanted not in there:
        failed = live.failure
        return (State.FAILED, failed, live.wanted) if failed else (State.UNFINISHED, NOTHING, live.wanted)
    if wanted in there and (not answers or str(answers[0]["id"]) != wanted or len(answers) > 1):
        return State.UNFINISHED, NO_TRAFFIC, live.wanted
    if len(there) > 1:
        return State.UNFINISHED, EARLIER, digest
    return State.READY, live.failure if digest != live.wanted else "", digest


def _version(live: Live, deployed: Mapping[str, Any]) -> str:
    """The version that a deployed model is: our name of it where the card has it, else the registry's."""
    if rollout.hash_of(deployed) == live.wanted and live.card.get("model"):
        return str(live.card["model"])
    return f"{str(deployed.get('model', '')).rpartition('/')[2]}@{deployed.get('modelVersionId', '')}"


@dataclass(frozen=True, slots=True)
class GcpEndpoints:
    """Endpoints of Vertex AI that answer at once."""

    clients: Clients
    places: Places
    logs: GcpLogs

    def plan(self, resource: EndpointResource) -> Plan:
        """An object and two requests; nothing is sent."""
        return Plan(lower(resource, self.places, self.clients.settings), tuple(notes(resource)))

    def create(self, resource: EndpointResource) -> EndpointStatus:
        """Make the endpoint, and begin to deploy to it; to one whose deployment failed, begin again.

        Raises:
            AlreadyExistsError: The endpoint is there, and did not fail.
        """
        name = native(resource.identity)
        _, create, _ = self.plan(resource).calls
        before = self._looking.held(name)
        if before.seen is None:
            cards.write(self._looking.storage, self._looking.card_path(name), {"tags": dict(resource.identity.tags)})
        try:
            operation = self.clients.send(create.operation, create.body)
            operations.waited(self.clients, operation, CREATE, MADE_S)
        except AlreadyExistsError:
            if settling.seen(lambda: self.get(name), self.clients.sleep).state is not State.FAILED:
                raise
        return self._deploy(resource)

    def update(self, resource: EndpointResource) -> EndpointStatus:
        """Go on to *resource*: deploy it, or where that is done give it the traffic, or take what was before away.

        Raises:
            NotFoundError: There is no such endpoint.
            RunFailedError: What was deployed does not answer; the old version has the traffic again.
        """
        name, wanted = native(resource.identity), deployed_id(resource)
        live = self._looking.live(name)
        if live.pending:
            return lift(live)
        if wanted not in [str(one["id"]) for one in live.endpoint.get("deployedModels", ())]:
            return self._deploy(resource)
        if live.endpoint.get("trafficSplit", {}).get(wanted) != rollout.ALL:
            self._hand_over(name, live.endpoint, wanted)
        for one in rollout.others(live.endpoint, wanted):
            self._undeploy(name, one)
        return self.get(name)

    def get(self, name: str) -> EndpointStatus:
        """How the endpoint stands: its hash is that of what answers now."""
        return lift(self._looking.live(fit(name)))

    def list(self, project: str) -> Iterator[EndpointStatus]:
        """Every endpoint of the project, and those of which only a card was written."""
        known: set[str] = set()
        for endpoint in self._looking.pages(project):
            name = str(endpoint["name"]).rpartition("/")[2]
            known.add(name)
            with suppress(NotFoundError):  # it went meanwhile
                yield self.get(name)
        for name in cards.listed(self._looking.storage, self.places.card(SECTION, "")):
            tags = self._looking.held(name).card.get("tags", {})
            if name not in known and tags.get(names.PROJECT) == project:
                yield self._carded(name, tags)

    def invoke(self, name: str, body: bytes, *, content_type: str, accept: str) -> Answer:
        """One request, sent once.

        Raises:
            InvalidRequestError: The container refused it, in its own words; or it is larger than 10 MB.
            UnavailableError: The container failed, or did not answer.
            NotFoundError: There is no such endpoint.
        """
        name = fit(name)
        invoking.refuse_large(body)
        try:
            url, headers = self._address(name)
            sent = {"Content-Type": invoking.wanting(content_type, accept), "Accept": accept, **headers}
            answer = self.clients.ask(invoking.OPERATION, url, body, sent)
        except ProviderError as error:
            ours = invoking.answered(name, error)
            raise ours from error
        kind = answer.headers.get("Content-Type") or answer.headers.get("content-type", "")
        return Answer(status=answer.status, body=answer.body, content_type=kind)

    def delete(self, name: str) -> None:
        """Remove what is deployed, the endpoint, and what was recorded; the card last."""
        name = fit(name)
        with suppress(NotFoundError):
            self._settled(name)
            for one in [*rollout.others(self._looking.endpoint(name), "")]:
                self._undeploy(name, one, wait=True)
            operation = self.clients.send(DELETE, {"name": self._looking.resource(name)})
            operations.waited(self.clients, operation, DELETE, settling.GONE_S)
        storage = self._looking.storage
        for folder in (self.places.capture(name), f"endpoints/{name}"):
            storage.delete(folder)
        cards.remove(storage, self._looking.card_path(name))

    def _deploy(self, resource: EndpointResource) -> EndpointStatus:
        """Begin a deployment, and keep its name. One of several begins it: the one that can change the card."""
        name, looking = native(resource.identity), self._looking
        capture, _, deploy = self.plan(resource).calls
        before = self._free(name)
        live = looking.live(name)
        endpoint, there = live.endpoint, [str(one["id"]) for one in live.endpoint.get("deployedModels", ())]
        if live.pending or deployed_id(resource) in there:
            raise AlreadyExistsError(f"another deploys to `{name}` at this moment", operation=DEPLOY)
        card = {
            "tags": dict(resource.identity.tags),
            "model": names.version(resource.model),
            "attempt": cards.attempt(),
        }
        looking.storage.write(self.places.path(capture.body["to"]), json.dumps(capture.body["content"]).encode())
        if not cards.change(looking.storage, looking.card_path(name), before, card):
            raise AlreadyExistsError(f"another deploys to `{name}` at this moment", operation=DEPLOY)
        held = looking.held(name)
        if held.card != card:  # whoever waited for us has taken over
            raise AlreadyExistsError(f"another deploys to `{name}` at this moment", operation=DEPLOY)
        body = {**deploy.body, "trafficSplit": rollout.first(endpoint)}
        operation = settling.sent(
            lambda: self.clients.send(DEPLOY, body), lambda: {} if self._heard(name, deployed_id(resource)) else None
        )
        if operation:
            cards.change(looking.storage, looking.card_path(name), held, {**card, OPERATION: operation["name"]})
        return self.get(name)

    def _heard(self, name: str, deployed: str) -> bool:
        """Whether a deployment whose answer was lost has begun: that comes to be seen within a while."""
        for pause in settling.pauses(settling.SEEN_S):
            live = self._looking.live(name)
            if live.pending or deployed in [str(one["id"]) for one in live.endpoint.get("deployedModels", ())]:
                return True
            self.clients.sleep(pause)
        return False

    def _free(self, name: str) -> Held:
        """The card, once nobody is between writing it and beginning a deployment; taken over after a while."""
        for pause in settling.pauses(BETWEEN_S):
            held = self._looking.held(name)
            if "attempt" not in held.card or OPERATION in held.card:
                return held
            self.clients.sleep(pause)
        return self._looking.held(name)

    def _hand_over(self, name: str, endpoint: Mapping[str, Any], deployed: str) -> None:
        """Give a deployed model the traffic; back again, and away with it, if it does not answer.

        Raises:
            ConflictError: Somebody else has changed the endpoint meanwhile.
            RunFailedError: It does not answer.
        """
        self.clients.send(UPDATE, rollout.move(endpoint, deployed))
        try:
            self.invoke(name, invoking.SMOKE, content_type=JSON, accept=JSON)
        except ProviderError as error:
            before = next((str(one["id"]) for one in rollout.answering(endpoint)), "")
            if not before:
                raise
            self.clients.send(UPDATE, rollout.move(self._looking.endpoint(name), before))
            self._undeploy(name, deployed)
            raise RunFailedError(
                f"the new version of `{name}` does not answer, and the old one goes on: {error.message}",
                hint=f"`cloudml endpoint logs {name}` shows what it printed",
            ) from error

    def _undeploy(self, name: str, deployed: str, *, wait: bool = False) -> None:
        body = {"endpoint": self._looking.resource(name), "deployedModelId": deployed}
        with suppress(NotFoundError):
            operation = self.clients.send(UNDEPLOY, body)
            if wait:
                operations.waited(self.clients, operation, UNDEPLOY, settling.GONE_S)

    def _settled(self, name: str) -> None:
        """Return once nothing is under way: what is being deployed cannot be taken away."""
        for pause in settling.pauses(settling.GONE_S):
            if not self._looking.live(name).pending:
                return
            self.clients.sleep(pause)

    def _address(self, name: str) -> tuple[str, dict[str, str]]:
        """Where an endpoint is asked: at its own name, or at that of a double under it."""
        found = self.clients.once(f"address of {name}", lambda: self._looking.endpoint(name))
        dns, path = found.get("dedicatedEndpointDns", ""), f"/v1/{found['name']}:rawPredict"
        if not dns:
            return f"{self.clients.host('aiplatform')}{path}", {}
        if self.clients.elsewhere:
            return f"{self.clients.host('aiplatform')}{path}", {"Host": dns}
        return f"https://{dns}{path}", {}

    def _carded(self, name: str, tags: Mapping[str, str]) -> EndpointStatus:
        return EndpointStatus(
            resource=tags[names.RESOURCE],
            name=name,
            project=tags[names.PROJECT],
            hash=tags.get(names.HASH, ""),
            state=State.FAILED,
            reason=INTERRUPTED,
        )

    @property
    def _looking(self) -> Looking:
        return Looking(self.clients, self.places, self.logs)
