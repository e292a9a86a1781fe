"""Whole commands, as a user types them, on the local provider."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from cloudml import starter

CLOUDML = Path(sys.executable).parent / "cloudml"


@dataclass(frozen=True)
class Done:
    """A command that has ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    @property
    def lines(self) -> list[Any]:
        return [json.loads(line) for line in self.out.splitlines()]


@dataclass(frozen=True)
class Shell:
    """Runs commands in a folder."""

    folder: Path

    def __call__(self, *arguments: str, text: str = "", **environ: str) -> Done:
        clean = {key: value for key, value in os.environ.items() if not key.startswith("CLOUDML_")}
        done = subprocess.run(
            [CLOUDML, *arguments],
            cwd=self.folder,
            env={**clean, **environ},
            input=text,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        return Done(done.returncode, done.stdout, done.stderr)


@pytest.fixture
def shell(tmp_path: Path):
    """A shell in the starter project; what it brought into being is removed afterwards."""
    folder = tmp_path / "irises"
    starter.write(folder)
    shell = Shell(folder)
    try:
        yield shell
    finally:
        if (folder / ".cloudml" / "state.db").exists():
            assert shell("down", "--yes").code == 0


@pytest.fixture
def empty(tmp_path: Path) -> Shell:
    """A shell in an empty folder."""
    return Shell(tmp_path)
