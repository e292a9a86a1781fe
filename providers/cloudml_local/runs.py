"""How a run of a job stands and how it ends: what the driver recorded, and what that means for the job."""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import field, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from cloudml.records import dataclass
from cloudml.runtime.record import read_record
from cloudml.states import JobState
from cloudml_local import processes
from cloudml_local.places import Run
from cloudml_local.state import attempt

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cloudml_local.state import Row, State

RUNNER = "runner"
"""The role of an owner that is the job's runner, not the process that is about to start one."""
UNKNOWN = "unknown"
TAIL = 20
"""So many last lines of a log tell why a driver came to nothing."""
LONGEST_TAIL = 64 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What the driver has recorded so far; its state is `unknown` before it has begun."""

    state: str = UNKNOWN
    reason: str = ""
    metrics: Mapping[str, float] = field(default_factory=dict)
    exit_code: int | None = None
    tail: tuple[str, ...] = ()
    started: datetime | None = None
    ended: datetime | None = None


def seen(run: Run) -> Seen:
    """What the driver of that run has recorded; the log's last lines where it recorded none."""
    record = read_record(run.record)
    return Seen(
        state=record.state,
        reason=record.reason,
        metrics=record.metrics,
        exit_code=record.exit_code,
        tail=tuple(record.tail.splitlines()) or last_lines(run.log),
        started=_moment(record.started),
        ended=_moment(record.ended),
    )


def _moment(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


def last_lines(log: Path, since: int = 0) -> tuple[str, ...]:
    """The last lines of a log, of what was written after byte *since*."""
    with suppress(OSError), log.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(since, size - LONGEST_TAIL))
        return tuple(file.read().decode("utf-8", "replace").splitlines()[-TAIL:])
    return ()


def outcome(seen: Seen, *, stopping: bool, driver: int | None) -> tuple[JobState, str]:
    """The state in which a job ends, and why.

    Args:
        seen: What the driver recorded.
        stopping: Whether somebody asked the job to stop.
        driver: The driver's exit code; None when it is not known because the runner was killed.
    """
    if stopping:
        return JobState.CANCELLED, "cancelled"
    if seen.state == JobState.SUCCEEDED:
        return JobState.SUCCEEDED, ""
    if driver is None:
        return JobState.FAILED, _killed(seen)
    if seen.state in {JobState.FAILED, JobState.TIMED_OUT}:
        return JobState(seen.state), seen.reason or f"the script ended with exit code {seen.exit_code}"
    if driver < 0:
        return JobState.FAILED, f"the driver was killed by signal {-driver}"
    return JobState.FAILED, " ".join((f"the driver ended with exit code {driver}:", *seen.tail[-1:]))


def _killed(seen: Seen) -> str:
    """Why a job failed whose runner was killed, or ended by an error of its own, which is what it said last."""
    if seen.state == JobState.FAILED and seen.reason:
        return seen.reason
    if seen.state != UNKNOWN:
        return "the runner was killed"
    return ": ".join(("the runner was killed before the script began", *seen.tail[-1:]))


def publish(run: Run) -> None:
    """Let the outputs of a run that succeeded be found, read-only, in one step; done twice is no error."""
    if run.staging.is_dir() and not run.outputs.exists():
        protect(run.staging)
        run.staging.rename(run.outputs)
    run.outputs.mkdir(exist_ok=True)


def protect(folder: Path) -> None:
    """Take the right to write away from every file below *folder*."""
    for path, _, names in os.walk(folder):
        for name in names:
            file = Path(path, name)
            if not file.is_symlink():
                file.chmod(file.stat().st_mode & 0o555)


def finish(state: State, row: Row, driver: int | None) -> Row | None:
    """Write down how a run ended; its outputs count from here on, if it ended well.

    Args:
        state: Where.
        row: As it was when whoever calls began to look after it.
        driver: See `outcome`.
    """
    run = Run(state.places.folder("jobs", row.name))
    now = state.look("jobs", row.name)
    if now is None:
        return None
    ended, reason = outcome(seen(run), stopping=now.state == JobState.STOPPING, driver=driver)
    if ended is JobState.SUCCEEDED:
        publish(run)

    def over(now: Row) -> Row | None:
        if now.facts.get("attempt") != row.facts.get("attempt") or now.owner != row.owner:
            return None
        return replace(now, state=ended, reason=reason).with_facts(owner=None, role=None)

    return state.edit("jobs", row.name, over)


def settle_orphan(state: State, row: Row) -> None:
    """End what a killed runner left running, and write down how its job ended.

    Of several who find it, one does it: the one who becomes its owner. That begins another attempt: a runner that was
    started a moment before its starter was killed comes late, and does not take the job back.
    """

    def take_over(now: Row) -> Row | None:
        ours = {"owner": processes.me(), "role": None, "attempt": attempt()}
        return now.with_facts(**ours) if now.owner == row.owner and now.orphaned else None

    taken = state.edit("jobs", row.name, take_over)
    if taken is not None:
        processes.end(state.places.folder("jobs", row.name))
        finish(state, taken, None)
