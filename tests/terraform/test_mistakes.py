"""The stubs refuse what a real provider refuses: without that, an accepted example would mean nothing."""

from __future__ import annotations

from typing import Any

import pytest
from mistakes import HEAD, MISTAKES, OF_THE_PROVIDER, configuration, folder_of, modules
from tools import Stub, terraform


@pytest.fixture(scope="module")
def said(lane, tmp_path_factory) -> dict[str, list[dict[str, Any]]]:
    """What Terraform says of each configuration; all of them in one call, each as a module."""
    stub = lane.newest("aws")
    folder = tmp_path_factory.mktemp("mistakes")
    calls = [f'module "{name}" {{\n  source = "./{name}"\n}}\n' for name in modules()]
    found: dict[str, list[dict[str, Any]]] = {name: [] for name in modules()}
    for name, text in modules().items():
        (folder / name).mkdir()
        (folder / name / "main.tf").write_text(text)
    (folder / "main.tf").write_text("\n".join([HEAD, *calls]))
    terraform(folder, Stub(stub.mirror), "init", "-input=false", "-no-color")
    for one in terraform(folder, stub, "validate", "-json", good=(1,)).document["diagnostics"]:
        found[one["range"]["filename"].partition("/")[0]].append(one)
    (folder / "main.tf").write_text(configuration(OF_THE_PROVIDER))
    wrong = terraform(folder, stub, "validate", "-json", good=(1,)).document["diagnostics"]
    return {**found, folder_of(OF_THE_PROVIDER): wrong}


def test_the_configuration_without_a_mistake_is_good(said) -> None:
    assert said["good"] == []


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_refused_in_words_that_help(said, name: str) -> None:
    words = [f"{one['summary']} {one.get('detail', '')}" for one in said[folder_of(name)] if one["severity"] == "error"]
    assert any(MISTAKES[name][2] in one for one in words), words


def test_there_are_twenty_and_each_changes_something() -> None:
    assert len(MISTAKES) == 20
    assert len({configuration(name) for name in ("", *MISTAKES)}) == 21
