"""What an example leaves goes through `cloudml init --from-terraform`, and `cloudml plan --on` that target works."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from pins import releases
from tools import CLOUDS, KINDS

from cloudml import load, plugins
from cloudml.provisioned import SETTINGS

CLOUDML = Path(sys.executable).with_name("cloudml")
INSTALLED = [cloud for cloud in CLOUDS if cloud in plugins.names()]


def cloudml(folder: Path, *words: str, **environ: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [CLOUDML, *words], cwd=folder, env={**os.environ, **environ}, capture_output=True, text=True, timeout=120,
        check=False,
    )  # fmt: skip


@pytest.fixture
def project(newest, tmp_path):
    """A project that was begun from an example's outputs."""

    def begun(cloud: str, kind: str) -> Path:
        done = cloudml(tmp_path, "init", "--from-terraform", str(newest(cloud, kind).outputs_file), "--json")
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)["action"] == "added"
        return tmp_path

    return begun


@pytest.mark.parametrize("cloud", INSTALLED)
@pytest.mark.parametrize("kind", KINDS)
def test_the_outputs_become_a_target_that_the_project_can_be_planned_on(project, newest, cloud: str, kind: str) -> None:
    folder = project(cloud, kind)
    profile = newest(cloud, kind).profile
    name = f"{cloud}-{profile['environment']}"
    target = load(folder).spec.targets[name]
    assert target.provider == cloud
    assert target.settings["region"] == profile["region"]
    assert profile["storage"]["bucket"] in target.settings.values()
    done = cloudml(folder, "plan", "--on", name, "--requests", "--json", "--no-live")
    assert done.returncode == 0, done.stderr
    assert profile["storage"]["bucket"] in done.stdout
    assert profile["identities"]["execution"]["id"] in done.stdout


@pytest.mark.parametrize("cloud", INSTALLED)
def test_a_setting_that_comes_from_a_platform_is_one_that_the_provider_has(cloud: str) -> None:
    known = set(plugins.plugin(cloud).settings.model_fields)
    assert set(SETTINGS[cloud]) <= known


def test_a_folder_is_asked_through_terraform(lane, tmp_path) -> None:
    applied = lane.applied("aws", "minimal", releases("aws")[-1])
    folder = applied.folder / "examples" / "aws-minimal"
    (folder / "terraform.tfstate").write_bytes((applied.folder / "applied.tfstate").read_bytes())
    rc = str(lane.newest("aws").mirror / "terraform.rc")
    done = cloudml(tmp_path, "init", "--from-terraform", str(folder), TF_CLI_CONFIG_FILE=rc)
    assert done.returncode == 0, done.stderr
    assert load(tmp_path).spec.targets["aws-dev"].settings["bucket"] == applied.profile["storage"]["bucket"]
