"""One unchanged project at every provider, in one table: what `make demo-clouds` runs. No account, no network.

Each cloud is its double, which takes the real requests and really runs the code. ``--json`` prints the numbers, and the
table to the error output. Targets may be named, all of the project file's and `local` otherwise.
"""

import json
import sys
import time
from collections import Counter
from pathlib import Path

import cloudml

HERE = Path(__file__).parent


def numbers(result):
    """What must not depend on where a project runs, and is compared to the last digit."""
    reports = {
        name: {
            "verdict": str(report.state),
            "rows": [report.rows, report.baseline_rows],
            "checks": [[one.column, one.metric, one.value, one.violated] for one in report.checks],
        }
        for name, report in result.reports.items()
    }
    return {"metrics": dict(result.up.metrics), "answers": dict(result.answers), "monitors": reports}


def lines(found):
    """The same, a line each, as the table has it."""
    yield from ((name.removeprefix("jobs."), value) for name, value in sorted(found["metrics"].items()))
    for name, answer in found["answers"].items():
        for row, value in enumerate(answer["predictions"]):
            yield f"{name.removeprefix('endpoints.')}, row {row}", value
    for name, report in found["monitors"].items():
        title = name.removeprefix("monitors.")
        yield title, report["verdict"]
        yield f"{title}, rows", report["rows"][0]
        yield f"{title}, violated checks", sum(one[3] for one in report["checks"])
        yield f"{title}, largest value", max(one[2] for one in report["checks"] if one[2] is not None)


def shown(value):
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def table(all_found, seconds):
    """Targets side by side, and a last column that says whether a line is the same everywhere."""
    columns = [dict(lines(found)) for found in all_found.values()]
    rows = [["", *all_found, ""]]
    for name in dict.fromkeys(name for column in columns for name in column):
        values = [column.get(name, "missing") for column in columns]
        rows.append([name, *map(shown, values), "equal" if all(one == values[0] for one in values) else "DIFFERENT"])
    rows.append(["seconds", *(f"{one:.0f}" for one in seconds.values()), ""])
    widths = [max(map(len, column)) for column in zip(*rows)]
    return "\n".join(
        "  ".join([row[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:]))]).rstrip()
        for row in rows
    )


def main(arguments):
    project = cloudml.load(HERE)
    targets = [one for one in arguments if not one.startswith("--")] or ["local", *project.spec.targets]
    all_found, seconds = {}, {}
    for target in targets:
        print(f"{target}: up, one question, one run of the monitor, down", file=sys.stderr, flush=True)
        began = time.monotonic()
        all_found[target] = numbers(project.rehearse(target))
        seconds[target] = time.monotonic() - began
    print(table(all_found, seconds), file=sys.stderr if "--json" in arguments else sys.stdout, flush=True)
    if "--json" in arguments:
        print(json.dumps(all_found))
    kinds = Counter(json.dumps(found, sort_keys=True) for found in all_found.values())
    print("the same to the last digit" if len(kinds) == 1 else "NOT the same everywhere", file=sys.stderr)
    return len(kinds) != 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
