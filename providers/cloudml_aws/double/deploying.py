"""How an endpoint comes from one configuration to another: a new fleet beside the old, traffic in steps, and back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cloudml_aws.double import fleets, models, scaling
from cloudml_aws.double.fleets import Fleet
from cloudml_aws.double.refusals import invalid
from cloudml_aws.double.serving import CannotStartError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from cloudml_aws.double.tables import Record
    from cloudml_aws.double.world import World

WHOLE = 100.0
HALF = 50


def check(world: World, asked: Mapping[str, Any], record: Record, config: Record) -> None:
    """Refuse a deployment that SageMaker's guardrails do not allow.

    Raises:
        Refused: A variant that scales gets another instance, the variants are others, or a canary is more than half.
    """
    _check_scaled(world, record, config)
    rules = asked.get("DeploymentConfig", {})
    if not rules:
        return
    old = {one["VariantName"] for one in record["ProductionVariants"]}
    new = {one["VariantName"] for one in config["ProductionVariants"]}
    if old != new:
        raise invalid("The endpoint configuration must have the same production variants to use DeploymentConfig.")
    routing = rules.get("BlueGreenUpdatePolicy", {}).get("TrafficRoutingConfiguration", {})
    size = routing.get("CanarySize", {})
    if routing.get("Type") == "CANARY" and not size:
        raise invalid("CanarySize must be specified when the traffic routing type is CANARY.")
    if size.get("Type") == "CAPACITY_PERCENT" and size["Value"] > HALF:
        raise invalid("CanarySize must be at most 50 percent of the capacity.")


def _check_scaled(world: World, record: Record, config: Record) -> None:
    new = {one["VariantName"]: one.get("InstanceType") for one in config["ProductionVariants"]}
    old = {one["VariantName"]: one.get("InstanceType") for one in record["_config"]["ProductionVariants"]}
    for target in scaling.of_endpoint(world, record["EndpointName"]):
        variant = target["ResourceId"].rpartition("/")[2]
        if new.get(variant) != old.get(variant):
            raise invalid(
                f'The variant(s) "{variant}" must be deregistered from Application Auto Scaling before their instance '
                "type is changed or they are removed."
            )


def deployed(world: World, config: Record, variants: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The variants with the images that run."""
    images = {}
    for variant in config["ProductionVariants"]:
        model = world.table("model").get(variant.get("ModelName", ""))
        if model is not None:
            first = model.get("PrimaryContainer") or model["Containers"][0]
            image = models.resolve(world, first).get("Image")
            images[variant["VariantName"]] = [{"SpecifiedImage": image, "ResolvedImage": image}]
    return [{**one, "DeployedImages": images.get(one["VariantName"])} for one in variants]


@dataclass(slots=True, kw_only=True)
class Deployment:
    """One update.

    Attributes:
        rules: The DeploymentConfig.
        kept: Of each variant, what stays as it is.
    """

    world: World
    record: Record
    config: Record
    rules: Mapping[str, Any]
    kept: Mapping[str, Mapping[str, Any]]

    def run(self) -> None:
        """A worker's life with one update."""
        world, record = self.world, self.record
        if not world.pass_time("endpoint", key=record["_arn"]):
            return
        old: list[Fleet] = record["_routes"].fleets
        green = Fleet(world, record["EndpointName"], self.config)
        try:
            green.start()
        except CannotStartError as error:
            self._roll_back(old, None, str(error))
            return
        if self._shifted(old, green):
            self._finish(old, green)

    def _shifted(self, old: list[Fleet], green: Fleet) -> bool:
        """Move the traffic in steps; whether all of it arrived."""
        routes = self.record["_routes"]
        for share, wait in self._steps():
            routes.set((share, green), *((1.0 - share, fleet) for fleet in old if share < 1))
            self._show("Baking" if share >= 1 else "ActivatingTraffic")
            fault = self.world.domain("rollback", self.record["EndpointName"])
            self.world.clock.wait(wait, key=self.record["_arn"])
            if fault is not None:
                alarm = fault.facts.get("alarm", "cloudml-double")
                words = fault.message or f"One or more alarms ({alarm}) went into ALARM state during the deployment."
                self._roll_back(old, green, words)
                return False
        return True

    def _steps(self) -> Iterator[tuple[float, float]]:
        """Share of the new fleet, and how long it is watched."""
        policy = self.rules.get("BlueGreenUpdatePolicy", {})
        routing = policy.get("TrafficRoutingConfiguration", {})
        wait = float(routing.get("WaitIntervalInSeconds", self.world.latencies["shifting"]))
        size = routing.get("CanarySize") or routing.get("LinearStepSize") or {}
        rolling = self.rules.get("RollingUpdatePolicy", {})
        if rolling:
            size, wait = rolling.get("MaximumBatchSize", {}), float(rolling.get("WaitIntervalInSeconds", wait))
        step = min(float(size.get("Value", WHOLE)) / self._whole(size), 1.0)
        share = step
        while share < 1:
            yield share, wait
            share = 1.0 if routing.get("Type") == "CANARY" else share + step
        yield 1.0, wait + float(policy.get("TerminationWaitInSeconds", 0))

    def _whole(self, size: Mapping[str, Any]) -> float:
        if size.get("Type", "CAPACITY_PERCENT") == "CAPACITY_PERCENT":
            return WHOLE
        return float(sum(one.get("InitialInstanceCount", 1) for one in self.config["ProductionVariants"]))

    def _show(self, status: str) -> None:
        pending = self.record["PendingDeploymentSummary"]
        variants = [
            {**one, "VariantStatus": [{"Status": status, "StartTime": self.world.clock.now()}]}
            for one in pending["ProductionVariants"]
        ]
        self.record["PendingDeploymentSummary"] = {**pending, "ProductionVariants": variants}
        self.world.clock.happened()

    def _finish(self, old: list[Fleet], green: Fleet) -> None:
        record = self.record
        record["_routes"].set((1.0, green))
        for fleet in old:
            fleet.retire()
        with self.world.lock:
            record["EndpointConfigName"], record["_config"] = self.config["EndpointConfigName"], self.config
            variants = fleets.summaries(self.config, self.kept)
            record["ProductionVariants"] = deployed(self.world, self.config, variants)
            record.pop("PendingDeploymentSummary", None)
            if self.rules:
                record["LastDeploymentConfig"] = dict(self.rules)
            fleets.show_capture(record, self.config)
            fleets.settle(self.world, record, "InService")

    def _roll_back(self, old: list[Fleet], green: Fleet | None, reason: str) -> None:
        record = self.record
        record["EndpointStatus"] = "RollingBack"
        record["LastModifiedTime"] = self.world.clock.now()
        record["_routes"].set(*((1.0, fleet) for fleet in old))
        if green is not None:
            green.retire()
        self.world.pass_time("shifting", key=record["_arn"])
        stuck = self.world.domain("rollback-failed", record["EndpointName"])
        with self.world.lock:
            record.pop("PendingDeploymentSummary", None)
            fleets.settle(self.world, record, "UpdateRollbackFailed" if stuck else "InService", reason)
