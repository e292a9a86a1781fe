"""The subscription's quotas of Azure ML for the machines of a project: cores of a family, in a region.

Managed endpoints take cores of the same families, and a fifth more for upgrades. Source: "Manage and increase quotas",
Azure Machine Learning compute, and "Virtual machine quota allocation for deployment".
"""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING

from cloudml.errors import ProviderError
from cloudml.records import dataclass
from cloudml.seam import Finding

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from cloudml.specs import ProjectSpec
    from cloudml_azure.clients import Clients

RESERVE = 1.2
"""An endpoint needs so many times the cores of its instances, while it is upgraded."""
MORE = "ask for more under Quotas of Azure Machine Learning in the portal, or choose another machine"
ALLOW = "allow Microsoft.MachineLearningServices/locations/usages/read on the subscription to have this looked at"


@dataclass(frozen=True, slots=True, order=True)
class Wanted:
    """Machines that a project uses at once: the size, for what, and how many at least."""

    instance: str
    use: str
    count: int = 1

    @property
    def cores(self) -> int:
        """The cores that count."""
        from cloudml_azure.machines import cpus

        return math.ceil(cpus(self.instance) * self.count * (RESERVE if self.use == "endpoint" else 1))


def family_key(name: str) -> str:
    """A size or a family without what is written now so and now so: ``Standard_DS3_v2`` is of ``dsv2``."""
    stem = name.removeprefix("Standard_").removeprefix("standard").removesuffix("Family")
    return re.sub(r"[\d_ ]+(?=[a-z_])|[_ ]", "", re.sub(r"(?<=[A-Za-z])\d+(?=[a-z_])", "", stem)).lower()


def of_project(spec: ProjectSpec) -> Iterator[Wanted]:
    """The machines of a project, as they would be chosen."""
    from cloudml_azure.analysing import machine
    from cloudml_azure.machines import choose

    for name, job in spec.jobs.items():
        chosen = choose(f"jobs.{name}.machine", job.machine, "job")
        yield Wanted(chosen.instance_type, "spot" if job.spot else "job", job.nodes)
    for name, endpoint in spec.endpoints.items():
        chosen = choose(f"endpoints.{name}.machine", endpoint.machine, "endpoint")
        yield Wanted(chosen.instance_type, "endpoint", endpoint.scale.max)
    for name in spec.monitors:
        yield Wanted(machine(f"monitors.{name}").instance_type, "job")


def findings(clients: Clients, wanted: Iterable[Wanted]) -> Iterator[Finding]:
    """One for each family of machines: the most that one part of the project needs of it."""
    most: dict[str, Wanted] = {}
    for one in wanted:
        key = family_key(one.instance)
        if key not in most or one.cores > most[key].cores:
            most[key] = one
    if not most:
        return
    try:
        found = applied(clients)
    except ProviderError as error:
        for one in most.values():
            yield Finding(
                group="quota", subject=one.instance, ok=None, text=f"not looked at: {error.message}", hint=ALLOW
            )
        return
    for key, one in most.items():
        there = found.get(key)
        told = "no such quota is known" if there is None else f"{there[0]} of {there[1]} cores used, {one.cores} needed"
        enough = None if there is None else there[0] + one.cores <= there[1]
        yield Finding(group="quota", subject=f"{one.instance} cores", ok=enough, text=told, hint=MORE)


def applied(clients: Clients) -> Mapping[str, tuple[int, int]]:
    """Used and allowed cores by family, as `family_key` writes it."""
    listed = clients.pages("Usages_List", {"location": clients.settings.region})
    return {
        family_key(str(one["name"]["value"])): (int(one["currentValue"]), int(one["limit"]))
        for one in listed
        if "Family" in str(one["name"]["value"])
    }
