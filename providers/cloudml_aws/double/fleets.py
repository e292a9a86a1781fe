"""The servers behind an endpoint, and how requests are shared out among them."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

from cloudml_aws.double.serving import CannotStartError, Server

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cloudml_aws.double.tables import Record
    from cloudml_aws.double.world import World


class Fleet:
    """The servers of one configuration of an endpoint, by variant."""

    def __init__(self, world: World, endpoint: str, config: Record) -> None:
        self._world, self._endpoint, self.config = world, endpoint, config
        self.servers = {
            variant["VariantName"]: Server(world, endpoint, variant) for variant in config["ProductionVariants"]
        }

    def start(self) -> None:
        """Bring all up, or none.

        Raises:
            CannotStartError: One cannot start.
        """
        kind = self.config["ProductionVariants"][0].get("InstanceType", "")
        if words := self._world.no_capacity(self._endpoint, kind):
            raise CannotStartError(words)
        try:
            for server in self.servers.values():
                server.start()
        except CannotStartError:
            self.close()
            raise

    def retire(self) -> None:
        for server in self.servers.values():
            server.retire()

    def close(self) -> None:
        for server in self.servers.values():
            server.close()


class Routes:
    """Which fleets of an endpoint get requests: one, or an old and a new one with their shares."""

    def __init__(self) -> None:
        self._shares: list[tuple[float, Fleet]] = []

    def set(self, *shares: tuple[float, Fleet]) -> None:
        self._shares = list(shares)

    @property
    def fleets(self) -> list[Fleet]:
        return [fleet for _, fleet in self._shares]

    def choose(self, variants: list[dict[str, Any]], target: str) -> Server | None:
        """The server of the next request: of *target*, or by the variants' weights."""
        shares = self._shares
        if not shares:
            return None
        fleet = random.choices([one for _, one in shares], [share for share, _ in shares])[0]  # noqa: S311  traffic
        return fleet.servers.get(target or by_weight(variants, fleet))


def by_weight(variants: list[dict[str, Any]], fleet: Fleet) -> str:
    """The name of a variant, as often as its weight says."""
    found = [one for one in variants if one["VariantName"] in fleet.servers]
    weights = [one.get("CurrentWeight", 1.0) for one in found]
    if sum(weights) <= 0:
        return ""
    return str(random.choices(found, weights)[0]["VariantName"])  # noqa: S311  traffic


def summaries(config: Record, kept: Mapping[str, Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The ProductionVariants of an endpoint with that configuration; *kept* holds what stays as it was, by variant."""
    return [_summary(variant, kept.get(variant["VariantName"], {})) for variant in config["ProductionVariants"]]


def _summary(variant: Mapping[str, Any], kept: Mapping[str, Any]) -> dict[str, Any]:
    weight, count = variant.get("InitialVariantWeight", 1.0), variant.get("InitialInstanceCount", 1)
    found = {
        "VariantName": variant["VariantName"],
        "CurrentWeight": weight,
        "DesiredWeight": weight,
        "CurrentInstanceCount": count,
        "DesiredInstanceCount": count,
        **kept,
    }
    for own in ("ServerlessConfig", "ManagedInstanceScaling", "RoutingConfig"):
        if own in variant:
            found[f"Current{own}" if own == "ServerlessConfig" else own] = variant[own]
    if "ServerlessConfig" in variant:
        found = {key: value for key, value in found.items() if not key.endswith("InstanceCount")}
    return found


def show_capture(record: Record, config: Record) -> None:
    """Show the capture of the configuration that answers."""
    asked = config.get("DataCaptureConfig")
    if asked is None:
        record.pop("DataCaptureConfig", None)
        return
    on = asked.get("EnableCapture", False)
    record["DataCaptureConfig"] = {
        "EnableCapture": on,
        "CaptureStatus": "Started" if on else "Stopped",
        "CurrentSamplingPercentage": asked["InitialSamplingPercentage"],
        "DestinationS3Uri": asked["DestinationS3Uri"],
        "KmsKeyId": asked.get("KmsKeyId", ""),
    }


def settle(world: World, record: Record, status: str, reason: str = "") -> None:
    """The end of a change."""
    record.pop("FailureReason", None)
    if reason:
        record["FailureReason"] = reason[:1024]
    record["LastModifiedTime"] = world.clock.now()
    record["EndpointStatus"] = status
    world.clock.happened()
