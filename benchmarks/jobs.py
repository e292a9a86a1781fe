"""What running jobs through cloudml costs: a start, many short ones, an `up` with nothing to do, and long lists.

python benchmarks/jobs.py [--rounds 5] [--jobs 200] [--listed 1000] [--resources 300]
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import listing
import measuring
from measuring import at_most, child, row, seconds

import cloudml

if TYPE_CHECKING:
    from collections.abc import Callable

PYTHON = sys.executable
CLOUDML = Path(PYTHON).parent / "cloudml"
FLIGHTS = Path(__file__).parent.parent / "examples" / "flights"
STAMP = "import sys, time\nopen(sys.argv[-1], 'w').write(repr(time.time()))\n"
START = """
import sys, time
import cloudml
client = cloudml.load(sys.argv[1]).client()
began = time.time()
client.jobs.wait(client.jobs.submit("one").name)
print(began)
"""
SHORT = """
import hashlib, sys
seed = sys.argv[-1].encode()
for _ in range({turns}):
    seed = hashlib.sha256(seed).digest()
print(seed.hex())
"""
TURNS = 700_000
"""Half a second of one core, or about that."""


def project(folder: Path, jobs: dict[str, str]) -> cloudml.Project:
    """A project with these jobs, each a line of the file."""
    lines = "".join(f"  {name}: {said}\n" for name, said in jobs.items())
    (folder / "cloudml.yaml").write_text(f"project: bench\njobs:\n{lines}", "utf-8")
    return cloudml.load(folder)


def start_of_a_job(area: measuring.Area, rounds: int, root: Path) -> None:
    """From the call to the script's first line, beside the same from `python script.py`.

    The first job of a process has a runner that is started as a program; those of the others are forked.
    """
    numbers = iter(range(10_000))

    def prepared() -> Path:
        folder = root / f"start-{next(numbers)}"
        folder.mkdir()
        (folder / "script.py").write_text(STAMP, "utf-8")
        project(folder, {"one": f"{{script: script.py, parameters: {{at: {folder / 'began'}}}}}"})
        return folder

    def later() -> float:
        folder = prepared()
        client = cloudml.load(folder).client()
        began = time.time()
        client.jobs.wait(client.jobs.submit("one").name)
        return float((folder / "began").read_text("utf-8")) - began

    def first() -> float:
        folder = prepared()
        began = subprocess.run([PYTHON, "-c", START, folder], check=True, capture_output=True).stdout
        return float((folder / "began").read_text("utf-8")) - float(began)

    def plain() -> float:
        folder = prepared()
        began = time.time()
        subprocess.run([PYTHON, folder / "script.py", folder / "began"], check=True)
        return float((folder / "began").read_text("utf-8")) - began

    cases = {"first": first, "later": later, "plain": plain, "click": measuring.click}
    later(), later()
    taken = measuring.in_turn(cases, rounds)
    for which in ("first", "later"):
        beyond = [mine - its for mine, its in zip(taken[which], taken["plain"], strict=True)]
        name = f"start of a process's {which} local job, beyond `python script.py`"
        area.add_paced(name, beyond, taken["click"], 0.15)


def many_short_jobs(area: measuring.Area, rounds: int, count: int, root: Path) -> None:
    """All through one `up`, beside the same scripts through a pool of as many processes as there are cores."""
    numbers = iter(range(10_000))
    cores = len(os.sched_getaffinity(0))

    def prepared() -> Path:
        folder = root / f"many-{next(numbers)}"
        folder.mkdir()
        (folder / "short.py").write_text(SHORT.format(turns=TURNS), "utf-8")
        return folder

    def ours() -> float:
        folder = prepared()
        made = project(folder, {f"j{n}": f"{{script: short.py, parameters: {{seed: {n}}}}}" for n in range(count)})
        taken = seconds(made.up)
        made.down()
        return taken

    def pool() -> float:
        folder = prepared()

        def one(number: int) -> None:
            subprocess.run([PYTHON, folder / "short.py", "--seed", str(number)], check=True, stdout=subprocess.DEVNULL)

        def everything() -> None:
            with ThreadPoolExecutor(cores) as workers:
                list(workers.map(one, range(count)))

        return seconds(everything)

    taken = measuring.in_turn({"ours": ours, "pool": pool}, rounds)
    name = f"{count} short jobs through one up"
    area.add(row(name, "s", taken["ours"], at_most(1.2), **{f"a pool of {cores} processes": taken["pool"]}))


def nothing_to_do(area: measuring.Area, rounds: int, resources: int, root: Path) -> None:
    """The whole command, from the shell and back, when everything is there."""
    flights = root / "flights"
    shutil.copytree(FLIGHTS, flights, ignore=shutil.ignore_patterns(".cloudml", "*.html"))
    large = root / "large"
    large.mkdir()
    (large / "short.py").write_text("print('done')\n", "utf-8")
    project(large, {f"j{n}": f"{{script: short.py, parameters: {{seed: {n}}}}}" for n in range(resources)})
    for name, folder, bound in (("flights", flights, 0.5), (f"{resources} resources", large, 2.0)):
        command = [CLOUDML, "up", "-q", "-C", folder]
        child(command)
        try:
            cases = {"ours": lambda command=command: child(command).seconds, "click": measuring.click}
            taken = measuring.in_turn(cases, rounds)
        finally:
            child([CLOUDML, "down", "--yes", "-q", "-C", folder])
        area.add_paced(f"up with nothing to do, {name}", taken["ours"], taken["click"], bound)


def lists(area: measuring.Area, rounds: int, count: int) -> None:
    """`jobs.list` of the SDK beside the same jobs asked for by the vendor's own client, on one double."""
    for provider in listing.RAW:
        with listing.listing(provider, count) as listed:
            assert listed.ours() == listed.raw() == count
            taken = measuring.in_turn(
                {"ours": lambda: seconds(listed.ours), "raw": lambda: seconds(listed.raw)}, rounds
            )
            needed = {name: asked(listed, ask) for name, ask in (("ours", listed.ours), ("raw", listed.raw))}
        title = f"list of {count} jobs, {provider}"
        area.add(row(title, "s", taken["ours"], at_most(1.2), **{"the vendor's client": taken["raw"]}))
        # Besides pages of jobs: pages of cards, and at AWS those of tags and of a second kind of job.
        theirs = {"the vendor's client": [needed["raw"]]}
        area.add(row(f"{title}: requests", "requests", [needed["ours"]], at_most(3), **theirs))


def asked(listed: listing.Listed, ask: Callable[[], object]) -> int:
    """How many requests it takes."""
    before = listed.requests()
    ask()
    return listed.requests() - before


def main() -> None:
    parser = measuring.arguments(__doc__, rounds=5)
    parser.add_argument("--jobs", type=int, default=200)
    parser.add_argument("--listed", type=int, default=1000)
    parser.add_argument("--resources", type=int, default=300)
    said = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, measuring.area("jobs") as area:
        root = Path(folder)
        start_of_a_job(area, 3 * said.rounds, root)
        nothing_to_do(area, said.rounds, said.resources, root)
        lists(area, said.rounds, said.listed)
        many_short_jobs(area, said.rounds, said.jobs, root)


if __name__ == "__main__":
    main()
