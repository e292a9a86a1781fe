"""The project's quotas for the machines of a project: CPUs by family for each use, accelerators by their kind.

Source: names of Vertex AI's quota metrics as "Quotas and limits" has them, ``custom_model_training_cpus`` and so on,
and the method quotaInfos.list of Cloud Quotas.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cloudml.errors import ProviderError
from cloudml.seam import Finding

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from cloudml.specs import ProjectSpec
    from cloudml_gcp.clients import Clients
    from cloudml_gcp.machines import Machine

LIST = "cloudquotas:ListQuotaInfos"
USES: Mapping[str, str] = {"job": "custom_model_training", "endpoint": "custom_model_serving"}
"""What for -> how the metric's name begins."""
FAMILIES = ("c2", "n2", "e2", "a2", "a3", "g2")
"""Families whose CPUs are counted apart; those of N1 are the plain ones."""
MORE = "ask for more on the console's page of quotas, or choose another machine or region"
ALLOW = "allow cloudquotas.quotas.get to have this looked at"
UNLIMITED = -1


@dataclass(frozen=True, slots=True, order=True)
class Wanted:
    """What a project uses at once: the metric, and how much of it at least."""

    metric: str
    count: int


def of_machine(machine: Machine, use: str, count: int) -> Iterator[Wanted]:
    """What so many machines use."""
    family = machine.name.partition("-")[0]
    cpus = f"{family}_cpus" if family in FAMILIES else "cpus"
    yield Wanted(f"{USES[use]}_{cpus}", machine.cpus * count)
    if machine.gpus:
        gpu = machine.accelerator.removeprefix("NVIDIA_").removeprefix("TESLA_").lower()
        yield Wanted(f"{USES[use]}_nvidia_{gpu}_gpus", machine.gpus * count)


def of_project(spec: ProjectSpec) -> Iterator[Wanted]:
    """What the machines of a project use, as they would be chosen."""
    from cloudml_gcp.analysing import machine
    from cloudml_gcp.machines import choose

    for name, job in spec.jobs.items():
        yield from of_machine(choose(f"jobs.{name}.machine", job.machine, "job").machine, "job", job.nodes)
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
