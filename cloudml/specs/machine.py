"""What a job or an endpoint runs on, said without naming any provider's machine."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import Field, StrictInt

from cloudml.specs.base import Name, SizeText, Spec


class MachineSpec(Spec):
    """The least that a machine must have; the provider's smallest match is taken, and `cloudml plan` says which."""

    cpus: StrictInt | None = Field(default=None, ge=1, le=1024)
    """Virtual CPUs, at least."""
    memory: SizeText | None = None
    """Main memory, at least: ``16GiB``."""
    gpus: StrictInt | None = Field(default=None, ge=0, le=64)
    """Accelerators, exactly."""
    gpu: str | None = Field(default=None, min_length=1, max_length=40, examples=["T4"])
    """The accelerator's name: T4, L4, A10G, V100, A100, H100."""
    disk: SizeText | None = None
    """Scratch disk, at least: ``50GiB``."""
    exact: Mapping[Name, str] = Field(default_factory=dict)
    """A provider's own machine type, by provider: ``{aws: ml.m5.xlarge}``; wins over the rest there."""
