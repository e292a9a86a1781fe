"""What a user asks for: plain, frozen, neutral. One file per noun."""

from __future__ import annotations

from cloudml.specs.dataset import DatasetSpec
from cloudml.specs.endpoint import EndpointSpec, InstancesSpec
from cloudml.specs.job import FrameworkSpec, JobSpec
from cloudml.specs.machine import MachineSpec
from cloudml.specs.model import ModelSpec
from cloudml.specs.monitor import CheckSpec, MonitorSpec
from cloudml.specs.project import SECTIONS, AnySpec, ProjectSpec, TargetSpec

__all__ = [
    "SECTIONS", "AnySpec", "CheckSpec", "DatasetSpec", "EndpointSpec", "FrameworkSpec", "InstancesSpec", "JobSpec",
    "MachineSpec", "ModelSpec", "MonitorSpec", "ProjectSpec", "TargetSpec",
]  # fmt: skip
