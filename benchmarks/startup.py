"""How long a command keeps you waiting before it does anything: ratios to importing click, in one run.

python benchmarks/startup.py [--rounds 15]
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import listing
import measuring
from measuring import CLICK, at_most, child, row

from cloudml_aws.clients import UNUSED as HELP_OF_BOTOCORE
from cloudml_azure.clients import CERTIFICATES
from cloudml_gcp.clients import UNUSED

if TYPE_CHECKING:
    from collections.abc import Callable

PYTHON = Path(sys.executable)
CLOUDML = PYTHON.parent / "cloudml"
FLIGHTS = Path(__file__).parent.parent / "examples" / "flights"
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
        " ".join(words): [python, python.parent / words[0], *words[1:]]
        for name, words in PEERS.items()
        if (python := measuring.peer(name)) and (python.parent / words[0]).exists()
    }


SIGN_IN: dict[str, tuple[str, tuple[str, ...]]] = {
    "aws": ("botocore.session", HELP_OF_BOTOCORE),
    "azure": ("azure.core.rest, azure.identity", CERTIFICATES),
    "gcp": ("google.auth.transport.requests", UNUSED),
}
"""What of the vendor's libraries a command that asks the cloud has to import, and what of them is loaded late."""


def status(area: measuring.Area, provider: str, rounds: int) -> None:
    """What `status` takes beyond the cloud's answers, which a process takes that has done all the rest before."""
    modules, unused = SIGN_IN[provider]
    imports = f"from cloudml.clouds.late import late\nwith late(*{unused}):\n    import {modules}"
    with listing.listing(provider, count=10) as there:
        command = [CLOUDML, "status", "--on", "there", "-C", there.project.root]
        cases: dict[str, Callable[[], float]] = {
            "ours": lambda: child(command).seconds,
            "answer": lambda: measuring.seconds(lambda: there.project.status("there")),
            "vendor": lambda: child([PYTHON, "-c", imports]).seconds,
            "python": lambda: child([PYTHON, "-c", "pass"]).seconds,
            "click": measuring.click,
        }
        for case in cases.values():
            case()
        taken = measuring.in_turn(cases, rounds)
    beyond = [mine - answer for mine, answer in zip(taken["ours"], taken["answer"], strict=True)]
    vendor = [its - bare for its, bare in zip(taken["vendor"], taken["python"], strict=True)]
    rest = [mine - its for mine, its in zip(beyond, vendor, strict=True)]
    area.add_paced(f"status on {provider}, beyond its answers", beyond, taken["click"], 0.3)
    area.add_paced(f"the same without `import {modules}`", rest, taken["click"], 0.3)


def main() -> None:
    rounds = measuring.arguments(__doc__, rounds=15).parse_args().rounds
    with tempfile.TemporaryDirectory() as folder, measuring.area("startup") as area:
        project = Path(folder) / "flights"
        shutil.copytree(FLIGHTS, project, ignore=shutil.ignore_patterns(".cloudml"))
        commands = {CLICK: [PYTHON, "-c", CLICK], **ours(project), **theirs()}
        for command in commands.values():
            child(command)  # bytecode is written, digests are kept, pages are in memory
        cases = {name: (lambda command=command: child(command).seconds) for name, command in commands.items()}
        taken = measuring.in_turn(cases, rounds)
        for name in ours(project):
            target = at_most(3 if name == HELP else 8)
            area.add(row(name, "s", taken[name], target, **{CLICK: taken[CLICK]}))
        for provider in SIGN_IN:
            status(area, provider, rounds)
        for name in theirs():
            area.add(row(HELP, "s", taken[HELP], at_most(1), **{name: taken[name]}))
        for name in PEERS.keys() - {one.split()[0] for one in theirs()}:
            area.leave_out(name, "not installed: make bench-peers")


if __name__ == "__main__":
    main()
