"""One interface for the life of a machine-learning model, on every cloud and on this computer.

    import cloudml

    project = cloudml.load("cloudml.yaml")
    project.up(on="local")
    project.client().endpoints.invoke("delay", [{"carrier": "UA", "distance": 1400}])

Names are imported on first use, so that `import cloudml` costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cloudml.client import Client, connect
    from cloudml.errors import (
        AlreadyExistsError,
        AuthenticationError,
        CloudMLError,
        ConflictError,
        GateError,
        InvalidRequestError,
        NotFoundError,
        PermissionDeniedError,
        ProviderError,
        ProviderNotFoundError,
        QuotaExceededError,
        RunFailedError,
        SettingsError,
        SpecError,
        ThrottledError,
        UnavailableError,
        UnsupportedError,
        WaitTimeoutError,
    )
    from cloudml.project import Project, load
    from cloudml.specs import (
        CheckSpec,
        DatasetSpec,
        EndpointSpec,
        FrameworkSpec,
        InstancesSpec,
        JobSpec,
        MachineSpec,
        ModelSpec,
        MonitorSpec,
        ProjectSpec,
        TargetSpec,
    )

_HOMES = {
    "cloudml.client": ("Client", "connect"),
    "cloudml.project": ("Project", "load"),
    "cloudml.errors": (
        "AlreadyExistsError", "AuthenticationError", "CloudMLError", "ConflictError", "GateError",
        "InvalidRequestError", "NotFoundError", "PermissionDeniedError", "ProviderError", "ProviderNotFoundError",
        "QuotaExceededError", "RunFailedError", "SettingsError", "SpecError", "ThrottledError", "UnavailableError",
        "UnsupportedError", "WaitTimeoutError",
    ),
    "cloudml.specs": (
        "CheckSpec", "DatasetSpec", "EndpointSpec", "FrameworkSpec", "InstancesSpec", "JobSpec", "MachineSpec",
        "ModelSpec", "MonitorSpec", "ProjectSpec", "TargetSpec",
    ),
}  # fmt: skip
_HOME = {name: home for home, names in _HOMES.items() for name in names}

__all__ = [
    "AlreadyExistsError", "AuthenticationError", "CheckSpec", "Client", "CloudMLError", "ConflictError", "DatasetSpec",
    "EndpointSpec", "FrameworkSpec", "GateError", "InstancesSpec", "InvalidRequestError", "JobSpec", "MachineSpec",
    "ModelSpec", "MonitorSpec", "NotFoundError", "PermissionDeniedError", "Project", "ProjectSpec", "ProviderError",
    "ProviderNotFoundError", "QuotaExceededError", "RunFailedError", "SettingsError", "SpecError", "TargetSpec",
    "ThrottledError", "UnavailableError", "UnsupportedError", "WaitTimeoutError", "connect", "load",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    """A public name, imported when it is first asked for."""
    if name not in _HOME:
        raise AttributeError(f"module 'cloudml' has no attribute {name!r}")
    value = getattr(import_module(_HOME[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
