"""What runs in the calling process instead of one of its own: jobs for a debugger, models without a socket."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cloudml.status import JobState

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cloudml.resources import JobResource
    from cloudml_local.places import Run


def run(resource: JobResource, request: Mapping[str, Any], run: Run) -> tuple[JobState, str]:
    """Run the script as ``__main__`` of this process, where breakpoints work: the state in which it ends, and why.

    What the script raises is printed and ends the job, as it would in a process of its own.
    """
    from cloudml.source import pack

    run.folder.mkdir(parents=True)
    pack(resource.source, run.code)
    run.staging.mkdir()
    return JobState.FAILED, ""
