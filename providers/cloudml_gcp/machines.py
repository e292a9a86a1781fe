"""Machines: what was asked -> a machine type and its accelerators, by the facts in facts/machines.json.

The rule: of those that have at least the CPUs and memory, and exactly the accelerators, that were asked for (the fewest
that there are, where their name alone was), the one with the fewest CPUs; among these the families of `FAMILIES` first,
then the least memory. Families that come with accelerators have a fixed number of them; T4, V100, P100 and P4 are
attached to machines of N1. Either way the request must state them.
"""

from __future__ import annotations

import json
import math
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cloudml.capabilities import Level
from cloudml.errors import UnsupportedError
from cloudml.plan import Note
from cloudml.records import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from cloudml.specs import MachineSpec

FAMILIES = ("e2", "n1", "n2", "c2", "g2", "a2", "a3")
PLAIN: Mapping[str, str] = {"job": "e2-standard-4", "endpoint": "e2-standard-2"}
"""What is taken where nothing is asked: the smallest general machine that there is for it."""
NEAREST = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """A machine type with its accelerators.

    Attributes:
        name: Google's name.
        gpus: How many accelerators.
        gpu: Their short name, ``T4``.
        accelerator: Their name in requests, ``NVIDIA_TESLA_T4``.
    """

    name: str
    cpus: int = 0
    memory_gib: float = 0.0
    gpus: int = 0
    gpu: str = ""
    accelerator: str = ""

    @property
    def spec(self) -> dict[str, Any]:
        """The MachineSpec of requests."""
        accelerators = {"acceleratorType": self.accelerator, "acceleratorCount": self.gpus} if self.gpus else {}
        return {"machineType": self.name, **accelerators}

    @property
    def words(self) -> str:
        """What it has, for people."""
        accelerators = f", {self.gpus} {self.gpu}" if self.gpus else ""
        return f"{self.name} ({self.cpus} CPUs, {self.memory_gib:g} GiB{accelerators})" if self.cpus else self.name


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """A machine and how it was found.

    Attributes:
        disk_gib: The disk that was asked for; None where none was.
        notes: What the plan says of it.
    """

    machine: Machine
    disk_gib: int | None
    notes: tuple[Note, ...]


@cache
def table() -> Mapping[str, Mapping[str, Any]]:
    """The two tables: ``machines``, and what is ``attached`` to some of them."""
    document: Mapping[str, Any] = json.loads((Path(__file__).parent / "facts" / "machines.json").read_text("utf-8"))
    return document


@cache
def known(use: str) -> tuple[Machine, ...]:
    """Every machine for a use, also with each of the accelerators that can be attached to it.

    Args:
        use: job or endpoint.
    """
    rows = {name: row for name, row in table()["machines"].items() if use in row["uses"]}
    plain = [Machine(name=name, **{key: row[key] for key in row if key != "uses"}) for name, row in rows.items()]
    return (*plain, *(with_gpu for one in plain for with_gpu in _attached(one)))


def _attached(machine: Machine) -> Iterator[Machine]:
    family = machine.name.partition("-")[0]
    for gpu, says in table()["attached"].items():
        for count, most in says["most_cpus"].items():
            if family == says["family"] and machine.cpus <= most:
                yield Machine(
                    name=machine.name, cpus=machine.cpus, memory_gib=machine.memory_gib, gpus=int(count), gpu=gpu,
                    accelerator=says["accelerator"],
                )  # fmt: skip


def choose(path: str, spec: MachineSpec, use: str) -> Choice:
    """The machine for *spec*, which stands at *path*.

    Args:
        path: Where the machine stands: ``jobs.train.machine``.
        spec: What was asked.
        use: job or endpoint.

    Raises:
        UnsupportedError: There is none; the message says which come near.
    """
    disk = math.ceil(spec.disk.gib) if spec.disk else None
    if exact := spec.exact.get("gcp"):
        found = named(path, exact, spec, use)
        text = f"{found.words}, as asked by its name"
    elif _asked(spec):
        found = _fitting(path, spec, use)
        text = f"{_words(spec)} → {found.words}"
    else:
        found = next(one for one in known(use) if one.name == PLAIN[use] and not one.gpus)
        text = f"nothing was asked: {found.words}"
    return Choice(machine=found, disk_gib=disk, notes=(Note(path, text, Level.NATIVE),))


def named(path: str, name: str, spec: MachineSpec, use: str) -> Machine:
    """The machine of that name, with the accelerators that it has or that were asked for beside.

    Raises:
        UnsupportedError: The accelerators that were asked for cannot be had with it.
    """
    same = [one for one in known(use) if one.name == name]
    fitting = [one for one in same if _accelerated(one, spec)]
    if not same and not (spec.gpus or spec.gpu):
        return Machine(name=name)  # newer than the table
    own = [one for one in same if table()["machines"][name]["gpus"] == one.gpus]
    found = (fitting if spec.gpus or spec.gpu else own) or []
    if not found:
        raise UnsupportedError(
            f"`{path}` asks for {name} with {_words(spec)}, which there is not",
            path=path,
            hint="T4, V100, P100 and P4 go with machines of n1; families with accelerators have a fixed number",
        )
    return min(found, key=_rank)


def _fitting(path: str, spec: MachineSpec, use: str) -> Machine:
    found = [one for one in known(use) if _fits(one, spec)]
    if not found:
        raise _none(path, spec, use)
    return min(found, key=_rank)


def _asked(spec: MachineSpec) -> bool:
    return any(value is not None for value in (spec.cpus, spec.memory, spec.gpus, spec.gpu))


def _accelerated(machine: Machine, spec: MachineSpec) -> bool:
    called = spec.gpu is None or machine.gpu.lower() == spec.gpu.lower()
    counted = machine.gpus == (spec.gpus or 0) or (spec.gpus is None and spec.gpu is not None)
    return called and counted


def _fits(machine: Machine, spec: MachineSpec) -> bool:
    enough = machine.cpus >= (spec.cpus or 0) and machine.memory_gib >= (spec.memory.gib if spec.memory else 0)
    return enough and _accelerated(machine, spec)


def _rank(machine: Machine) -> tuple[int, int, int, float, str]:
    family = machine.name.partition("-")[0]
    preferred = FAMILIES.index(family) if family in FAMILIES else len(FAMILIES)
    return machine.gpus, machine.cpus, preferred, machine.memory_gib, machine.name


def _words(spec: MachineSpec) -> str:
    """What was asked, in a few words."""
    parts = [f"{spec.cpus} CPUs"] if spec.cpus else []
    parts += [str(spec.memory)] if spec.memory else []
    if spec.gpus or spec.gpu:
        parts.append(f"{spec.gpus or ''} {spec.gpu or 'accelerators'}".strip())
    return " and ".join(parts) or "no accelerators"


def _none(path: str, spec: MachineSpec, use: str) -> UnsupportedError:
    hint = f"near it: {', '.join(_nearest(spec, use))}"
    gpus = sorted({one.gpu for one in known(use) if one.gpu})
    if spec.gpu and spec.gpu.lower() not in {gpu.lower() for gpu in gpus}:
        hint = f"there is {', '.join(gpus)}"
    return UnsupportedError(
        f"Google Vertex AI has no machine for `{path}`: {_words(spec)}",
        path=path,
        hint=f"{hint}; or name one: `exact: {{gcp: n2-…}}`",
    )


def _nearest(spec: MachineSpec, use: str) -> list[str]:
    """Machines with that accelerator, else the largest with accelerators or without, as was asked."""
    same = [one for one in known(use) if spec.gpu and one.gpu.lower() == spec.gpu.lower()]
    alike = [one for one in known(use) if bool(one.gpus) is bool(spec.gpus)]
    ranked = sorted(same, key=_rank) or sorted(alike, key=_rank, reverse=True)
    return [one.words for one in ranked[:NEAREST]]
