from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from cloudml.errors import InvalidRequestError, NotFoundError
from cloudml.resources import Identity
from cloudml_local.logs import PAGE, LocalLogs, lines
from cloudml_local.places import Places
from cloudml_local.state import State, new

if TYPE_CHECKING:
    from pathlib import Path

JOB = Identity(project="demo", resource="jobs.train", hash="ab" * 32)


@pytest.fixture
def logs(tmp_path: Path) -> LocalLogs:
    places = Places(tmp_path)
    state = State(places)
    state.add(new(JOB, JOB.name, "running", {}))
    places.folder("jobs", JOB.name).mkdir(parents=True)
    return LocalLogs(places, state)


def write(logs: LocalLogs, text: bytes) -> None:
    with (logs.places.folder("jobs", JOB.name) / "log.txt").open("ab") as file:
        file.write(text)


def over(logs: LocalLogs) -> None:
    logs.state.edit("jobs", JOB.name, lambda now: replace(now, state="succeeded"))


@pytest.mark.parametrize(
    ("written", "whole", "expected"),
    [
        (b"", False, ((), 0)),
        (b"a\nb\n", False, (("a", "b"), 4)),
        (b"a\nb", False, (("a",), 2)),
        (b"a\nb", True, (("a", "b"), 3)),
        (b"a\r\n\n", False, (("a", ""), 4)),
        (b"50%\r100%\n", False, (("50%\r100%",), 9)),
        (b"\xff\n", False, (("\ufffd",), 2)),
        ("x\u2028y\n".encode(), False, (("x\u2028y",), 6)),
    ],
)
def test_whole_lines_are_told_from_the_rest(written: bytes, whole: bool, expected) -> None:
    assert lines(written, whole=whole) == expected


def test_a_cursor_reads_on_where_the_last_page_ended(logs: LocalLogs) -> None:
    assert logs.read("jobs", JOB.name, "").lines == ()
    write(logs, b"one\ntwo\nthr")
    page = logs.read("jobs", JOB.name, "")
    assert page.lines == ("one", "two")
    assert logs.read("jobs", JOB.name, page.cursor).lines == ()
    write(logs, b"ee\nend")
    page = logs.read("jobs", JOB.name, page.cursor)
    assert page.lines == ("three",)
    over(logs)
    page = logs.read("jobs", JOB.name, page.cursor)
    assert page.lines == ("end",)
    assert logs.read("jobs", JOB.name, page.cursor).lines == ()


def test_a_line_longer_than_a_page_comes_whole_and_characters_are_not_cut(logs: LocalLogs) -> None:
    long = "ä" * PAGE
    write(logs, f"{long}\n{long}\nlast".encode())
    over(logs)
    found: list[str] = []
    cursor = ""
    while (page := logs.read("jobs", JOB.name, cursor)).lines:
        found += page.lines
        cursor = page.cursor
    assert found == [long, long, "last"]


def test_what_prints_nothing_and_what_is_not_there_is_not_found(logs: LocalLogs) -> None:
    with pytest.raises(NotFoundError):
        logs.read("models", "m", "")
    with pytest.raises(NotFoundError):
        logs.read("jobs", "nobody", "")
    with pytest.raises(InvalidRequestError):
        logs.read("jobs", JOB.name, "page two")
