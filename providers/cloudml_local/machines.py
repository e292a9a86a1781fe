"""Machines: there is one, this computer; what was asked of a machine is said to be so."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cloudml.plan import Note
from cloudml_local import processes

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from cloudml.specs import MachineSpec

THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS")
"""What numerical libraries read to learn how many threads to start; each starts one per CPU otherwise."""


def threads(machine: MachineSpec) -> Mapping[str, str]:
    """The environment that keeps numerical libraries to the CPUs that were asked for."""
    return dict.fromkeys(THREADS, str(machine.cpus)) if machine.cpus else {}


def notes(path: str, machine: MachineSpec) -> Iterator[Note]:
    """What became of each field of *machine*, which stands at *path*."""
    here = f"runs on this computer, which has {processes.cpus()} CPUs"
    if machine.cpus:
        yield Note(f"{path}.cpus", f"{here}; numerical libraries are told to use {machine.cpus} threads")
    if machine.memory:
        yield Note(f"{path}.memory", f"runs on this computer; {machine.memory} are neither kept free nor a limit")
    if machine.gpus is not None:
        yield Note(f"{path}.gpus", "runs on this computer, with the accelerators that it has")
    if machine.gpu:
        yield Note(f"{path}.gpu", f"runs on this computer, whether or not it has a {machine.gpu}")
    if machine.disk:
        yield Note(f"{path}.disk", f"uses this computer's disk; {machine.disk} are not kept free")
    if "local" in machine.exact:
        yield Note(f"{path}.exact.local", "there is one machine, this computer, whatever its name")
