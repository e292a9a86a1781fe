"""How long a command keeps you waiting before it does anything: ratios to importing click, in one run.

python benchmarks/startup.py [--rounds 15]
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path

import measuring
from measuring import at_most, child, row

PYTHON = Path(sys.executable)
CLOUDML = PYTHON.parent / "cloudml"
FLIGHTS = Path(__file__).parent.parent / "examples" / "flights"
CLICK = "import click"
PEERS = {
    "zenml": ("zenml", "--help"),
    "mlflow": ("mlflow", "--help"),
    "sky": ("sky", "--help"),
    "dstack": ("dstack", "--help"),
}
HELP = "cloudml --help"
PLANS = ("local", "aws-dev", "azure-dev", "gcp-dev")


def ours(project: Path) -> dict[str, list[str | Path]]:
    commands: dict[str, list[str | Path]] = {
        HELP: [CLOUDML, "--help"],
        "cloudml job --help": [CLOUDML, "job", "--help"],
    }
    commands["cloudml validate"] = [CLOUDML, "validate", "-C", project]
    for target in PLANS:
        commands[f"cloudml plan --on {target}"] = [CLOUDML, "plan", "--on", target, "-C", project]
    return commands


def theirs() -> dict[str, list[str | Path]]:
    return {
        " ".join(words): [python.parent / words[0], *words[1:]]
        for name, words in PEERS.items()
        if (python := measuring.peer(name))
    }


def main() -> None:
    rounds = measuring.arguments(__doc__, rounds=15).parse_args().rounds
    with tempfile.TemporaryDirectory() as folder, measuring.area("startup") as area:
        project = Path(folder) / "flights"
        shutil.copytree(FLIGHTS, project, ignore=shutil.ignore_patterns(".cloudml"))
        commands = {CLICK: [PYTHON, "-c", "import click"], **ours(project), **theirs()}
        for command in commands.values():
            child(command)  # bytecode is written, digests are kept, pages are in memory
        cases = {name: (lambda command=command: child(command).seconds) for name, command in commands.items()}
        taken = measuring.in_turn(cases, rounds)
        for name in ours(project):
            target = at_most(3 if name == HELP else 8)
            area.add(row(name, "s", taken[name], target, **{CLICK: taken[CLICK]}))
        for name in theirs():
            area.add(row(HELP, "s", taken[HELP], at_most(1), **{name: taken[name]}))
        for name in PEERS.keys() - {one.split()[0] for one in theirs()}:
            area.leave_out(name, "not installed: make bench-peers")


if __name__ == "__main__":
    main()
