"""Names for completion, without a YAML library, are those that a YAML library finds."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from cloudml.cli.glance import keys

ROOT = Path(__file__).parent.parent.parent
FILES = [*ROOT.glob("examples/*/cloudml.yaml"), ROOT / "cloudml" / "starter" / "files" / "cloudml.yaml"]
SECTIONS = ("targets", "datasets", "jobs", "models", "endpoints", "monitors")


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.parent.name)
def test_a_project_file_gives_the_names_that_it_has(file: Path) -> None:
    document = YAML(typ="safe", pure=True).load(file)
    for section in SECTIONS:
        assert keys(file.read_text("utf-8"), section) == tuple(document.get(section) or ())


def test_every_way_to_write_a_section_is_read() -> None:
    text = """
# jobs: {no: {}}
jobs:          # all of them

    first: {script: a.py, parameters: {inner: 1}}
    "second":
        script: b.py
    # third: {}
    'fourth' : {}
models: {a: {source: jobs.first.model, require: {x: ">= 1"}}, "b": {}, c: {}}  # d: {}
targets:
"""
    assert keys(text, "jobs") == ("first", "second", "fourth")
    assert keys(text, "models") == ("a", "b", "c")
    assert keys(text, "targets") == ()
    assert keys(text, "monitors") == ()


@pytest.mark.parametrize("text", ["", "jobs", "jobs: [", "jobs:\n- a\n", "jobs: 3", "\x00"])
def test_a_file_that_is_none_gives_no_names(text: str) -> None:
    assert keys(text, "jobs") == ()


def test_bash_itself_completes_with_the_script_that_is_printed(shell) -> None:
    """As the shell does it when tab is pressed: it sets the words and calls the function of the script."""
    program = """
        eval "$(cloudml completion bash)" && complete -p cloudml
        press() {
            COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMPREPLY=()
            _cloudml_completion cloudml
            echo "${COMPREPLY[@]}"
        }
        press cloudml sch
        press cloudml job run ""
        press cloudml -C .. job run ""
        press cloudml plan --on l
    """
    path = f"{Path(sys.executable).parent}:/usr/bin:/bin"
    done = subprocess.run(
        ["bash", "-c", program], cwd=shell.folder, env={"PATH": path}, capture_output=True, text=True, check=True
    )
    registered, *pressed = done.stdout.splitlines()
    assert "_cloudml_completion" in registered
    assert pressed == ["schema", "prepare train evaluate", "", "local"]


def test_completing_a_name_loads_no_library_but_click(shell) -> None:
    program = "import sys; from cloudml.cli import main\ntry: main()\nexcept SystemExit: pass\nprint(*sys.modules)"
    asked = {"_CLOUDML_COMPLETE": "bash_complete", "COMP_WORDS": "cloudml job run ", "COMP_CWORD": "3"}
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=shell.folder, env=asked, capture_output=True, text=True, check=True
    )
    assert "plain,train" in done.stdout
    loaded = {name.partition(".")[0] for name in done.stdout.splitlines()[-1].split()}
    assert not loaded & {"pydantic", "rich", "ruamel", "numpy", "obstore", "pyarrow"}
