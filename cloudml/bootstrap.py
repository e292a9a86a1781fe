"""Starts the monitoring engine where cloudml is not installed: ``python bootstrap.py monitor.json [--set NAME=VALUE]``.

This file travels alone, beside a wheel of cloudml, so it needs the standard library only, and Python 3.11 for what it
starts. The description, which every provider writes in the same form:

    {
      "analysis": {…},                      as in cloudml.profile.analysis, with the container's paths
      "requirements": ["numpy>=2.0"],       installed only where they are missing or older
      "window_s": 3600,                     how far back a run looks; null: everything
      "failure": "/opt/ml/output/message",  where the provider reads why it failed; null: nowhere
      "latest": "/…/latest"                 a folder for a second copy of report.json; null: none
    }

The paths of "analysis", "failure" and "latest" may name variables as ``${NAME}``, for providers that tell their paths
on the command line only, where ``--set`` gives them; ``{run}`` in them is the run's name.

and what differs from run to run stands in the environment, each optional:

    CLOUDML_RUN        the run's name, kept in the report; made where it is left out, which also counts for a
                       schedule that can send nothing but the same request
    CLOUDML_SINCE      the window, in ISO 8601; it wins over window_s
    CLOUDML_UNTIL
    CLOUDML_SCHEDULED  the moment for which a schedule started the run: the window ends there

report.json is the engine's, with "run", "ran", "since" and "until" besides.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
import zipfile
from collections import deque
from datetime import datetime, timedelta, timezone
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import Any

UTC = timezone.utc  # noqa: UP017  the shorter name is not there in a Python that is told to be too old
OLDEST = (3, 11)
TAIL = 20
"""So many of the last lines of a failure are kept for the provider."""
LONGEST = 1000
"""And no more than so many characters of them: what a provider shows."""


class BootError(Exception):
    """The engine cannot be started, for a reason that can be told."""


def main(path: str, *arguments: str) -> int:
    """Run the engine; its exit code, or 1 when it could not be started."""
    run = os.environ.get("CLOUDML_RUN") or new_run()
    given = dict(one.partition("=")[::2] for one in arguments if one != "--set")
    told = json.loads(Path(path).read_text(encoding="utf-8"))
    description = placed(told, {**os.environ, **given}, run)
    with tempfile.TemporaryDirectory(prefix="cloudml-engine-") as folder:
        try:
            code, said = _run(description, run, Path(path).resolve().parent, Path(folder))
        except BootError as error:
            code, said = 1, str(error)
            sys.stderr.write(f"error: {said}\n")
    if code and description.get("failure"):
        _write(Path(description["failure"]), said[-LONGEST:])
    return code


def new_run() -> str:
    """The name of a run that starts now: sorts by time, and is no other run's."""
    return now().strftime("%Y%m%dT%H%M%SZ") + os.urandom(4).hex()


def placed(description: dict[str, Any], environment: Any, run: str) -> dict[str, Any]:
    """The description of one run, its paths as this container knows them."""

    def path(text: str) -> str:
        return re.sub(r"\$\{(\w+)\}", lambda found: environment[found[1]], text).replace("{run}", run)

    analysis = dict(description["analysis"])
    for key in ("baseline", "capture"):
        analysis[key] = [path(one) for one in analysis[key]]
    analysis |= {key: path(analysis[key]) for key in ("out", "kept", "known") if analysis.get(key)}
    others = {key: path(description[key]) for key in ("failure", "latest") if description.get(key)}
    return {**description, **others, "analysis": analysis}


def _run(description: dict[str, Any], run: str, here: Path, folder: Path) -> tuple[int, str]:
    if sys.version_info < OLDEST:
        raise BootError(f"the image has Python {sys.version.split()[0]}, and the engine needs 3.11 or later")
    package = unpack(here, folder / "package")
    paths = [str(package), *install(description.get("requirements", []), folder / "packages")]
    since, until = window(description.get("window_s"), os.environ, now())
    analysis = {**description["analysis"], "since": since, "until": until}
    job = folder / "analysis.json"
    _write(job, json.dumps(analysis))
    code, said = engine(job, paths)
    if not code:
        leave(description, run, {"since": since, "until": until})
    return code, said


def unpack(here: Path, folder: Path) -> Path:
    """The package in the one wheel of the folder *here*, as files: it reads some of its own."""
    wheels = sorted(here.glob("*.whl"))
    if len(wheels) != 1:
        raise BootError(f"there are {len(wheels)} wheels in `{here}`, and one was sent")
    with zipfile.ZipFile(wheels[0]) as archive:
        archive.extractall(folder)
    return folder


def install(requirements: list[str], folder: Path) -> list[str]:
    """The folder with the requirements that had to be fetched; empty when all were there.

    All of them are fetched when one is missing, so that they fit each other.
    """
    lacking = [one for one in requirements if not there(one)]
    if not lacking:
        return []
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-input", "--disable-pip-version-check"]
    done = subprocess.run([*pip, "--target", str(folder), *requirements], capture_output=True, text=True, check=False)
    if done.returncode:
        said = "\n".join((done.stderr or done.stdout).strip().splitlines()[-3:])
        raise BootError(
            f"the image lacks {', '.join(lacking)}, which cannot be installed (is the network cut off?): {said}"
        )
    return [str(folder)]


def there(requirement: str) -> bool:
    """Whether an importable package satisfies ``name>=floor``."""
    name, _, floor = requirement.partition(">=")
    if find_spec(name.strip()) is None:
        return False
    try:
        return numbers(metadata.version(name.strip())) >= numbers(floor)
    except metadata.PackageNotFoundError:
        return False


def numbers(version: str) -> tuple[int, ...]:
    """The numbers that a version begins with."""
    found = re.match(r"\d+(?:\.\d+)*", version.strip())
    return tuple(int(part) for part in found[0].split(".")) if found else ()


def window(window_s: float | None, environment: Any, present: datetime) -> tuple[str | None, str | None]:
    """From when, and until when, events count."""
    since, until = environment.get("CLOUDML_SINCE") or None, environment.get("CLOUDML_UNTIL") or None
    if since or window_s is None:
        return since, until
    until = until or environment.get("CLOUDML_SCHEDULED") or None
    start = (_moment(until) if until else present) - timedelta(seconds=window_s)
    return start.isoformat(), until


def now() -> datetime:
    return datetime.now(UTC)


def _moment(text: str) -> datetime:
    found = datetime.fromisoformat(text)
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def engine(job: Path, paths: list[str]) -> tuple[int, str]:
    """Run the engine on *job*, its output passed on as it comes; exit code, and the last lines of its errors."""
    search = os.pathsep.join([*paths, *filter(None, [os.environ.get("PYTHONPATH")])])
    command = [sys.executable, "-m", "cloudml.profile", str(job)]
    last: deque[str] = deque(maxlen=TAIL)
    with subprocess.Popen(
        command, env={**os.environ, "PYTHONPATH": search}, stderr=subprocess.PIPE, text=True, errors="replace"
    ) as process:
        for line in process.stderr or ():
            sys.stderr.write(line)
            last.append(line)
    return process.returncode, "".join(last).strip()


def leave(description: dict[str, Any], run: str, times: dict[str, str | None]) -> None:
    """Add to the report which run it is of, and leave the second copy."""
    report = Path(description["analysis"]["out"]) / "report.json"
    about = {"run": run, "ran": now().isoformat(), **times}
    text = json.dumps({**json.loads(report.read_text(encoding="utf-8")), **about}, indent=2)
    _write(report, text)
    if description.get("latest"):
        _write(Path(description["latest"]) / "report.json", text)


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
