"""Machines: what was asked -> an instance type, by a table of facts in facts/machines.json (source and date inside).

The rule: of those that have at least the CPUs and memory, and exactly the accelerators, that were asked for (the fewest
that there are, where their name alone was), the one with the fewest CPUs; among these the families of `FAMILIES` first,
which new accounts may use in every region, then the least memory; burstable ones last. A disk that is built in cannot
be changed, so one that is asked for must fit in it.
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

FAMILIES = ("m5", "c5", "r5", "g4dn", "g5", "g6", "p4d", "p5")
PLAIN = "ml.m5.large"
"""What is taken where nothing is asked: 2 CPUs, 8 GiB."""
PREFIX = "ml."
NEAREST = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """An instance type and how it was found.

    Attributes:
        instance_type: SageMaker's name.
        volume_gib: The disk that was asked for; None where none was.
        notes: What the plan says of it.
    """

    instance_type: str
    volume_gib: int | None
    notes: tuple[Note, ...]


@cache
def facts() -> Mapping[str, Any]:
    """What `cloudml_aws.refresh` wrote of machines."""
    document: Mapping[str, Any] = json.loads((Path(__file__).parent / "facts" / "machines.json").read_text("utf-8"))
    return document


def table() -> Mapping[str, Mapping[str, Any]]:
    """Instance type to its CPUs, memory in GiB, accelerators, built-in disk and uses."""
    rows: Mapping[str, Mapping[str, Any]] = facts()["machines"]
    return rows


def choose(path: str, spec: MachineSpec, use: str) -> Choice:
    """The instance type for *spec*, which stands at *path*.

    Args:
        path: Where the machine stands: ``jobs.train.machine``.
        spec: What was asked.
        use: training, processing or endpoint.

    Raises:
        UnsupportedError: There is none, and the message says which come near; or the one that is named does not do.
    """
    found, text = _found(path, spec, use)
    notes = [Note(path, text, Level.NATIVE)]
    volume = math.ceil(spec.disk.gib) if spec.disk else None
    if volume and has_own_disk(found):
        text = f"{found} has a disk of its own, of {_own_disk_gib(found)} GiB, and no other"
        notes.append(Note(f"{path}.disk", text))
    return Choice(instance_type=found, volume_gib=volume, notes=tuple(notes))


def _found(path: str, spec: MachineSpec, use: str) -> tuple[str, str]:
    """The instance type, and how it was found."""
    if exact := spec.exact.get("aws"):
        _refuse(path, exact, spec)
        return exact, f"{exact}, as asked by its name" + (
            "; the rest of the machine does not count" if _asked(spec) else ""
        )
    if not _asked(spec):
        return PLAIN, f"nothing was asked: {described(PLAIN)}"
    fitting = [name for name, row in table().items() if use in row["uses"] and _fits(row, spec)]
    if not fitting:
        raise _none(path, spec, use)
    found = min(fitting, key=_rank)
    return found, f"{_words(spec)} → {described(found)}"


def _refuse(path: str, exact: str, spec: MachineSpec) -> None:
    """Refuse a machine that SageMaker would take, and on which the work could not be done."""
    if exact in facts()["arm"]:
        raise UnsupportedError(
            f"`{path}` names {exact}, whose processors are Arm's, and SageMaker's prebuilt images are for x86",
            path=f"{path}.exact",
            hint=f"name one such as {PLAIN}, or say what the machine must have: `machine: {{cpus: 2, memory: 8GiB}}`",
        )
    if spec.disk and has_own_disk(exact) and not _holds(table()[exact], spec):
        raise UnsupportedError(
            f"{exact} has a disk of its own of {_own_disk_gib(exact)} GiB and takes no other, and `{path}.disk` asks"
            f" for {spec.disk}",
            path=f"{path}.disk",
            hint="name a larger machine, or say what it must have and let one be found",
        )


def described(name: str) -> str:
    """An instance type with what it has; its name alone where the table has no row."""
    row = table().get(name)
    if row is None:
        return name
    accelerators = f", {row['gpus']} {row['gpu']}" if row["gpus"] else ""
    return f"{name} ({row['cpus']} CPUs, {row['memory_gib']:g} GiB{accelerators})"


def has_gpu(name: str) -> bool:
    """Whether images for accelerators run there; families that the table does not have are told by their names."""
    row = table().get(name)
    return bool(row["gpus"]) if row else name.removeprefix(PREFIX)[:1] in {"g", "p"}


def has_own_disk(name: str) -> bool:
    """Whether its disk is built in, so that none may be asked for at an endpoint."""
    return bool(_own_disk_gib(name))


def _own_disk_gib(name: str) -> int:
    return int(table().get(name, {}).get("own_disk_gib", 0))


def burstable(name: str) -> bool:
    """Whether it is of a burstable family, which cannot be autoscaled."""
    return name.startswith(f"{PREFIX}t")


def _asked(spec: MachineSpec) -> bool:
    return any(value is not None for value in (spec.cpus, spec.memory, spec.gpus, spec.gpu))


def _fits(row: Mapping[str, Any], spec: MachineSpec) -> bool:
    named = spec.gpu is None or row["gpu"].lower() == spec.gpu.lower()
    counted = row["gpus"] == (spec.gpus or 0) or (spec.gpus is None and spec.gpu is not None)
    enough = row["cpus"] >= (spec.cpus or 0) and row["memory_gib"] >= (spec.memory.gib if spec.memory else 0)
    return bool(enough and named and counted and _holds(row, spec))


def _holds(row: Mapping[str, Any], spec: MachineSpec) -> bool:
    """Whether the disk that is asked for is there: volumes can be had of any size, built-in disks cannot."""
    return not (spec.disk and row["own_disk_gib"]) or row["own_disk_gib"] >= spec.disk.gib


def _rank(name: str) -> tuple[bool, int, int, bool, float, int, str]:
    row, family = table()[name], name.removeprefix(PREFIX).partition(".")[0]
    preferred = FAMILIES.index(family) if family in FAMILIES else len(FAMILIES)
    known = preferred < len(FAMILIES)
    return bool(row["burstable"]), row["gpus"], row["cpus"], not known, row["memory_gib"], preferred, name


def _words(spec: MachineSpec) -> str:
    """What was asked, in a few words."""
    parts = [f"{spec.cpus} CPUs"] if spec.cpus else []
    parts += [str(spec.memory)] if spec.memory else []
    if spec.gpus or spec.gpu:
        parts.append(f"{spec.gpus or ''} {spec.gpu or 'accelerators'}".strip())
    return " and ".join(parts) or "no accelerators"


def _none(path: str, spec: MachineSpec, use: str) -> UnsupportedError:
    near = list(_nearest(spec, use))
    hint = f"near it: {', '.join(described(name) for name in near)}" if near else "ask for less"
    disk = f", with a disk of {spec.disk}" if spec.disk else ""
    known = sorted({row["gpu"] for row in table().values() if row["gpu"] and use in row["uses"]})
    if spec.gpu and spec.gpu.lower() not in {gpu.lower() for gpu in known}:
        hint = f"there is {', '.join(known)}"
    return UnsupportedError(
        f"Amazon SageMaker has no machine for `{path}`: {_words(spec)}{disk}",
        path=path,
        hint=f"{hint}; or name one: `exact: {{aws: ml.…}}`",
    )


def _nearest(spec: MachineSpec, use: str) -> Iterator[str]:
    """Instance types that come near in their accelerators, else the largest."""
    rows = {name: row for name, row in table().items() if use in row["uses"]}
    same = [name for name, row in rows.items() if spec.gpu and row["gpu"].lower() == spec.gpu.lower()]
    yield from (sorted(same, key=_rank) or sorted(rows, key=_rank, reverse=True))[:NEAREST]
