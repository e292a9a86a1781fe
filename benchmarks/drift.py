"""Ten columns of flights compared with ten columns of flights: beside Evidently, and beside reading them only.

python benchmarks/drift.py [--rounds 5] [--peer-rounds 1] [--million 10]

The flights of the first half of 2013 are repeated to the asked number of rows, and those of the second half too; each
side is one Parquet file as pyarrow writes it. Every case is a process of its own, and its start is part of its time.
The memory is the largest that the process had. A capture ten times as long is written for its figure and then removed.
"""

from __future__ import annotations

import json
import math
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import measuring
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from measuring import Spent, at_most, child, row

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

PYTHON = Path(sys.executable)
FLIGHTS = Path(__file__).parent.parent / "examples" / "flights"
NUMBERS = ("month", "dep_time", "dep_delay", "arr_delay", "air_time", "distance")
CATEGORIES = ("carrier", "origin", "dest", "tailnum")
COLUMNS = [*NUMBERS, *CATEGORIES]
CHECKS = [
    {"metric": "wasserstein", "max": 10, "columns": NUMBERS},
    {"metric": "psi", "max": 0.2, "columns": NUMBERS},
    {"metric": "js", "max": 0.1, "columns": CATEGORIES},
    {"metric": "missing", "max": 0.1},
]
HOURS = 24
GROUP = 1 << 20
"""Rows of a group in a file, as pyarrow writes them when nothing is said."""
TIMES = 10
"""The long side has so many times the rows."""
MB = 1e6

EVIDENTLY = """
import json, sys
import pandas as pd
from evidently import DataDefinition, Dataset, Report
from evidently.presets import DataDriftPreset
numbers, categories = sys.argv[3].split(","), sys.argv[4].split(",")
definition = DataDefinition(numerical_columns=numbers, categorical_columns=categories)
baseline, current = (Dataset.from_pandas(pd.read_parquet(path), data_definition=definition) for path in sys.argv[1:3])
found = Report([DataDriftPreset()]).run(current, baseline).dict()
print(json.dumps({one["config"]["column"]: one["value"] for one in found["metrics"] if "column" in one["config"]}))
"""
DECODE = """
import sys
import pyarrow.parquet as pq
for path in sys.argv[2:]:
    with pq.ParquetFile(path, read_dictionary=sys.argv[1].split(",") if sys.argv[1] else None) as file:
        for batch in file.iter_batches():
            pass
"""


@dataclass(frozen=True, slots=True)
class Sides:
    baseline: Path
    current: Path

    @property
    def paths(self) -> tuple[Path, Path]:
        return self.baseline, self.current


def flights() -> pa.Table:
    """The flights of 2013, ten columns of them."""
    made = FLIGHTS / "data" / "flights.parquet"
    if not made.exists():
        subprocess.run([PYTHON, FLIGHTS / "fetch.py"], check=True, stdout=subprocess.DEVNULL)
    return pq.read_table(made, columns=COLUMNS)


def repeated(table: pa.Table, rows: int) -> pa.Table:
    return pa.concat_tables([table] * math.ceil(rows / len(table))).slice(0, rows)


def written(folder: Path, rows: int) -> Sides:
    """Both sides with so many rows."""
    whole = flights()
    sides = Sides(folder / "baseline.parquet", folder / "current.parquet")
    for path, keep in zip(sides.paths, (pc.less_equal, pc.greater), strict=True):
        pq.write_table(repeated(whole.filter(keep(whole["month"], 6)), rows), path)
    return sides


def lengthened(path: Path, to: Path, times: int) -> None:
    """The rows of a file several times over, group after group, never more than one group in memory."""
    with pq.ParquetFile(path) as file, pq.ParquetWriter(to, file.schema_arrow) as writer:
        for _ in range(times):
            for number in range(file.num_row_groups):
                writer.write_table(file.read_row_group(number))


def hours(side: Path, folder: Path) -> list[Path]:
    """The rows of a side as 25 files, an hour each."""
    folder.mkdir()
    table = pq.read_table(side)
    size = math.ceil(len(table) / (HOURS + 1))
    paths = [folder / f"hour-{number:02}.parquet" for number in range(HOURS + 1)]
    for number, path in enumerate(paths):
        pq.write_table(table.slice(number * size, size), path)
    return paths


def analysis(folder: Path, baseline: Path, capture: Path, **more: Any) -> list[str | Path]:
    """The command of a run of a monitor, as a job starts it."""
    description = folder / f"{baseline.stem}-{capture.stem}{'-kept' if 'kept' in more else ''}.json"
    told = {"baseline": [str(baseline)], "capture": [str(capture)], "format": "table", "checks": CHECKS, **more}
    description.write_text(json.dumps(told), "utf-8")
    return [PYTHON, "-m", "cloudml.profile", description]


def verdicts(command: Sequence[str | Path]) -> dict[tuple[str, str], Any]:
    """What a run found, by column and metric."""
    said = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    return {(one["column"], one["metric"]): (one["value"], one["violated"]) for one in said["checks"]}


def alone(area: measuring.Area, command: Sequence[str | Path], sides: Sides, rounds: int) -> list[Spent]:
    """Beside reading the same columns, with text as text and as numbers in a dictionary; what ours took."""
    decode: list[str | Path] = [PYTHON, "-c", DECODE]
    spent: list[Spent] = []

    def ours() -> float:
        spent.append(child(command))
        return spent[-1].seconds

    read, coded = "decoding the columns", "decoding the columns, text as a dictionary"
    cases: dict[str, Callable[[], float]] = {
        "ours": ours,
        read: lambda: child([*decode, "", *sides.paths]).seconds,
        coded: lambda: child([*decode, ",".join(CATEGORIES), *sides.paths]).seconds,
    }
    taken = measuring.in_turn(cases, rounds)
    for name in (read, coded):
        area.add(row("drift of 10 columns", "s", taken["ours"], at_most(3), **{name: taken[name]}))
    return spent


def beside_evidently(area: measuring.Area, command: Sequence[str | Path], sides: Sides, rounds: int) -> None:
    python = measuring.peer("evidently")
    if python is None:
        area.leave_out("evidently", "not installed: make bench-peers")
        return
    peer = [python, "-c", EVIDENTLY, *sides.paths, ",".join(NUMBERS), ",".join(CATEGORIES)]
    ours, theirs = [], []
    for _ in range(rounds):  # it takes most of the memory of a machine: never two at a time
        ours.append(child(command))
        theirs.append(child(peer))
    name = "Evidently 0.7"
    times = {name: [one.seconds for one in theirs]}
    area.add(row("drift of 10 columns", "s", [one.seconds for one in ours], at_most(1 / 50), **times))
    area.add(row("peak memory", "MB", [one.peak / MB for one in ours], **{name: [one.peak / MB for one in theirs]}))


def growing(area: measuring.Area, folder: Path, sides: Sides, short: list[Spent]) -> None:
    """The memory of a run over a capture ten times as long."""
    long = folder / "long.parquet"
    lengthened(sides.current, long, TIMES)
    spent = child(analysis(folder, sides.baseline, long))
    long.unlink()
    peaks = [one.peak / MB for one in short]
    area.add(row("peak memory", "MB", peaks, at_most(600)))
    name = "a tenth of its rows"
    area.add(
        row(
            "peak memory of a capture of ten times the rows",
            "MB",
            [spent.peak / MB],
            at_most(1.1),
            **{name: [max(peaks)]},
        )
    )
    area.add(row("time of a capture of ten times the rows", "s", [spent.seconds]))


def hourly(area: measuring.Area, folder: Path, sides: Sides, rounds: int) -> None:
    """A capture of 25 hours of which 24 are known, beside the same when none is."""
    captured = folder / "captured"
    newest = hours(sides.current, captured)[-1]
    whole = analysis(folder, sides.baseline, captured)
    wanted = verdicts(whole)
    away = newest.rename(folder / newest.name)
    known = folder / "known"
    command = analysis(folder, sides.baseline, captured, kept=str(known))
    child(command)
    away.rename(newest)
    shutil.copytree(known, folder / "known-before")

    def before() -> None:
        shutil.rmtree(known)
        shutil.copytree(folder / "known-before", known)

    def grown() -> float:
        before()
        return child(analysis(folder, sides.baseline, captured, kept=str(known))).seconds

    before()
    merged = verdicts(analysis(folder, sides.baseline, captured, kept=str(known)))
    at_once = verdicts(analysis(folder, *sides.paths))
    same = all(merged[key][1] == violated for key, (_, violated) in at_once.items())
    if merged != wanted or not same:
        raise SystemExit("the profiles of parts do not merge to the profile of the whole")
    taken = measuring.in_turn({"grown": grown, "whole": lambda: child(whole).seconds}, rounds)
    area.add(row("a new hour, 24 known", "s", taken["grown"], at_most(1), **{"all 25 hours": taken["whole"]}))


def main() -> None:
    parser = measuring.arguments(__doc__, rounds=5)
    parser.add_argument("--peer-rounds", type=int, default=1, help="how often Evidently runs (default: 1)")
    parser.add_argument("--million", type=float, default=10, help="million rows of a side (default: 10)")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as name, measuring.area("drift") as area:
        folder = Path(name)
        sides = written(folder, int(asked.million * 1e6))
        command = analysis(folder, *sides.paths)
        child(command)  # bytecode is written, pages are in memory
        spent = alone(area, command, sides, asked.rounds)
        growing(area, folder, sides, spent)
        hourly(area, folder, sides, asked.rounds)
        if asked.peer_rounds:
            beside_evidently(area, analysis(folder, *sides.paths), sides, asked.peer_rounds)
        else:
            area.leave_out("evidently", "not asked for: --peer-rounds 0")


if __name__ == "__main__":
    main()
