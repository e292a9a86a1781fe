"""What runs inside a container, or beside your code: standard library only, Python 3.8 and later.

    from cloudml import runtime

    job = runtime.job()
    rows = (job.inputs["train"] / "rows.csv").read_text()
    job.log_metric("auc", 0.74)

This folder travels with the user's code to every provider, and imports nothing of cloudml outside itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cloudml.runtime.jobs import Job, job
from cloudml.runtime.record import Metric, Record, read_metrics, read_record
from cloudml.runtime.request import RequestError

if TYPE_CHECKING:
    from cloudml.runtime.inside import running

__all__ = ["Job", "Metric", "Record", "RequestError", "job", "read_metrics", "read_record", "running"]


def __getattr__(name: str) -> Any:  # noqa: ANN401 - the type is that of the name
    if name == "running":  # no script needs it, and every script waits for its imports
        from cloudml.runtime.inside import running

        return running
    raise AttributeError(f"module `{__name__}` has no attribute `{name}`")
