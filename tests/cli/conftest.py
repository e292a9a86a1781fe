"""Whole commands, as a user types them, on the local provider."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from cloudml import starter
from cloudml.cli import cloudml
from cloudml.cli.ending import run

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
    """Runs commands in a folder: in this process, which saves the start of one, or in one of their own.

    Attributes:
        capture: Reads what was printed since the last look.
    """

    folder: Path
    capture: pytest.CaptureFixture[str]

    def __call__(self, *arguments: str, text: str = "", **environ: str) -> Done:
        """What the command does when its words, its environment, its folder and its input are these."""
        self.capture.readouterr()
        with pytest.MonkeyPatch.context() as patch:
            for name in [name for name in os.environ if name.startswith("CLOUDML_")]:
                patch.delenv(name)
            for name, value in environ.items():
                patch.setenv(name, value)
            patch.chdir(self.folder)
            patch.setattr(sys, "argv", ["cloudml", *arguments])
            patch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text.encode()), "utf-8"))
            patch.setattr(sys, "excepthook", sys.excepthook)
            code = run(cloudml, list(arguments))
        return Done(code, *self.capture.readouterr())

    def process(self, *arguments: str, text: str = "", **environ: str) -> Done:
        """The same in a process of its own."""
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
def shell(tmp_path: Path, capfd: pytest.CaptureFixture[str]):
    """A shell in the starter project; what it brought into being is removed afterwards."""
    folder = tmp_path / "irises"
    starter.write(folder)
    shell = Shell(folder, capfd)
    try:
        yield shell
    finally:
        if (folder / ".cloudml" / "state.db").exists():
            assert shell("down", "--yes").code == 0


@pytest.fixture
def empty(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> Shell:
    """A shell in an empty folder."""
    return Shell(tmp_path, capfd)
