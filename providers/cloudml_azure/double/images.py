"""Building the image of an environment: what its conda file adds by pip, if that is not installed here, is installed.

Versions are not looked at: whatever is here counts, as images are not run. What cannot be installed fails the build, as
it would in Azure.
"""

from __future__ import annotations

import hashlib
import re
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, distribution
from typing import TYPE_CHECKING, Any

from cloudml_azure.double.resources import path_of

if TYPE_CHECKING:
    from pathlib import Path

    from cloudml_azure.double.world import World

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
OF_THE_IMAGE = frozenset({"azureml-inference-server-http", "azureml-defaults", "azureml-mlflow", "inference-schema"})
"""Packages of Azure ML itself, for which the double stands in."""


def requirements(conda: str) -> list[str]:
    """The requirements for pip in a conda file."""
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    try:
        document: Any = YAML(typ="safe").load(conda) or {}
    except YAMLError:
        return []
    found: list[str] = []
    for one in document.get("dependencies") or ():
        if isinstance(one, dict):
            found += [str(line) for line in one.get("pip") or ()]
    return [line for line in found if not line.startswith("-")]


def folder(world: World, environment: str) -> Path:
    """Where packages of an environment are that are not installed here."""
    return world.folder / "images" / hashlib.sha256(environment.encode()).hexdigest()[:16]


def build(world: World, environment: str) -> str:
    """Build an image, once; why that failed, or nothing."""
    record = world.resources.find(path_of(environment))
    if record is None or environment in world.images:
        return ""
    missing = [one for one in requirements(record["properties"].get("condaFile") or "") if not _here(one)]
    if missing:
        line = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        with world.clock.real():
            done = subprocess.run(
                [*line, "--target", str(folder(world, environment)), *missing],
                capture_output=True,
                text=True,
                check=False,
            )
        if done.returncode:
            return done.stderr.strip().splitlines()[-1] if done.stderr.strip() else f"exit code {done.returncode}"
    world.images.add(environment)
    return ""


def _here(requirement: str) -> bool:
    found = NAME.match(requirement)
    name = found[0] if found else requirement
    if name.lower().replace("_", "-") in OF_THE_IMAGE:
        return True
    try:
        distribution(name)
    except PackageNotFoundError:
        return False
    return True
