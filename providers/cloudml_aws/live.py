"""What is known of an endpoint at this moment: itself, its live configuration, its scaling, its last words."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import field
from typing import TYPE_CHECKING, Any

from cloudml.errors import NotFoundError, ProviderError
from cloudml.records import dataclass
from cloudml.status import EndpointStatus, State
from cloudml_aws.scaling import Scaling

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from cloudml_aws.clients import Clients

ENDPOINT_TAG = "cloudml-endpoint"
SCALING_TAG = "cloudml-scaling"
IN_SERVICE = "InService"
SHARED = 50
"""So many characters at least of a configuration's name are those of its endpoint's."""
TAIL = 12
STREAMS = 50
PAGE = 100
"""Entries of a page, as many as the service gives."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Live:
    """An endpoint as AWS describes it, its live configuration, and what goes with the two."""

    endpoint: Mapping[str, Any]
    config: Mapping[str, Any] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    """Those of the configuration; those of the endpoint where it is gone."""
    scaling: str = ""
    """What is still to be sent for its scaling."""
    tail: tuple[str, ...] = ()
    """What its containers printed last, where that tells why."""

    @property
    def status(self) -> str:
        return str(self.endpoint["EndpointStatus"])

    @property
    def scaled(self) -> bool:
        """Whether the live configuration asks for a number of instances that follows the traffic."""
        return SCALING_TAG in self.tags

    @property
    def variant(self) -> Mapping[str, Any]:
        return next(iter(self.config.get("ProductionVariants", ())), {})


def lift_config(name: str, said: Mapping[str, str], summary: Mapping[str, Any]) -> EndpointStatus:
    """The status of an endpoint of which only a configuration was made."""
    return EndpointStatus(
        resource=said.get("cloudml-resource", ""),
        name=name,
        project=said.get("cloudml-project", ""),
        hash=said.get("cloudml-hash", ""),
        state=State.FAILED,
        reason="making it was interrupted",
        created=summary.get("CreationTime"),
        native={"config": dict(summary)},
    )


@dataclass(frozen=True, slots=True)
class Looking:
    """Reads all of it."""

    clients: Clients

    @property
    def scaling(self) -> Scaling:
        return Scaling(self.clients)

    def live(self, name: str) -> Live:
        """The endpoint of that name as it is now.

        Raises:
            NotFoundError: There is none.
        """
        endpoint = self.clients.send("sagemaker:DescribeEndpoint", {"EndpointName": name})
        config = self._config(endpoint["EndpointConfigName"])
        tags = self.tags(config.get("EndpointConfigArn", endpoint["EndpointArn"]))
        settled = endpoint["EndpointStatus"] == IN_SERVICE and not endpoint.get("PendingDeploymentSummary")
        return Live(
            endpoint=endpoint,
            config=config,
            tags=tags,
            scaling=self.scaling.missing(name, tags.get(SCALING_TAG, "")) if settled else "",
            tail=self.tail(name) if endpoint.get("FailureReason") else (),
        )

    def _config(self, name: str) -> dict[str, Any]:
        try:
            return self.clients.send("sagemaker:DescribeEndpointConfig", {"EndpointConfigName": name})
        except NotFoundError:  # somebody removed it; the endpoint goes on
            return {}

    def tags(self, arn: str) -> dict[str, str]:
        """The tags of that object; none where it is gone."""
        with suppress(NotFoundError):
            listed = self.clients.pages("sagemaker:ListTags", {"ResourceArn": arn}, "Tags")
            return {tag["Key"]: tag["Value"] for tag in listed}
        return {}

    def pages(self, what: str, contains: str) -> Iterator[dict[str, Any]]:
        """Every entry of a list whose name has that in it."""
        return self.clients.pages(f"sagemaker:List{what}", {"NameContains": contains, "MaxResults": PAGE}, what)

    def configs(self, name: str) -> list[dict[str, Any]]:
        """Every configuration that was made for that endpoint."""
        listed = self.pages("EndpointConfigs", name[:SHARED].strip("-"))
        return [one for one in listed if self.tags(one["EndpointConfigArn"]).get(ENDPOINT_TAG) == name]

    def remove_config(self, config: Mapping[str, Any]) -> None:
        with suppress(NotFoundError):
            body = {"EndpointConfigName": config["EndpointConfigName"]}
            self.clients.send("sagemaker:DeleteEndpointConfig", body)

    def sweep(self, name: str) -> None:
        """Remove the configurations from before the one that answers; younger ones may be on their way to an update.

        Whoever may only ask for predictions removes nothing, and is not told so.
        """
        with suppress(ProviderError):
            live = self.clients.send("sagemaker:DescribeEndpoint", {"EndpointName": name})["EndpointConfigName"]
            made = {one["EndpointConfigName"]: one for one in self.configs(name)}
            for config in made.values():
                if live in made and config["CreationTime"] < made[live]["CreationTime"]:
                    self.remove_config(config)

    def tail(self, name: str) -> tuple[str, ...]:
        """The last lines of the container that was started last; none where it printed nothing."""
        group = {"logGroupName": f"/aws/sagemaker/Endpoints/{name}"}
        with suppress(ProviderError):
            order = {"orderBy": "LastEventTime", "descending": True, "limit": STREAMS}
            streams = self.clients.send("logs:DescribeLogStreams", {**group, **order})["logStreams"]
            if not streams:
                return ()
            newest = max(streams, key=lambda stream: stream.get("creationTime", 0))
            asked = {**group, "logStreamName": newest["logStreamName"], "limit": TAIL, "startFromHead": False}
            events = self.clients.send("logs:GetLogEvents", asked)["events"]
            return tuple(line for event in events if (line := event["message"].strip()))
        return ()
