"""Machines: what was asked -> a size of Azure's machines, by a table of facts in facts/machines.json (source inside).

The rule: of those that have at least the CPUs, memory and temporary disk, and exactly the accelerators, that were asked
for (the fewest that there are, where their name alone was), the one with the fewest CPUs; among these the families of
`FAMILIES` first, which Azure ML's own examples use, then the least memory.
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

FAMILIES = ("DS", "E", "F", "D", "NC", "NV", "ND")
PLAIN = "Standard_DS3_v2"
"""What is taken where nothing is asked: 4 CPUs, 14 GiB; the smaller ones are often too small for an image to start."""
PREFIX = "Standard_"
NEAREST = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """A size and how it was found.

    Attributes:
        instance_type: Azure's name.
        notes: What the plan says of it.
    """

    instance_type: str
    notes: tuple[Note, ...]


@cache
def table() -> Mapping[str, Mapping[str, Any]]:
    """Size to its CPUs, memory and temporary disk in GiB, accelerators and uses."""
    document = json.loads((Path(__file__).parent / "facts" / "machines.json").read_text("utf-8"))
    rows: Mapping[str, Mapping[str, Any]] = document["machines"]
    return rows


def choose(path: str, spec: MachineSpec, use: str) -> Choice:
    """The size for *spec*, which stands at *path*.

    Args:
        path: Where the machine stands: ``jobs.train.machine``.
        spec: What was asked.
        use: job or endpoint.

    Raises:
        UnsupportedError: There is none; the message says which come near.
    """
    if exact := spec.exact.get("azure"):
        others = _asked(spec)
        text = f"{exact}, as asked by its name" + ("; the rest of the machine does not count" if others else "")
        return Choice(instance_type=exact, notes=(Note(path, text, Level.NATIVE),))
    if not _asked(spec):
        return Choice(instance_type=PLAIN, notes=(Note(path, f"nothing was asked: {described(PLAIN)}", Level.NATIVE),))
    fitting = [name for name, row in table().items() if use in row["uses"] and _fits(row, spec)]
    if not fitting:
        raise _none(path, spec, use)
    found = min(fitting, key=_rank)
    return Choice(instance_type=found, notes=(Note(path, f"{_words(spec)} → {described(found)}", Level.NATIVE),))


def described(name: str) -> str:
    """A size with what it has; its name alone where the table has no row."""
    row = table().get(name)
    if row is None:
        return name
    accelerators = f", {row['gpus']} {row['gpu']}" if row["gpus"] else ""
    return f"{name} ({row['cpus']} CPUs, {row['memory_gib']:g} GiB, {row['disk_gib']} GiB of disk{accelerators})"


def has_gpu(name: str) -> bool:
    """Whether it has accelerators; sizes that the table does not have are told by their names."""
    row = table().get(name)
    return bool(row["gpus"]) if row else name.removeprefix(PREFIX)[:1] == "N"


def cpus(name: str) -> int:
    """Its virtual CPUs; 1 where the table does not know."""
    return int(table().get(name, {}).get("cpus", 1))


def family(name: str) -> str:
    """The letters that its name begins with."""
    stem = name.removeprefix(PREFIX)
    return stem[: next((index for index, one in enumerate(stem) if one.isdigit()), len(stem))]


def _asked(spec: MachineSpec) -> bool:
    return any(value is not None for value in (spec.cpus, spec.memory, spec.gpus, spec.gpu, spec.disk))


def _fits(row: Mapping[str, Any], spec: MachineSpec) -> bool:
    named = spec.gpu is None or row["gpu"].lower() == spec.gpu.lower()
    counted = row["gpus"] == (spec.gpus or 0) or (spec.gpus is None and spec.gpu is not None)
    roomy = row["disk_gib"] >= (math.ceil(spec.disk.gib) if spec.disk else 0)
    enough = row["cpus"] >= (spec.cpus or 0) and row["memory_gib"] >= (spec.memory.gib if spec.memory else 0)
    return bool(enough and roomy and named and counted)


def _rank(name: str) -> tuple[int, int, int, float, str]:
    row, begins = table()[name], family(name)
    preferred = FAMILIES.index(begins) if begins in FAMILIES else len(FAMILIES)
    return row["gpus"], row["cpus"], preferred, row["memory_gib"], name


def _words(spec: MachineSpec) -> str:
    """What was asked, in a few words."""
    parts = [f"{spec.cpus} CPUs"] if spec.cpus else []
    parts += [str(spec.memory)] if spec.memory else []
    parts += [f"{spec.disk} of disk"] if spec.disk else []
    if spec.gpus or spec.gpu:
        parts.append(f"{spec.gpus or ''} {spec.gpu or 'accelerators'}".strip())
    return " and ".join(parts) or "no accelerators"


def _none(path: str, spec: MachineSpec, use: str) -> UnsupportedError:
    near = list(_nearest(spec, use))
    hint = f"near it: {', '.join(described(name) for name in near)}" if near else "ask for less"
    known = sorted({row["gpu"] for row in table().values() if row["gpu"] and use in row["uses"]})
    if spec.gpu and spec.gpu.lower() not in {gpu.lower() for gpu in known}:
        hint = f"there is {', '.join(known)}"
    return UnsupportedError(
        f"Azure Machine Learning has no machine for `{path}`: {_words(spec)}",
        path=path,
        hint=f"{hint}; or name one: `exact: {{azure: Standard_…}}`",
    )


def _nearest(spec: MachineSpec, use: str) -> Iterator[str]:
    """Sizes that come near in their accelerators, else the largest."""
    rows = {name: row for name, row in table().items() if use in row["uses"]}
    same = [name for name, row in rows.items() if spec.gpu and row["gpu"].lower() == spec.gpu.lower()]
    yield from (sorted(same, key=_rank) or sorted(rows, key=_rank, reverse=True))[:NEAREST]
