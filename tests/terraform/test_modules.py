"""The modules' own tests, which are Terraform's, and how their files are written."""

from __future__ import annotations

import re
import subprocess

import pytest
from pins import releases
from tools import CLOUDS, EXAMPLES, MODULES, TERRAFORM, binary


def test_the_tests_of_a_module_pass(lane, cloud) -> None:
    said = lane.tested(cloud)
    ended = [one for one in said if one["type"] == "test_run" and one["test_run"]["progress"] == "complete"]
    runs = {one["@testrun"]: one["test_run"]["status"] for one in ended}
    assert len(runs) >= 6
    assert set(runs.values()) == {"pass"}, [one for one in said if one["type"] == "diagnostic"]


def test_the_files_are_formatted() -> None:
    done = subprocess.run(
        [binary(), "fmt", "-check", "-recursive", "-diff", str(TERRAFORM)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout


def test_constraints_allow_what_is_tried_and_no_older_release(cloud) -> None:
    oldest, newest = releases(CLOUDS[cloud])
    files = [
        MODULES / cloud / "versions.tf",
        *(EXAMPLES / f"{cloud}-{kind}" / "main.tf" for kind in ("minimal", "complete")),
    ]
    for file in files:
        ((low, high),) = re.findall(r' {6}version = ">= ([\d.]+), < ([\d.]+)"', file.read_text("utf-8"))
        assert oldest.startswith(f"{low}."), file
        assert int(newest.partition(".")[0]) == int(high.partition(".")[0]) - 1, file


@pytest.mark.parametrize("path", sorted(MODULES.rglob("*.tf")), ids=lambda path: str(path.relative_to(MODULES)))
def test_every_input_and_output_is_described_and_every_input_has_a_type(path) -> None:
    for kind, name, body in re.findall(
        r'^(variable|output) "(\w+)" \{\n(.*?)^\}', path.read_text("utf-8"), re.MULTILINE | re.DOTALL
    ):
        assert re.search(r'^  description = "[A-Z`].+[.]"$', body, re.MULTILINE), name
        assert kind == "output" or re.search(r"^  type\s+= ", body, re.MULTILINE), name


def test_a_module_has_no_provider_block_and_no_backend(cloud) -> None:
    text = "\n".join(path.read_text("utf-8") for path in (MODULES / cloud).glob("*.tf"))
    assert not re.search(r'^\s*(provider|backend) "', text, re.MULTILINE)


def test_an_input_of_one_cloud_carries_its_name_and_has_a_default(cloud) -> None:
    text = (MODULES / cloud / f"variables_{cloud}.tf").read_text("utf-8")
    found = re.findall(r'^variable "(\w+)" \{\n(.*?)^\}', text, re.MULTILINE | re.DOTALL)
    assert found
    for name, body in found:
        assert name.startswith(f"{cloud}_")
        assert re.search(r"^  default\s+= ", body, re.MULTILINE), name


def test_every_input_is_used(cloud) -> None:
    folder = MODULES / cloud
    text = "\n".join(path.read_text("utf-8") for path in folder.glob("*.tf") if not path.name.startswith("variables"))
    declared = "\n".join(path.read_text("utf-8") for path in folder.glob("variables*.tf"))
    for name in re.findall(r'^variable "(\w+)"', declared, re.MULTILINE):
        assert re.search(rf"\bvar\.{name}\b", text), name
