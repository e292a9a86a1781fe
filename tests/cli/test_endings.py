"""How a command ends when something else than the project is at fault."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from pathlib import Path

CLOUDML = Path(sys.executable).parent / "cloudml"


def test_a_fault_of_ours_asks_for_a_report_and_shows_where(empty) -> None:
    site = empty.folder / "site"
    (site / "odd-1.dist-info").mkdir(parents=True)
    (site / "odd-1.dist-info" / "METADATA").write_text("Metadata-Version: 2.1\nName: odd\nVersion: 1\n")
    (site / "odd-1.dist-info" / "entry_points.txt").write_text("[cloudml.providers]\nodd = odd:PLUGIN\n")
    (site / "odd.py").write_text("raise ZeroDivisionError('odd')\n")
    done = empty.process("provider", "capabilities", "odd", "--json", PYTHONPATH=str(site))
    assert done.code == 1
    assert done.json == {"error": {"type": "UnexpectedError", "message": "ZeroDivisionError: odd"}}
    assert "Traceback" in done.err
    assert "unexpected error: ZeroDivisionError: odd; please report it" in done.err.splitlines()[-1]


def test_a_no_to_the_question_of_down_removes_nothing_and_is_no_interruption(shell) -> None:
    assert shell("job", "run", "prepare", "-q").code == 0
    main, sub = pty.openpty()
    with subprocess.Popen([CLOUDML, "down"], cwd=shell.folder, stdin=sub, stdout=sub, stderr=sub) as process:
        os.close(sub)
        os.write(main, b"n\n")
        said = b""
        while chunk := _read(main):
            said += chunk
        os.close(main)
    assert process.returncode == 1
    assert b"Remove everything of `irises` on `local`?" in said
    assert b"nothing was removed" in said
    assert b"interrupted" not in said
    assert "prepare" in shell("job", "list").out


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 65536)
    except OSError:  # the other side is closed
        return b""


def test_a_terminal_without_the_signs_shows_others(shell) -> None:
    done = shell.process("provider", "check", PYTHONIOENCODING="ascii")
    assert (done.code, done.err) == (0, "")
    assert "state folder" in done.out


def test_a_folder_below_a_file_is_refused_by_name(empty) -> None:
    (empty.folder / "taken").write_text("")
    done = empty("init", "taken/irises")
    assert (done.code, done.err.splitlines()[0]) == (2, "error: `taken` is not a folder; nothing was written")


def test_a_file_that_cannot_be_written_is_named(empty) -> None:
    done = empty("init", "x" * 300)
    assert done.code == 1
    assert done.err.startswith("error: `xxx")
    assert "Traceback" not in done.err


def test_a_reader_that_leaves_is_told_nothing(shell) -> None:
    (shell.folder / "cloudml.yaml").write_text("project: [")
    for line in (["schema"], ["plan", "--json"], ["up", "--json"]):
        read, write = os.pipe()
        os.close(read)
        done = subprocess.run(
            [CLOUDML, *line], cwd=shell.folder, stdout=write, stderr=subprocess.PIPE, text=True, check=False
        )
        os.close(write)
        assert done.returncode in {1, 2}
        assert "Traceback" not in done.stderr
        assert "BrokenPipe" not in done.stderr


def test_who_may_not_come_in_is_told_with_four(shell) -> None:
    file = shell.folder / "cloudml.yaml"
    file.write_text(file.read_text() + "targets:\n  nowhere: {provider: local, state: /dev/null/state}\n")
    done = shell("provider", "check", "--on", "nowhere", "--json")
    failed = {one["subject"]: one["group"] for one in done.json if one["ok"] is False}
    assert (done.code, failed) == (4, {"state folder": "permissions"})
