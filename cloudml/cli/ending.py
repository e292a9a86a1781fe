"""How a command ends: every error becomes a message, a JSON line and an exit code here."""

from __future__ import annotations

import os
import sys
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

import click

from cloudml.errors import CloudMLError

if TYPE_CHECKING:
    from types import TracebackType

    from cloudml.cli.output import Output

INTERRUPTED = 130
LATEST: ContextVar[Output | None] = ContextVar("LATEST", default=None)
"""What the call that runs prints to; None before its options are read."""


def run(command: click.Group, arguments: list[str] | None) -> int:
    """The exit code of a command."""
    sys.excepthook = _unexpected
    LATEST.set(None)
    try:
        return _run(command, arguments)
    except BrokenPipeError:
        # Whoever read our output is gone; Python must not complain about it when it closes.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return CloudMLError.exit_code


def _run(command: click.Group, arguments: list[str] | None) -> int:
    try:
        result = command.main(arguments, prog_name="cloudml", standalone_mode=False)
    except CloudMLError as error:
        _out().failed(error)
        return error.exit_code
    except click.ClickException as error:
        _out(error).misused(error)
        return error.exit_code
    except (KeyboardInterrupt, click.Abort):
        _out().interrupted()
        return INTERRUPTED
    except OSError as error:
        if error.filename is None:
            raise
        _out().failed(CloudMLError(f"`{error.filename}`: {error.strerror}"))
        return CloudMLError.exit_code
    return result if isinstance(result, int) else 0


def _out(error: click.ClickException | None = None) -> Output:
    """The output of the call; made from the words as they stand when *error* says that they could not be read."""
    from cloudml.cli.options import STREAMING
    from cloudml.cli.output import Output

    verb = getattr(getattr(error, "ctx", None), "info_name", "")
    return LATEST.get() or Output(json="--json" in sys.argv, streaming=verb in STREAMING)


def _unexpected(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    sys.__excepthook__(kind, error, trace)
    _out().unexpected(error)


def problem(error: CloudMLError) -> dict[str, Any]:
    """An error as JSON."""
    said: dict[str, Any] = {"type": type(error).__name__, "message": error.message}
    for key in ("hint", "path", "where", "operation", "code", "request_id", "value", "threshold"):
        if (value := getattr(error, key, None)) not in (None, ""):
            said[key] = value
    problems = getattr(error, "problems", ())
    if len(problems) > 1:
        said["problems"] = [problem(one) if one is not error else {**said} for one in problems]
    return said
