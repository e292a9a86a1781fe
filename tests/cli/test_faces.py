"""Help, completion, colours, terminals."""

from __future__ import annotations

import io
import os
import pty
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import click
import pytest

from cloudml.cli import COMMANDS, cloudml
from cloudml.cli.output import Output

CLOUDML = Path(sys.executable).parent / "cloudml"


def commands() -> list[tuple[str, ...]]:
    found: list[tuple[str, ...]] = []
    context = click.Context(cloudml)
    for name in COMMANDS:
        command = cloudml.get_command(context, name)
        found.append((name,))
        if isinstance(command, click.Group):
            found += [(name, verb) for verb in command.commands]
    return found


@pytest.mark.parametrize("path", commands(), ids=" ".join)
def test_every_command_says_what_it_does_with_an_example(path: tuple[str, ...]) -> None:
    command: click.Command = cloudml
    for name in path:
        assert isinstance(command, click.Group)
        found = command.get_command(click.Context(command), name)
        assert found is not None
        command = found
    assert command.help
    assert command.epilog
    assert command.epilog.startswith("Example: ")
    assert f"cloudml {path[0]}" in command.epilog


def test_the_table_of_commands_is_what_the_design_lists() -> None:
    assert {path for path in commands() if len(path) == 2} >= {
        *((noun, verb) for noun in ("dataset", "job", "model", "endpoint", "monitor") for verb in ("list", "delete")
          if (noun, verb) != ("job", "delete")),
        ("dataset", "push"), ("dataset", "show"), ("job", "run"), ("job", "show"), ("job", "logs"), ("job", "wait"),
        ("job", "cancel"), ("model", "show"), ("endpoint", "deploy"), ("endpoint", "show"), ("endpoint", "invoke"),
        ("monitor", "create"), ("monitor", "run"), ("monitor", "report"), ("provider", "list"),
        ("provider", "capabilities"), ("provider", "check"),
    }  # fmt: skip


def on_a_terminal(folder: Path, *arguments: str, **environ: str) -> str:
    """What a command draws on a terminal."""
    main, sub = pty.openpty()
    drawn = b""
    with subprocess.Popen(
        [CLOUDML, *arguments],
        cwd=folder,
        stdin=sub,
        stdout=sub,
        stderr=sub,
        env={**os.environ, "TERM": "xterm", **environ},
    ) as process:
        os.close(sub)
        while True:
            try:
                chunk = os.read(main, 65536)
            except OSError:
                break
            if not chunk:
                break
            drawn += chunk
        os.close(main)
    assert process.returncode == 0, drawn.decode()
    return drawn.decode()


def test_a_terminal_shows_a_line_for_each_resource_and_colours(shell) -> None:
    drawn = on_a_terminal(shell.folder, "job", "run", "prepare")
    assert "jobs.prepare" in drawn
    assert "✓" in drawn
    assert "\x1b[32m" in drawn


def test_no_color_draws_without_colours(shell) -> None:
    drawn = on_a_terminal(shell.folder, "job", "run", "prepare", NO_COLOR="1")
    assert "jobs.prepare" in drawn
    assert not re.search(r"\x1b\[3[0-9]m", drawn)


def test_bash_completes_commands_and_the_names_of_the_project(shell) -> None:
    def complete(words: str, index: int) -> list[str]:
        done = shell.process("--version", _CLOUDML_COMPLETE="bash_complete", COMP_WORDS=words, COMP_CWORD=str(index))
        return [line.partition(",")[2] for line in done.out.splitlines()]

    assert complete("cloudml mon", 1) == ["monitor"]
    assert complete("cloudml job run ", 3) == ["prepare", "train", "evaluate"]
    assert complete("cloudml endpoint invoke s", 3) == ["species"]
    script = shell("completion", "bash").out
    checked = subprocess.run(["bash", "-n"], input=script, text=True, capture_output=True, check=False)
    assert (checked.returncode, "_CLOUDML_COMPLETE" in script) == (0, True)


def test_options_may_stand_before_and_after_the_command(shell) -> None:
    here = replace(shell, folder=shell.folder.parent)
    assert here("-C", "irises", "--json", "validate").json == here("validate", "-C", "irises", "--json").json


def test_plain_output_is_one_line_for_each_change(shell) -> None:
    done = shell("job", "run", "prepare")
    assert any(line.split()[1:3] == ["jobs.prepare", "running"] for line in done.err.splitlines())
    assert shell("job", "run", "prepare", "-q").err == ""


def test_plan_shows_requests_when_asked(shell) -> None:
    assert "local:StartJob" not in shell("plan").out
    assert "local:StartJob" in shell("plan", "--requests").out


def test_the_environment_chooses_the_target(shell) -> None:
    assert shell("plan", CLOUDML_TARGET="elsewhere").code == 2
    assert shell("plan", "--on", "local", CLOUDML_TARGET="elsewhere").code == 0


def test_providers_are_listed_checked_and_tell_what_they_can(shell) -> None:
    listed = {one["name"]: one["state"] for one in shell("provider", "list", "--json").json}
    assert (listed["local"], listed["aws"]) == ("ready", "ready")
    assert any(row["capability"] == "jobs.spot" for row in shell("provider", "capabilities", "--json").json)
    assert shell("provider", "check").code == 0


def test_a_line_is_written_in_one_piece(monkeypatch) -> None:
    """Several resources say something at once, each from its thread: their lines must not run into each other."""
    pieces: list[str] = []

    class Stream(io.StringIO):
        def write(self, text: str) -> int:
            pieces.append(text)
            return len(text)

    for name in ("stdout", "stderr"):
        monkeypatch.setattr(sys, name, Stream())
    out = Output(json=True, streaming=True)
    out.data({"event": "started"})
    out.line("data")
    out.say("talk")
    assert [piece for piece in pieces if piece] == ['{"event": "started"}\n', "data\n", "talk\n"]
