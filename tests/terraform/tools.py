"""Runs the real Terraform over copies of the examples, with stub providers.

A folder is copied before `init`, since the lock file that init writes has the stubs' hashes in it, with which the init
of a real provider would fail.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import subprocess
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import pytest
from pins import INSTALL, SCHEMAS, Schema
from stub_environments import HERE, HOME, TERRAFORM, is_derived, python, schema_file

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

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


@dataclass(frozen=True, slots=True)
class Stub:
    """A stub provider.

    Attributes:
        mirror: The folder that it lies in, with the configuration that lets Terraform see no other.
        running: What TF_REATTACH_PROVIDERS says of one that runs already; empty where Terraform is to start it.
    """

    mirror: Path
    running: str = ""


def environment(stub: Stub, **variables: str) -> dict[str, str]:
    """What Terraform is told by its environment; none of it comes from whoever runs the tests."""
    ours = {name: value for name, value in os.environ.items() if not name.startswith("TF_")}
    ours.pop("PYTHONDONTWRITEBYTECODE", None)  # a stub starts several times: what one has compiled, the next one reads
    return {
        **ours, **{f"TF_VAR_{name}": value for name, value in variables.items()},
        **({"TF_REATTACH_PROVIDERS": stub.running} if stub.running else {}),
        "TF_CLI_CONFIG_FILE": str(stub.mirror / "terraform.rc"), "TF_IN_AUTOMATION": "1", "CHECKPOINT_DISABLE": "1",
        "GOGC": "400",  # a short life, and memory enough: a third less to compute
    }  # fmt: skip


def terraform(folder: Path, stub: Stub, *arguments: str, good: tuple[int, ...] = (0,), **variables: str) -> Done:
    """Run Terraform; ending otherwise than with one of *good* fails the test."""
    process = subprocess.run(
        [binary(), *arguments], cwd=folder, env=environment(stub, **variables), capture_output=True, text=True,
        timeout=LIMIT_S, check=False,
    )  # fmt: skip
    if process.returncode not in good:
        pytest.fail(
            f"terraform {' '.join(arguments)} in {folder.name}:\n{process.stdout[-3000:]}\n{process.stderr[-6000:]}"
        )
    return Done(process.returncode, process.stdout, process.stderr)


class Stubs:
    """Stub providers that run, one for each release that is asked for, so that a call of Terraform starts none."""

    def __init__(self) -> None:
        self._running: dict[str, tuple[subprocess.Popen[str], Stub]] = {}

    def of(self, provider: str, release: str) -> Stub:
        """The stub of a release."""
        schema = next(one for one in SCHEMAS if (one.provider, one.release) == (provider, release))
        if schema.name not in self._running:
            self._running[schema.name] = self._started(schema)
        return self._running[schema.name][1]

    def _started(self, schema: Schema) -> tuple[subprocess.Popen[str], Stub]:
        found = mirror(schema.name)
        process = subprocess.Popen(
            [program(found, schema), "--attach"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            env=environment(Stub(found)),
        )  # fmt: skip
        address = {"Network": "unix", "String": process.stdout.readline().strip()}
        said = {"Protocol": "grpc", "ProtocolVersion": 6, "Pid": process.pid, "Test": True, "Addr": address}
        return process, Stub(found, json.dumps({f"{SOURCE}/{schema.provider}": said}))

    def stop(self) -> None:
        for process, _ in self._running.values():
            process.communicate(timeout=LIMIT_S)


@cache
def mirror(name: str) -> Path:
    """A folder with the stub of a `Schema.name`, and the configuration that lets Terraform see no other."""
    schema = next(one for one in SCHEMAS if one.name == name)
    if not is_derived(schema):
        pytest.fail("the stub providers are missing, or made for other types of resources: make stubs", pytrace=False)
    stubs = sorted(path for path in (HERE / "stubs").rglob("*.*") if path.suffix != ".pyc")
    parts = [str(HERE).encode(), *(path.read_bytes() for path in [schema_file(schema), *stubs])]
    folder = HOME / "mirrors" / hashlib.sha256(b"\0".join(parts)).hexdigest()[:16]
    with locked(HOME / "mirrors" / ".lock"):
        if not (folder / "terraform.rc").exists():
            _lay_out(schema, folder)
            _configure(folder)
    return folder


def program(folder: Path, schema: Schema) -> Path:
    """Where Terraform looks for a provider in a mirror."""
    place = folder / SOURCE / schema.provider / schema.release / "linux_amd64"
    return place / f"terraform-provider-{schema.provider}_v{schema.release}"


def _lay_out(schema: Schema, folder: Path) -> None:
    file = folder / f"{schema.name}.json.gz"
    file.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(schema_file(schema), file)
    overlay = HERE / "stubs" / "overlays" / f"{schema.provider}.json"
    script = program(folder, schema)
    script.parent.mkdir(parents=True, exist_ok=True)
    script.write_text(
        f"#!/bin/sh\nSTUB_SCHEMA='{file}' STUB_OVERLAY='{overlay}' "
        f"exec '{python('stub')}' '{HERE / 'stubs' / 'provider.py'}' \"$@\"\n"
    )
    script.chmod(0o755)
    subprocess.run([script, "--compile"], check=True, timeout=LIMIT_S)


def _configure(folder: Path) -> None:
    """Written last, as the sign that the mirror is whole."""
    only = f'filesystem_mirror {{\n    path = "{folder}"\n  }}'
    text = f"disable_checkpoint = true\nprovider_installation {{\n  {only}\n}}\n"
    (folder / "terraform.rc").write_text(text)
