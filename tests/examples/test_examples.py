"""Every example runs, and gives the same numbers at every provider: metrics, predictions, and what monitors find."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from sample import SETTINGS

from cloudml import load, plugins, starter
from cloudml.specs import ProjectSpec

if TYPE_CHECKING:
    from cloudml.rehearsal import RehearsalResult

ROOT = Path(__file__).parent.parent.parent
EXAMPLES = ("sagemaker_style", "starter")


@dataclass(frozen=True)
class Numbers:
    """What must not depend on where a project runs."""

    metrics: dict[str, float]
    answers: dict[str, Any]
    checks: dict[str, Any]

    @classmethod
    def of(cls, result: RehearsalResult) -> Numbers:
        checks = {
            name: (report.state, report.rows, report.baseline_rows, report.checks)
            for name, report in result.reports.items()
        }
        return cls(dict(result.up.metrics), dict(result.answers), checks)


def laid_out(example: str, folder: Path) -> Path:
    """The example in a folder of its own, with its data."""
    if example == "starter":
        starter.write(folder)
        return folder
    ignored = shutil.ignore_patterns("data", ".cloudml", "*.html") if example == "flights" else None
    shutil.copytree(ROOT / "examples" / example, folder, ignore=ignored)
    if example == "flights":
        subprocess.run([sys.executable, "fetch.py"], cwd=folder, check=True, stdout=subprocess.DEVNULL)
    return folder


def rehearsed(example: str, provider: str, folder: Path) -> Numbers:
    """The numbers of one rehearsal, which leaves nothing behind."""
    project = load(laid_out(example, folder))
    there = ProjectSpec(project="x1", targets={"there": {"provider": provider, **SETTINGS[provider]}})
    spec = project.spec.model_copy(update={"targets": there.targets})
    result = replace(project, spec=spec).rehearse("there")
    assert result.clean
    return Numbers.of(result)


@pytest.fixture(scope="session")
def local(tmp_path_factory: pytest.TempPathFactory):
    """The numbers of an example on this computer, found once."""
    return cache(lambda example: rehearsed(example, "local", tmp_path_factory.mktemp("local") / example))


@pytest.mark.parametrize("example", EXAMPLES)
@pytest.mark.parametrize("provider", plugins.names())
def test_an_example_gives_the_same_numbers_everywhere(local, tmp_path: Path, example: str, provider: str) -> None:
    here = local(example)
    assert here.answers
    assert here.metrics or example == "sagemaker_style"  # a script that was found knows no metrics
    if provider != "local":
        assert rehearsed(example, provider, tmp_path / example) == here


def test_the_flights_are_one_unchanged_project_at_every_provider_with_the_same_numbers(tmp_path: Path) -> None:
    """What `make demo-clouds` runs: it compares to the last digit, and shows all of it in one table."""
    folder = laid_out("flights", tmp_path / "flights")
    said = load(folder).spec.targets
    targets = ["local", *(name for name in said if said[name].provider in plugins.names())]
    command = [sys.executable, "clouds.py", "--json", *targets]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads(done.stdout)
    assert {said[name].provider for name in targets[1:]} | {"local"} == set(plugins.names())
    assert list(found) == targets
    assert all(numbers == found["local"] for numbers in found.values())
    (header,) = [line for line in done.stderr.splitlines() if line.split() == targets]
    rows = done.stderr.partition(header)[2].split("seconds")[0].strip().splitlines()
    assert len(rows) > len(found["local"]["metrics"])
    assert all(row.endswith("  equal") for row in rows)
    here = found["local"]
    assert 0.65 <= here["metrics"]["jobs.evaluate.auc"] <= 0.85
    drift = here["monitors"]["monitors.delay-drift"]
    assert (drift["verdict"], drift["rows"]) == ("violated", [2, here["metrics"]["jobs.train.rows"]])
    assert {metric for _, metric, _, _ in drift["checks"]} == {"psi", "missing"}


def test_the_story_of_the_flights_is_told_to_its_end(tmp_path: Path) -> None:
    """What `make demo` runs: quiet on held-out flights, violated in July, and gone again."""
    folder = laid_out("flights", tmp_path / "flights")
    done = subprocess.run([sys.executable, "demo.py"], cwd=folder, capture_output=True, text=True, check=False)
    said = done.stdout + done.stderr
    assert done.returncode == 0, said
    assert "delay-drift: all is well" in said
    assert "delay-drift: VIOLATED" in said
    assert (folder / "report-july.html").stat().st_size > 10_000
