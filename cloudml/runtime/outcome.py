"""How a run ended, in words and numbers."""

from __future__ import annotations

import os
import signal
from typing import Any, NamedTuple

from cloudml.runtime import record

FAILED, WRONG, TIMED_OUT = 1, 2, 124


class Outcome(NamedTuple):
    """The end of a run; *code* is the script's, None if it has not ended or was never started."""

    state: str
    code: int | None = None
    reason: str = ""


RUNNING = Outcome("running")


def judged(what: str, code: int | None, *, number: int, timed_out: bool, last: str = "") -> Outcome:
    """The outcome of *what*, which ended with *code*.

    Args:
        what: The script's name.
        code: None if it was not started any more.
        number: The signal that came meanwhile, or 0.
        timed_out: The time was up.
        last: The last line it wrote.
    """
    if timed_out:
        return Outcome("timed_out", code, f"{what} had not ended when its time was up")
    if number:
        return Outcome("cancelled", code, f"stopped by {signal.Signals(number).name}")
    if code == 0:
        return Outcome("succeeded", 0)
    return Outcome("failed", code, f"{what} {_ended(code or FAILED)}" + (f": {last}" if last else ""))


def exit_code(outcome: Outcome, number: int) -> int:
    """The driver's own; *number* is the signal that came, or 0."""
    if outcome.code:
        return outcome.code
    return {"succeeded": 0, "timed_out": TIMED_OUT, "cancelled": 128 + number}.get(outcome.state, FAILED)


def write(place: str, outcome: Outcome, started: str) -> None:
    """Write status.json of the record at *place*."""
    ended = None if outcome is RUNNING else record.now()
    content: dict[str, Any] = {"state": outcome.state, "exit_code": outcome.code, "started": started, "ended": ended}
    record.write_json(place, "status.json", {**content, "reason": outcome.reason, "pid": os.getpid()})


def _ended(code: int) -> str:
    names = {128 + number: number.name for number in signal.Signals}
    if code not in names:
        return f"ended with exit code {code}"
    memory = ", perhaps because memory ran out" if names[code] == "SIGKILL" else ""
    return f"was ended by {names[code]}{memory}"
