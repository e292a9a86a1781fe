"""The project's quotas for the machines of a project: CPUs by family for each use, accelerators by their kind.

Sources: names of Vertex AI's quota metrics as its documentation and users' refusals have them ("CPUs for N1/E2 machine
types" is ``custom_model_training_cpus``; machines that can be taken away count as ``preemptible``), and the method
quotaInfos.list of Cloud Quotas.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cloudml.errors import ProviderError
from cloudml.records import dataclass
from cloudml.seam import Finding

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from cloudml.specs import ProjectSpec
    from cloudml_gcp.clients import Clients
    from cloudml_gcp.machines import Machine

LIST = "cloudquotas:ListQuotaInfos"
USES: Mapping[str, str] = {"job": "custom_model_training", "endpoint": "custom_model_serving"}
"""What for -> how the metric's name begins."""
FAMILIES = ("c2", "n2", "a2", "a3", "g2")
"""Families whose CPUs are counted apart; those of N1 and E2 are the plain ones."""
SHORT: Mapping[str, str] = {
    "NVIDIA_H100_80GB": "nvidia_h100",
    "NVIDIA_H100_MEGA_80GB": "nvidia_h100_mega",
    "NVIDIA_H200_141GB": "nvidia_h200",
}
"""Accelerators whose memory is not in the metric's name."""
SPOT = "preemptible_"
MORE = "ask for more on the console's page of quotas, or choose another machine or region"
ALLOW = "allow cloudquotas.quotas.get to have this looked at"
UNLIMITED = -1


@dataclass(frozen=True, slots=True, order=True)
class Wanted:
    """What a project uses at once: the metric, and how much of it at least."""

    metric: str
    count: int


def of_machine(machine: Machine, use: str, count: int, *, spot: bool = False) -> Iterator[Wanted]:
    """What so many machines use."""
    family = machine.name.partition("-")[0]
    begins = f"{USES[use]}_{SPOT if spot else ''}"
    cpus = f"{family}_cpus" if family in FAMILIES else "cpus"
    yield Wanted(f"{begins}{cpus}", machine.cpus * count)
    if machine.gpus:
        gpu = SHORT.get(machine.accelerator, machine.accelerator.replace("_TESLA_", "_").lower())
        yield Wanted(f"{begins}{gpu}_gpus", machine.gpus * count)


def of_project(spec: ProjectSpec) -> Iterator[Wanted]:
    """What the machines of a project use, as they would be chosen."""
    from cloudml_gcp.analysing import machine
    from cloudml_gcp.machines import choose

    for name, job in spec.jobs.items():
        chosen = choose(f"jobs.{name}.machine", job.machine, "job")
        yield from of_machine(chosen.machine, "job", job.nodes, spot=job.spot)
    for name, endpoint in spec.endpoints.items():
        chosen = choose(f"endpoints.{name}.machine", endpoint.machine, "endpoint")
        yield from of_machine(chosen.machine, "endpoint", endpoint.scale.max)
    for name in spec.monitors:
        yield from of_machine(machine(f"monitors.{name}").machine, "job", 1)


def findings(clients: Clients, wanted: Iterable[Wanted]) -> Iterator[Finding]:
    """One for each metric."""
    most = {one.metric: one.count for one in sorted(wanted)}
    if not most:
        return
    try:
        values = limits(clients, frozenset(most))
    except ProviderError as error:
        for metric in most:
            yield Finding(group="quota", subject=metric, ok=None, text=f"not looked at: {error.message}", hint=ALLOW)
        return
    for metric, count in most.items():
        value = values.get(metric)
        enough = None if value is None else value == UNLIMITED or value >= count
        told = "no such quota is known" if value is None else f"{value}, and {count} needed"
        yield Finding(group="quota", subject=metric, ok=enough, text=told, hint=MORE)


def limits(clients: Clients, metrics: frozenset[str]) -> Mapping[str, int]:
    """The limits of those metrics in the target's region."""
    settings = clients.settings
    parent = f"projects/{settings.project_id}/locations/global/services/aiplatform.googleapis.com"
    found = {}
    for info in clients.pages(LIST, {"parent": parent}, "quotaInfos"):
        name = str(info.get("metric", "")).rpartition("/")[2]
        if name in metrics and (value := _of_region(info, settings.region)) is not None:
            found[name] = value
    return found


def _of_region(info: Mapping[str, Any], region: str) -> int | None:
    """The limit in a region, else that of all for which none is set apart."""
    rows = info.get("dimensionsInfos", ())
    exact = [one for one in rows if one.get("dimensions", {}).get("region") == region]
    found = exact or [one for one in rows if not one.get("dimensions")]
    return int(found[0].get("details", {}).get("value", 0)) if found else None
