"""What the benchmarks share: cases in turn, ratios of a round, their median and spread, and where they are written.

Only a ratio of two things measured in one run means something on another machine. A round runs every case once, one
after the other, and each round begins with another case, so a busy moment hits all alike. A figure is the ratio of the
medians; its spread is the smallest and the largest ratio of a round.
"""

from __future__ import annotations

import argparse
import contextlib
import datetime as dt
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

HERE = Path(__file__).parent
RESULTS = HERE / "results.json"
PEERS = HERE.parent / ".bench"
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # a user's Python compiles a module once, and not at every start
T = TypeVar("T")
FINE, MISSED = "reached", "missed"


@dataclass(frozen=True, slots=True)
class Target:
    """A bound of a row: on our figure divided by the other's, or, where there is no other, on our figure itself."""

    bound: float
    least: bool = False

    def reached(self, figure: float) -> bool:
        return figure >= self.bound if self.least else figure <= self.bound

    def __str__(self) -> str:
        return f"{'at least' if self.least else 'at most'} {written(self.bound)}"


def at_most(bound: float) -> Target:
    return Target(bound)


def at_least(bound: float) -> Target:
    return Target(bound, least=True)


@dataclass(frozen=True, slots=True)
class Row:
    """One figure: the medians of both sides in `unit`, their ratio, and the smallest and largest ratio of a round.

    Without another side (`beside` empty) `figure`, `low` and `high` are ours in `unit`.
    """

    name: str
    beside: str
    unit: str
    ours: float
    theirs: float | None
    figure: float
    low: float
    high: float
    rounds: int
    target: str
    verdict: str


def row(name: str, unit: str, ours: Sequence[float], target: Target | None = None, **beside: Sequence[float]) -> Row:
    """A row from what each round found: ``row("plan", "s", ours, at_most(8), **{"import click": theirs})``."""
    other, theirs = next(iter(beside.items()), ("", None))
    figures = [mine / its for mine, its in zip(ours, theirs, strict=True)] if theirs else list(ours)
    figure = statistics.median(ours) / (statistics.median(theirs) if theirs else 1)
    return Row(
        name=name,
        beside=other,
        unit=unit,
        ours=statistics.median(ours),
        theirs=statistics.median(theirs) if theirs else None,
        figure=figure,
        low=min(figures),
        high=max(figures),
        rounds=len(figures),
        target=str(target) if target else "",
        verdict="" if target is None else FINE if target.reached(figure) else MISSED,
    )


def in_turn(cases: Mapping[str, Callable[[], T]], rounds: int) -> dict[str, list[T]]:
    """What each case gave in each round. A round begins one case later than the round before."""
    found: dict[str, list[T]] = {name: [] for name in cases}
    names = list(cases)
    for number in range(rounds):
        first = number % len(names)
        for name in names[first:] + names[:first]:
            found[name].append(cases[name]())
    return found


def seconds(work: Callable[[], Any]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


@dataclass(frozen=True, slots=True)
class Spent:
    """What a child process took: wall time, time on processors with its own children, and its largest memory."""

    seconds: float
    processor: float
    peak: int  # bytes


WATCH = """
import json, os, sys, time
os.set_inheritable(int(sys.argv[1]), False)
began = time.perf_counter()
pid = os.posix_spawnp(sys.argv[2], sys.argv[2:], os.environ)
_, status, usage = os.wait4(pid, 0)
seconds = time.perf_counter() - began
told = [seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024, os.waitstatus_to_exitcode(status)]
os.write(int(sys.argv[1]), json.dumps(told).encode())
"""


def child(command: Sequence[str | Path], cwd: Path | None = None, env: Mapping[str, str] | None = None) -> Spent:
    """Run a command to its end. Raises subprocess.CalledProcessError with what it printed when it fails.

    A small process starts it and looks at its memory: Linux counts that of the parent, as it was at that moment, as the
    child's own (setmax_mm_hiwater_rss in fs/exec.c), and the one that measures may have grown large.
    """
    tell, told = os.pipe()
    with os.fdopen(tell, "rb") as answer:
        try:
            watch = [sys.executable, "-S", "-c", WATCH, str(told), *command]
            done = subprocess.run(
                watch, cwd=cwd, env=env, pass_fds=[told], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False
            )
        finally:
            os.close(told)
        if done.returncode:
            raise subprocess.CalledProcessError(done.returncode, command, done.stdout)
        seconds, processor, peak, code = json.load(answer)
    if code:
        raise subprocess.CalledProcessError(code, command, done.stdout)
    return Spent(seconds, processor, peak)


def peer(name: str) -> Path | None:
    """The Python of a peer's environment, or None where `make bench-peers` has not made it."""
    python = PEERS / name / "bin" / "python"
    return python if python.exists() else None


CLICK = "import click"
CLICK_S = 0.05
"""What this took, as a process, on the machine for which bounds in seconds were set."""


def click() -> float:
    """Seconds of a process that imports click and nothing else: the pace of a machine in starting Python."""
    return child([sys.executable, "-c", CLICK]).seconds


class Area:
    """The rows of one script, in the order they were measured, and what was left out with the reason."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.rows: list[Row] = []
        self.left_out: dict[str, str] = {}

    def add_paced(self, name: str, taken: Sequence[float], paces: Sequence[float], bound: float) -> None:
        """Add what took so many seconds, and the same beside `click` in the same rounds; the bound goes with both."""
        self.add(row(name, "s", taken, at_most(bound)))
        self.add(row(name, "s", taken, at_most(bound / CLICK_S), **{CLICK: paces}))

    def add(self, measured: Row) -> None:
        self.rows.append(measured)
        print(line(measured), flush=True)

    def leave_out(self, name: str, why: str) -> None:
        self.left_out[name] = why
        print(f"  left out: {name}: {why}", flush=True)


@contextlib.contextmanager
def area(name: str, *, keep: bool = False) -> Iterator[Area]:
    """Print a table of rows as they are measured and, at the end, write them to benchmarks/results.json.

    With *keep* a run of a part of the area replaces the rows that it measured anew, and leaves the others.
    """
    print(f"== {name}: {machine()}", flush=True)
    measured, whole = Area(name), False
    try:
        yield measured
        whole = True
    finally:
        _write(measured, keep=keep or not whole)  # what is measured is kept, also of a run that failed


def _write(measured: Area, *, keep: bool) -> None:
    everything = json.loads(RESULTS.read_text("utf-8")) if RESULTS.exists() else {}
    before = everything.get(measured.name, {}) if keep else {}
    rows = {(one["name"], one["beside"]): one for one in before.get("rows", ())}
    rows |= {(one.name, one.beside): asdict(one) for one in measured.rows}
    everything[measured.name] = {
        "date": dt.datetime.now(tz=dt.UTC).date().isoformat(),
        "machine": machine(),
        "rows": list(rows.values()),
        "left_out": measured.left_out,
    }
    RESULTS.write_text(json.dumps(dict(sorted(everything.items())), indent=1, default=str) + "\n", "utf-8")


def arguments(doc: str | None, rounds: int) -> argparse.ArgumentParser:
    """A parser with ``--rounds``; a script adds its own."""
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=rounds, help=f"how often each case runs (default: {rounds})")
    return parser


def machine() -> str:
    """What the figures were measured on, in a line."""
    processor = platform.processor() or platform.machine()
    with contextlib.suppress(OSError):
        found = [
            part for part in Path("/proc/cpuinfo").read_text("utf-8").splitlines() if part.startswith("model name")
        ]
        processor = found[0].partition(":")[2].strip() if found else processor
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return (
        f"{len(os.sched_getaffinity(0))} cores of {processor}, {memory:.0f} GiB, {platform.system()}, "
        f"CPython {platform.python_version()}"
    )


def written(figure: float) -> str:
    """A figure with the digits that mean something; a small ratio as a part of one."""
    if 0 < figure <= 0.1:
        return f"1/{1 / figure:.0f}"
    return f"{figure:.2f}" if figure < 10 else f"{figure:,.0f}"


def line(one: Row) -> str:
    """A row as it is printed."""
    what = f"{one.name} ÷ {one.beside}" if one.beside else f"{one.name}, {one.unit}"
    shown = written if one.beside else "{:,.3g}".format
    target = f"  {one.target}: {one.verdict}" if one.target else ""
    return f"  {what:<64} {shown(one.figure):>8} {f'({shown(one.low)} to {shown(one.high)})':<18}{target}"
