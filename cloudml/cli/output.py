"""Everything that is printed: data on stdout, talk on stderr. The only file that prints."""

from __future__ import annotations

import json
import os
import sys
import threading
from contextlib import contextmanager, nullcontext, redirect_stdout
from io import TextIOWrapper
from typing import TYPE_CHECKING, Any

import click

from cloudml.cli.ending import LATEST, problem
from cloudml.encoding import as_json
from cloudml.errors import CloudMLError, GateError, SpecError
from cloudml.events import Event, Happened, silent
from cloudml.status import JobState, State

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from typing import TextIO

    from cloudml.events import Listener

SIGNS = {
    "create": "+", "update": "~", "finish": "~", "replace": "-/+", "reuse": "=", "wait": "…", "delete": "-",
    "unknown": "?",
}  # fmt: skip

_ONE_AT_A_TIME = threading.Lock()

DULL = frozenset({Happened.PROGRESS, Happened.STARTED})
"""What a plain line is not spent on."""
OVER = frozenset(str(state) for state in (*JobState, *State) if state.over)
"""States that the last line of a resource tells."""


class Output:
    """Where a command's words go.

    Attributes:
        json: Whether data are printed as JSON.
        streaming: Whether the command prints one JSON object a line, the last of them `done`.
        worked: Whether something was begun that an interruption leaves half done.
    """

    def __init__(
        self, *, json: bool = False, plain: bool = False, quiet: bool = False, streaming: bool = False
    ) -> None:
        self.json = json
        self.plain = plain or bool(os.environ.get("NO_COLOR"))
        self.quiet = quiet
        self.streaming = streaming
        self.worked = False
        for stream in (sys.stdout, sys.stderr):
            if isinstance(stream, TextIOWrapper):
                # A terminal that has no `✓` shows a question mark; it is no reason to fail.
                stream.reconfigure(errors="replace")

    @classmethod
    def of(cls, *, as_json: bool, plain: bool, quiet: bool, streaming: bool) -> Output:
        """The output of one call, found again when the call ends badly."""
        out = cls(json=as_json, plain=plain, quiet=quiet, streaming=streaming)
        LATEST.set(out)
        return out

    def data(self, value: Any) -> None:
        """One JSON document, or one line of several."""
        escaped = not (sys.stdout.encoding or "").lower().startswith("utf")
        _whole(json.dumps(as_json(value), indent=None if self.streaming else 2, ensure_ascii=escaped), sys.stdout)

    def told(self, text: str, **facts: Any) -> None:
        """What a command did that has nothing to show: talk for people, *facts* for programs."""
        if self.json:
            self.data(facts)
        else:
            self.say(text)

    def line(self, text: str = "") -> None:
        """A line of data for people."""
        _whole(text, sys.stdout)

    def raw(self, content: bytes) -> None:
        """Bytes as they stand."""
        sys.stdout.buffer.write(content)
        sys.stdout.buffer.flush()

    def say(self, text: str) -> None:
        """A line of talk."""
        if not self.quiet:
            _whole(text, sys.stderr)

    def table(self, head: Sequence[str], rows: Iterable[Sequence[str]], empty: str) -> None:
        """Aligned columns; *empty* when there are no rows."""
        shown = [[str(cell) for cell in row] for row in rows]
        if not shown:
            self.say(empty)
            return
        widths = [max(len(row[i]) for row in [list(head), *shown]) for i in range(len(head))]
        for row in [[name.upper() for name in head], *shown]:
            print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())

    def show(self, value: Any) -> None:
        """One object: its fields under each other, or as JSON."""
        if self.json:
            self.data(value)
            return
        for key, inner in as_json(value).items():
            if inner not in ("", None, {}, []):
                print(f"{key + ':':<12} {_brief(inner)}")

    def failed(self, error: CloudMLError) -> None:
        """An error: what, which, and what to do."""
        self._ended(problem(error))
        for text in error_lines(error):
            print(text, file=sys.stderr)

    def misused(self, error: click.ClickException) -> None:
        """A command line that cannot be read."""
        message, _, hint = error.format_message().partition("\n\nhint: ")
        self._ended({"type": type(error).__name__, "message": message} | ({"hint": hint} if hint else {}))
        if isinstance(error, click.exceptions.NoArgsIsHelpError):
            print(message, file=sys.stderr)
            return
        if isinstance(error, click.UsageError) and error.ctx is not None:
            print(error.ctx.get_usage(), end="\n\n", file=sys.stderr)
        print(f"error: {message}" + (f"\n\nhint: {hint}" if hint else ""), file=sys.stderr)

    def unexpected(self, error: BaseException) -> None:
        """A fault of this program."""
        message = f"{type(error).__name__}: {error}"
        self._ended({"type": "UnexpectedError", "message": message})
        print(f"unexpected error: {message}; please report it with the lines above", file=sys.stderr)

    def interrupted(self) -> None:
        """Somebody pressed Ctrl-C."""
        self._ended({"type": "Interrupted", "message": "interrupted"})
        rest = ": what was started goes on; the same command again finishes the rest" if self.worked else ""
        print(f"\ninterrupted{rest}", file=sys.stderr)

    def _ended(self, error: dict[str, Any]) -> None:
        if self.json:
            self.data({"event": "done", "ok": False, "error": error} if self.streaming else {"error": error})

    def done(self, result: dict[str, Any]) -> None:
        """The last line of a stream."""
        if self.json:
            self.data({"event": "done", "ok": True, **result})

    @contextmanager
    def kept_clean(self) -> Iterator[None]:
        """What others print meanwhile goes to stderr when stdout is for JSON."""
        with redirect_stdout(sys.stderr) if self.json else nullcontext():
            yield

    @contextmanager
    def progress(self) -> Iterator[Listener]:
        """A listener for as long as something is worked at: JSON lines, a live picture, or plain lines."""
        self.worked = True
        if self.json and self.streaming:
            yield lambda event: self.data(event.as_json())
        elif self.quiet or self.json:
            yield silent
        elif sys.stderr.isatty() and os.environ.get("TERM") != "dumb":
            from cloudml.cli.picture import Picture

            with Picture(plain=self.plain) as picture:
                yield picture.see
        else:
            yield self._plain_line

    def _plain_line(self, event: Event) -> None:
        if event.event not in DULL and not (event.event is Happened.STATE and event.state in OVER):
            self.say(event_line(event))


def _whole(text: str, stream: TextIO) -> None:
    """Print a line in one piece: what several resources have to say at once comes from as many threads."""
    with _ONE_AT_A_TIME:
        print(f"{text}\n", end="", file=stream, flush=True)


def event_line(event: Event) -> str:
    """One event in a line: ``jobs.train  create  running  3.2s``."""
    sign = SIGNS.get(event.action, " ")
    state = event.state or str(event.event)
    seconds = f"{event.seconds:.1f}s" if event.seconds is not None else ""
    message = event.message.partition("\n")[0]
    words = [f"{sign:<3} {event.resource:<28}", f"{state:<10}", f"{seconds:>7}", message]
    return " ".join(words).rstrip()


def error_lines(error: CloudMLError) -> Iterator[str]:
    """An error as it is printed."""
    problems = error.problems if isinstance(error, SpecError) else ()
    if len(problems) > 1:
        yield f"error: {len(problems)} problems"
        for one in problems:
            yield f"  {_place(one)}{one.message}" + (f" (hint: {one.hint})" if one.hint else "")
        return
    place = _place(error) if isinstance(error, SpecError) and error.where else ""
    yield f"error: {place}{error.message}"
    if isinstance(error, GateError) and error.value is not None:
        yield f"  value {error.value:g}, threshold {error.threshold}"
    if error.hint:
        yield ""
        yield f"hint: {error.hint}"


def _place(error: SpecError) -> str:
    return "".join(f"{one}: " for one in (error.where, error.path) if one)


def _brief(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key}={_brief(inner)}" for key, inner in value.items())
    if isinstance(value, list):
        return "\n             ".join(_brief(inner) for inner in value)
    return str(value)
