"""The account's quotas for the machines of a project. Each kind of machine has one for each use.

Source: the names of SageMaker's quotas in Service Quotas, ``ml.m5.large for training job usage`` and so on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cloudml.errors import ProviderError
from cloudml.records import dataclass
from cloudml.seam import Finding

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from cloudml.specs import ProjectSpec
    from cloudml_aws.clients import Clients

USES: Mapping[str, str] = {
    "training": "training job usage",
    "spot": "spot training job usage",
    "processing": "processing job usage",
    "endpoint": "endpoint usage",
}
"""What for -> how the quota's name ends."""
MORE = "ask for more in Service Quotas, or choose another machine"
ALLOW = "allow servicequotas:ListServiceQuotas and servicequotas:ListAWSDefaultServiceQuotas to have this looked at"


@dataclass(frozen=True, slots=True, order=True)
class Wanted:
    """Machines that a project uses at once: the type, for what, and how many at least."""

    instance: str
    use: str
    count: int = 1

    @property
    def quota(self) -> str:
        """The name of the quota."""
        return f"{self.instance} for {USES[self.use]}"


def of_project(spec: ProjectSpec) -> Iterator[Wanted]:
    """The machines of a project, as they would be chosen."""
    from cloudml_aws.analysing import machine
    from cloudml_aws.kinds import kind
    from cloudml_aws.machines import choose

    for name, job in spec.jobs.items():
        use = kind(job).key
        chosen = choose(f"jobs.{name}.machine", job.machine, use=use)
        yield Wanted(chosen.instance_type, "spot" if job.spot else use, job.nodes)
    for name, endpoint in spec.endpoints.items():
        chosen = choose(f"endpoints.{name}.machine", endpoint.machine, use="endpoint")
        yield Wanted(chosen.instance_type, "endpoint", endpoint.scale.max)
    for name in spec.monitors:
        yield Wanted(machine(f"monitors.{name}").instance_type, "processing")


def findings(clients: Clients, wanted: Iterable[Wanted]) -> Iterator[Finding]:
    """One for each kind of machine and use."""
    most = {one.quota: one for one in sorted(wanted)}
    if not most:
        return
    try:
        values = applied(clients, frozenset(most))
    except ProviderError as error:
        for quota in most:
            yield Finding(group="quota", subject=quota, ok=None, text=f"not looked at: {error.message}", hint=ALLOW)
        return
    for quota, one in most.items():
        value = values.get(quota)
        told = "no such quota is known" if value is None else f"{value:g}, and {one.count} needed"
        yield Finding(
            group="quota", subject=quota, ok=None if value is None else value >= one.count, text=told, hint=MORE
        )


def applied(clients: Clients, names: frozenset[str]) -> Mapping[str, float]:
    """The values of the named quotas: those set for the account, and the defaults of the rest."""
    found: dict[str, float] = {}
    for operation in ("service-quotas:ListServiceQuotas", "service-quotas:ListAWSDefaultServiceQuotas"):
        if names <= {*found}:
            break
        for one in clients.pages(operation, {"ServiceCode": "sagemaker"}, "Quotas"):
            if one["QuotaName"] in names:
                found.setdefault(one["QuotaName"], one["Value"])
    return found
