"""Runs the real Terraform over copies of the examples, with stub providers; what one worker ran, all of them use.

A folder is copied before `init`, since the lock file that init writes has the stubs' hashes in it, with which the init
of a real provider would fail.
"""

from __future__ import annotations

import fcntl
import gzip
import hashlib
import json
import os
import re
import shutil
import subprocess
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from pins import INSTALL, SCHEMAS, Schema
from stub_environments import HERE, HOME, ROOT, python, schema_file

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

TERRAFORM = ROOT / "terraform"
MODULES = TERRAFORM / "modules"
EXAMPLES = TERRAFORM / "examples"
CLOUDS = {"aws": "aws", "azure": "azurerm", "gcp": "google"}
"""Our name of a cloud to its provider's."""
ACCOUNTS = {"aws": "123456789012", "azure": "00000000-0000-4000-8000-000000000001", "gcp": "my-project-123"}
"""The accounts that the stubs say the credentials are of."""
KINDS = ("minimal", "complete")
LIMIT_S = 120
SOURCE = "registry.terraform.io/hashicorp"
NOT_COPIED = shutil.ignore_patterns(".terraform*", "*.tfstate*", "*.tfplan")


def binary() -> str:
    """Terraform; without it a test fails, and says how to get it."""
    found = shutil.which("terraform")
    if not found:
        pytest.fail(f"terraform is missing. To install it:\n  {INSTALL}", pytrace=False)
    return found


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """One at a time, among the workers of a test run as well."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


@dataclass(frozen=True, slots=True)
class Done:
    """A command that has ended."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        return json.loads(self.out)


def terraform(folder: Path, mirror: Path, *arguments: str, good: tuple[int, ...] = (0,), **variables: str) -> Done:
    """Run Terraform; ending otherwise than with one of *good* fails the test."""
    said = {f"TF_VAR_{name}": value for name, value in variables.items()}
    environ = {
        **{name: value for name, value in os.environ.items() if not name.startswith("TF_")},
        **said, "TF_CLI_CONFIG_FILE": str(mirror / "terraform.rc"), "TF_IN_AUTOMATION": "1", "CHECKPOINT_DISABLE": "1",
    }  # fmt: skip
    process = subprocess.run(
        [binary(), *arguments], cwd=folder, env=environ, capture_output=True, text=True, timeout=LIMIT_S, check=False
    )
    if process.returncode not in good:
        pytest.fail(
            f"terraform {' '.join(arguments)} in {folder.name}:\n{process.stdout[-3000:]}\n{process.stderr[-6000:]}"
        )
    return Done(process.returncode, process.stdout, process.stderr)


def used_types() -> dict[str, set[str]]:
    """The types of resources and data sources that the modules and the mistakes speak of."""
    files = [*TERRAFORM.rglob("*.tf"), HERE / "mistakes.py"]
    text = "\n".join(path.read_text("utf-8") for path in files if ".terraform" not in path.parts)
    return {kind: set(re.findall(rf'{kind} "(\w+)"', text)) for kind in ("resource", "data")}


def cut(schema: Schema) -> bytes:
    """The schema with the types that are used, which Terraform reads several times faster than with all of them."""
    if not schema_file(schema).exists():
        pytest.fail("the stub providers are missing: make stubs", pytrace=False)
    document = json.loads(gzip.decompress(schema_file(schema).read_bytes()))
    (found,) = document["provider_schemas"].values()
    for section, kind in (("resource_schemas", "resource"), ("data_source_schemas", "data")):
        found[section] = {name: one for name, one in found[section].items() if name in used_types()[kind]}
    return gzip.compress(json.dumps(document, sort_keys=True).encode(), mtime=0)


def mirror(*names: str) -> Path:
    """A folder of stub providers, named as `Schema.name`, with the configuration that lets Terraform see no other."""
    chosen = [schema for schema in SCHEMAS if schema.name in names]
    stubs = sorted((HERE / "stubs").rglob("*.*"))
    parts = [*(cut(schema) for schema in chosen), *(path.read_bytes() for path in stubs if path.suffix != ".pyc")]
    folder = HOME / "mirrors" / hashlib.sha256(b"\0".join([str(HERE).encode(), *parts])).hexdigest()[:16]
    with locked(HOME / "mirrors" / ".lock"):
        if not (folder / "terraform.rc").exists():
            for schema, content in zip(chosen, parts, strict=False):
                _lay_out(schema, content, folder)
            _configure(folder)
    return folder


def _lay_out(schema: Schema, content: bytes, folder: Path) -> None:
    file = folder / f"{schema.name}.json.gz"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content)
    overlay = HERE / "stubs" / "overlays" / f"{schema.provider}.json"
    place = folder / SOURCE / schema.provider / schema.release / "linux_amd64"
    place.mkdir(parents=True, exist_ok=True)
    program = place / f"terraform-provider-{schema.provider}_v{schema.release}"
    program.write_text(
        f"#!/bin/sh\nSTUB_SCHEMA='{file}' STUB_OVERLAY='{overlay}' "
        f"exec '{python('stub')}' '{HERE / 'stubs' / 'provider.py'}' \"$@\"\n"
    )
    program.chmod(0o755)
    subprocess.run([program, "--compile"], check=True, timeout=LIMIT_S)


def _configure(folder: Path) -> None:
    """Written last, as the sign that the mirror is whole."""
    only = f'filesystem_mirror {{\n    path = "{folder}"\n  }}'
    text = f"disable_checkpoint = true\nprovider_installation {{\n  {only}\n}}\n"
    (folder / "terraform.rc").write_text(text)
