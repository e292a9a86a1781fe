from __future__ import annotations

import re
import subprocess
import sys

import pytest
from pydantic import ValidationError

from cloudml import plugins
from cloudml.capabilities import Capability
from cloudml.progress import SILENT
from cloudml.seam import Context
from cloudml.specs import FrameworkSpec, JobSpec, MachineSpec
from cloudml_local import images, machines, processes
from cloudml_local.capabilities import CAPABILITIES
from cloudml_local.plugin import PLUGIN, check, connect
from cloudml_local.settings import LocalSettings


@pytest.fixture
def context(tmp_path) -> Context:
    return Context(root=tmp_path, project="demo")


def test_the_plugin_enters_by_its_entry_point_and_answers_every_question() -> None:
    assert plugins.plugin("local") is PLUGIN
    assert set(CAPABILITIES) == set(Capability)


def test_the_runner_loads_nothing_that_takes_long() -> None:
    program = "import sys, cloudml_local.runner, cloudml_local.supervisor; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.split()
    assert not {"pydantic", "obstore", "numpy", "pyarrow", "starlette"} & set(loaded)


def test_connecting_and_looking_make_nothing(context, tmp_path) -> None:
    provider = connect(LocalSettings(), context)
    for service in (provider.datasets, provider.jobs, provider.models, provider.endpoints, provider.monitors):
        assert list(service.list("demo")) == []
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("said", [{"state": ""}, {"jobs": 0}, {"region": "here"}])
def test_settings_that_make_no_sense_are_refused(said) -> None:
    with pytest.raises(ValidationError):
        LocalSettings(**said)


def test_a_computer_that_runs_these_tests_passes_the_check(context) -> None:
    findings = list(check(LocalSettings(), context))
    assert [one.subject for one in findings if not one.ok] == []
    assert {one.group for one in findings} == {"software", "permissions", "quota"}


def test_a_state_folder_that_cannot_be_one_is_found(context, tmp_path) -> None:
    (tmp_path / "file").touch()
    findings = list(check(LocalSettings(state="file/below"), context))
    (found,) = (one for one in findings if one.ok is False)
    assert found.subject == "state folder"
    assert "state" in found.hint


def test_a_rehearsal_leaves_neither_folder_nor_process(here, context) -> None:
    here.write("waits.py", "import time\ntime.sleep(300)\n")
    resource = here.resource("jobs", JobSpec(name="waits", script="waits.py"))
    with PLUGIN.rehearse(LocalSettings(), context) as provider:
        provider.jobs.create(resource, SILENT)
        home = provider.jobs.places.home
        assert processes.wait_until(lambda: len(processes.marked(home)) == 2, 60)  # runner, script
    assert processes.marked(home) == []
    assert not home.exists()


def test_every_field_of_a_machine_is_said_to_be_this_computers() -> None:
    machine = MachineSpec(cpus=3, memory="16GiB", gpus=1, gpu="T4", disk="9GiB", exact={"local": "big", "aws": "x"})
    said = {note.path: note.text for note in machines.notes("jobs.t.machine", machine)}
    assert set(said) == {f"jobs.t.machine.{name}" for name in ("cpus", "memory", "gpus", "gpu", "disk", "exact.local")}
    assert "16GiB" in said["jobs.t.machine.memory"]
    assert re.search(r"has \d+ CPUs.*3 threads", said["jobs.t.machine.cpus"])
    assert list(machines.notes("jobs.t.machine", MachineSpec())) == []


@pytest.mark.parametrize(
    ("asked", "found", "said"),
    [
        ("1.5", "1.5.2", "with its sklearn 1.5.2"),
        ("1.5", "1.50.0", "1.50.0, not 1.5"),
        ("1.5.1", "1.5.2", "1.5.2, not 1.5.1"),
        ("1", "1.9", "with its sklearn 1.9"),
        ("1.5", "", "sklearn is not installed"),
    ],
)
def test_the_framework_asked_for_is_compared_with_the_one_installed(asked: str, found: str, said: str) -> None:
    assert images.compared(FrameworkSpec(name="sklearn", version=asked), found).endswith(said)


def test_the_installed_version_is_found_by_distribution() -> None:
    from importlib.metadata import version

    assert images.installed("sklearn") == version("scikit-learn")
    assert images.installed("tensorflow") == ""
