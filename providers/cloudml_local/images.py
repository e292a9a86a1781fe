"""Images: there is none, scripts run in this Python; what was asked is compared with what is installed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cloudml.plan import Note

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from cloudml.specs import FrameworkSpec, JobSpec

DISTRIBUTIONS: Mapping[str, tuple[str, ...]] = {
    "sklearn": ("scikit-learn",),
    "xgboost": ("xgboost", "xgboost-cpu"),
    "pytorch": ("torch",),
    "tensorflow": ("tensorflow", "tensorflow-cpu"),
    "huggingface": ("transformers",),
}
"""Framework to the distributions that bring it."""


def installed(framework: str) -> str:
    """The installed version of a framework; empty when it is not installed."""
    from importlib.metadata import PackageNotFoundError, version

    for name in DISTRIBUTIONS[framework]:
        try:
            return version(name)
        except PackageNotFoundError:
            continue
    return ""


def compared(framework: FrameworkSpec, found: str) -> str:
    """What to say of a framework that was asked for when *found* is installed."""
    if not found:
        return f"runs in this Python, where {framework.name} is not installed"
    if f"{found}.".startswith(f"{framework.version}."):
        return f"runs in this Python with its {framework.name} {found}"
    return f"runs in this Python with its {framework.name} {found}, not {framework.version}"


def notes(path: str, spec: JobSpec) -> Iterator[Note]:
    """What became of the framework or image of the job at *path*."""
    if spec.framework:
        yield Note(f"{path}.framework", compared(spec.framework, installed(spec.framework.name)))
    if spec.image:
        yield Note(f"{path}.image", f"runs in this Python, not in `{spec.image}`")
