"""The live picture of `up` and `down` on a terminal: one line for each resource."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Self

from rich.console import Console
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from cloudml.events import Event, Happened
from cloudml.records import dataclass

if TYPE_CHECKING:
    from types import TracebackType

    from rich.console import RenderableType

MARKS = {
    Happened.FINISHED: ("✓", "green"),
    Happened.FAILED: ("✗", "red"),
    Happened.SKIPPED: ("·", "dim"),
}


@dataclass
class Line:
    """What is known of one resource."""

    last: Event
    spinner: Spinner
    reused: bool = False


class Picture:
    """Draws events as they come, on stderr."""

    def __init__(self, *, plain: bool) -> None:
        self._lines: dict[str, Line] = {}
        self._names: dict[str, str] = {}
        self._lock = threading.Lock()
        console = Console(stderr=True, no_color=plain, highlight=False)
        self._live = Live(console=console, get_renderable=self._draw, refresh_per_second=8)

    def __enter__(self) -> Self:
        self._live.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.__exit__(kind, error, trace)

    def see(self, event: Event) -> None:
        """An event happened; it may come from any thread."""
        with self._lock:
            key = self._names[event.resource] = event.name or self._names.get(event.resource, event.resource)
            line = self._lines.setdefault(key, Line(event, Spinner("dots")))
            line.last = event
            line.reused = bool(event.details.get("reused"))

    def _draw(self) -> Table:
        table = Table.grid(padding=(0, 2))
        with self._lock:
            for line in self._lines.values():
                table.add_row(*_cells(line))
        return table


def _cells(line: Line) -> tuple[RenderableType, ...]:
    event = line.last
    mark, style = MARKS.get(event.event, ("", ""))
    if line.reused:
        mark = "="
    sign: RenderableType = Text(mark, style=style) if mark else line.spinner
    word = "reused" if line.reused else event.state or event.message or str(event.event)
    seconds = f"{event.seconds:.1f}s" if event.seconds is not None else ""
    return sign, Text(event.resource), Text(word.splitlines()[0], style=style), _bar(event), Text(seconds, style="dim")


def _bar(event: Event) -> RenderableType:
    if event.event is Happened.PROGRESS and event.total:
        return ProgressBar(total=event.total, completed=event.done or 0, width=24)
    return Text("")
