"""How many requests a second a model answers, and how long each takes: ours beside what a user would pick instead.

All servers run at once, each with one worker, and are asked in turn by wrk, which has one thread; each request has one
row of 12 columns, 64 different ones. Ours records every request, counts, checks rows and asks for a token.

    python benchmarks/serving.py [--rounds 3] [--seconds 5] [--connections 16,64] [--models logistic,boosting]
        [--no-workers]
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import measuring
import servers
from measuring import at_least, at_most, row

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from contextlib import AbstractContextManager

    from measuring import Area
    from servers import Asked

OURS, TENSORS = "ours", "ours, open inference protocol"
MLFLOW, MLSERVER, BARE = "mlflow", "mlserver", "bare ASGI app"
ROWS = 64
WORKERS = 4
SCRIPT = """
local bodies = {}
for line in io.lines(os.getenv("BODIES")) do bodies[#bodies + 1] = line end
wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
for name, value in string.gmatch(os.getenv("HEADERS"), "([^:\\n]+): ([^\\n]+)") do wrk.headers[name] = value end
local requests, next_one = {}, 0
function init()
  for index, body in ipairs(bodies) do requests[index] = wrk.format(nil, nil, nil, body) end
end
function request()
  next_one = next_one % #requests + 1
  return requests[next_one]
end
function done(summary, latency)
  local failed = summary.errors.connect + summary.errors.read + summary.errors.write + summary.errors.status
    + summary.errors.timeout
  io.write(string.format('\\n{"rate": %f, "p50": %f, "p99": %f, "failed": %d}\\n',
    summary.requests / summary.duration * 1e6, latency:percentile(50) / 1e6, latency:percentile(99) / 1e6, failed))
end
"""


@dataclass(frozen=True, slots=True)
class Load:
    """What one run of wrk found: requests a second, and seconds."""

    rate: float
    p50: float
    p99: float


def wrk() -> tuple[str, dict[str, str]] | None:
    """The program and its environment; None where `make bench-peers` has not unpacked it."""
    found = shutil.which("wrk")
    if found:
        return found, {}
    root = measuring.PEERS / "wrk" / "usr"
    libraries = [str(path.parent) for path in root.glob("lib/**/libluajit*.so.2")]
    program = root / "bin" / "wrk"
    return (str(program), {"LD_LIBRARY_PATH": ":".join(libraries)}) if program.exists() else None


class Client:
    """wrk, and the rows that it sends."""

    def __init__(self, folder: Path, program: str, env: Mapping[str, str], seconds: float) -> None:
        self._folder, self._program, self._env, self._seconds = folder, program, env, seconds
        numbers = random.Random(1)
        self.rows = [[numbers.gauss(0, 1) for _ in range(servers.COLUMNS)] for _ in range(ROWS)]
        (folder / "wrk.lua").write_text(SCRIPT, "utf-8")

    def load(self, asked: Asked, connections: int) -> Load:
        """Ask for a while. Raises RuntimeError when a request failed."""
        bodies = self._folder / "bodies"
        bodies.write_text("".join(json.dumps(asked.body([one])) + "\n" for one in self.rows), "utf-8")
        said = "".join(f"{name}: {value}\n" for name, value in asked.headers)
        env = {**os.environ, **self._env, "BODIES": str(bodies), "HEADERS": said}
        command = [self._program, "--threads", "1", "--connections", str(connections)]
        command += [
            "--timeout",
            "30s",
            "--duration",
            f"{self._seconds:.0f}s",
            "--script",
            str(self._folder / "wrk.lua"),
        ]
        command.append(f"http://127.0.0.1:{asked.port}{asked.path}")
        printed = subprocess.run(command, env=env, check=True, capture_output=True, text=True).stdout
        found = json.loads(printed.strip().splitlines()[-1])
        if found.pop("failed"):
            raise RuntimeError(printed)
        return Load(**found)


def started(stack: contextlib.ExitStack, area: Area, folder: Path, kind: str) -> dict[str, Asked]:
    """Every server that can be had, by name, with its model loaded."""
    starts: dict[str, Callable[[Path], AbstractContextManager[Asked]]] = {
        OURS: lambda place: servers.ours(place, kind),
        BARE: lambda place: servers.bare(place, kind),
    }
    for name, start in ((MLFLOW, servers.mlflow), (MLSERVER, servers.mlserver)):
        python = measuring.peer(name)
        if python is None:
            area.leave_out(name, "not installed: make bench-peers")
        else:
            starts[name] = lambda place, start=start, python=python: start(python, place, kind)
    found = {}
    for name, start in starts.items():
        place = folder / name
        place.mkdir()
        found[name] = stack.enter_context(start(place))
    return {**found, TENSORS: servers.by_tensors(found[OURS])}


def alike(client: Client, asked: Mapping[str, Asked]) -> None:
    """Every server predicts the same of every row. Raises AssertionError."""
    found = {name: [servers.answer(one, [row])[0] for row in client.rows] for name, one in asked.items()}
    assert all(one == found[OURS] for one in found.values()), found


def compared(area: Area, kind: str, connections: int, found: Mapping[str, list[Load]]) -> None:
    """The rows of one model and one number of connections."""
    what = f"{kind}, {connections} connections"
    rates = {name: [one.rate for one in loads] for name, loads in found.items()}
    targets = {MLSERVER: at_least(4), BARE: at_least(1), MLFLOW: at_least(4)}
    for name, target in targets.items():
        if name in found:
            mine = TENSORS if name == MLSERVER else OURS
            area.add(row(f"{what}: requests", "/s", rates[mine], target, **{name: rates[name]}))
    if MLSERVER in found:
        slow = [one.p99 * 1e3 for one in found[TENSORS]]
        median = [one.p50 * 1e3 for one in found[MLSERVER]]
        area.add(row(f"{what}: p99 beside p50", "ms", slow, at_most(1), **{MLSERVER: median}))


def side_by_side(area: Area, client: Client, folder: Path, kind: str, said: Any) -> None:
    with contextlib.ExitStack() as stack:
        asked = started(stack, area, folder, kind)
        alike(client, asked)
        for one in asked.values():
            client.load(one, max(said.connections))  # warm
        for connections in said.connections:
            cases = {name: (lambda one=one, count=connections: client.load(one, count)) for name, one in asked.items()}
            compared(area, kind, connections, measuring.in_turn(cases, said.rounds))


def shared(area: Area, client: Client, folder: Path, said: Any) -> None:
    """Four workers with a large model: ours share its memory."""
    many = max(said.connections)
    what = f"forest, {WORKERS} workers, {many} connections"
    ones: dict[str, Callable[[Path], AbstractContextManager[Asked]]] = {
        "one worker": lambda place: servers.ours(place, "forest"),
        OURS: lambda place: servers.ours(place, "forest", "--workers", str(WORKERS)),
    }
    with contextlib.ExitStack() as stack:
        asked = {}
        for name, start in ones.items():
            (folder / name).mkdir()
            asked[name] = stack.enter_context(start(folder / name))
        asked |= several_of_theirs(stack, area, folder, client)
        alike(client, asked)
        cases = {name: (lambda one=one: client.load(one, many)) for name, one in asked.items()}
        for case in cases.values():
            case()  # warm
        found = measuring.in_turn(cases, said.rounds)
        held = {name: [servers.memory(one.process) / 2**20] for name, one in asked.items()}
    rates = {name: [one.rate for one in loads] for name, loads in found.items()}
    area.add(row(f"{what}: memory", "MiB", held[OURS], at_most(2), **{"one worker": held["one worker"]}))
    if MLSERVER in asked:
        area.add(row(f"{what}: memory", "MiB", held[OURS], **{MLSERVER: held[MLSERVER]}))
        area.add(row(f"{what}: requests", "/s", rates[OURS], at_least(4), **{MLSERVER: rates[MLSERVER]}))
    area.add(row(f"{what}: requests", "/s", rates[OURS], **{"one worker": rates["one worker"]}))


def several_of_theirs(stack: contextlib.ExitStack, area: Area, folder: Path, client: Client) -> dict[str, Asked]:
    """MLServer with as many workers, when it can be had: it listens before they have started, and may end then."""
    python = measuring.peer(MLSERVER)
    if python is None:
        return {}
    (folder / MLSERVER).mkdir()
    try:
        found = stack.enter_context(servers.mlserver(python, folder / MLSERVER, "forest", WORKERS))
        servers.answer(found, client.rows[:1])
    except (RuntimeError, OSError) as error:
        area.leave_out(f"{MLSERVER} with {WORKERS} workers", f"it did not start: {str(error)[-200:]}")
        return {}
    return {MLSERVER: found}


def numbers(text: str) -> list[int]:
    return [int(part) for part in text.split(",")]


@contextlib.contextmanager
def place(name: str) -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix=f"{name}-") as folder:
        yield Path(folder)


def main() -> None:
    parser = measuring.arguments(__doc__, rounds=3)
    parser.add_argument("--seconds", type=float, default=5, help="how long each case is asked in a round")
    parser.add_argument("--connections", type=numbers, default=[16, 64])
    parser.add_argument("--models", type=lambda text: text.split(","), default=["logistic", "boosting"])
    parser.add_argument("--no-workers", action="store_true", help="leave out the large model of four workers")
    said = parser.parse_args()
    with measuring.area("serving") as area:
        program = wrk()
        if program is None:
            area.leave_out("everything", "no wrk: make bench-peers")
            return
        with place("wrk") as folder:
            client = Client(folder, *program, said.seconds)
            for kind in said.models:
                with place(kind) as models:
                    side_by_side(area, client, models, kind, said)
            if not said.no_workers:
                with place("forest") as models:
                    shared(area, client, models, said)


if __name__ == "__main__":
    main()
