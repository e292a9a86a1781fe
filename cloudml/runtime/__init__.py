"""What runs inside a container, or beside your code: standard library only, Python 3.8 and later.

    from cloudml import runtime

    job = runtime.job()
    rows = (job.inputs["train"] / "rows.csv").read_text()
    job.log_metric("auc", 0.74)

This folder travels with the user's code to every provider, and imports nothing of cloudml outside itself. Names are
imported on first use: every job waits for its imports.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cloudml.runtime.inside import running
    from cloudml.runtime.jobs import Job, job
    from cloudml.runtime.record import Metric, Record, read_metrics, read_record
    from cloudml.runtime.refusal import BadRequest
    from cloudml.runtime.request import RequestError

__all__ = ["BadRequest", "Job", "Metric", "Record", "RequestError", "job", "read_metrics", "read_record", "running"]
_HOMES = {
    "BadRequest": "refusal", "Job": "jobs", "Metric": "record", "Record": "record", "RequestError": "request",
    "job": "jobs", "read_metrics": "record", "read_record": "record", "running": "inside",
}  # fmt: skip


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module `{__name__}` has no attribute `{name}`")
    value = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
