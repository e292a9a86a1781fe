from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading

import pytest

from cloudml.errors import AlreadyExistsError
from cloudml.storage import Storage, files, scan

KILLED = """
import os, signal, sys
from pathlib import Path
from cloudml.storage import files

def content():
    yield b"half"
    os.kill(os.getpid(), signal.SIGKILL)

files.write(Path(sys.argv[1]), "blobs/aa/x", content(), only_new=True)
"""


def staged(folder) -> list[str]:
    return [path.name for path in (folder / "staging").iterdir()]


def test_a_name_appears_with_all_of_its_content_or_not_at_all(tmp_path) -> None:
    def content():
        yield b"half"
        assert not (tmp_path / "a/b").exists()
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        files.write(tmp_path, "a/b", content(), only_new=False)
    assert not (tmp_path / "a/b").exists()
    assert staged(tmp_path) == []
    files.write(tmp_path, "a/b", [b"whole", b"!"], only_new=False)
    assert (tmp_path / "a/b").read_bytes() == b"whole!"


def test_of_several_at_once_that_want_it_new_one_succeeds(tmp_path) -> None:
    storage, won, lost = Storage(tmp_path), [], []

    def write(number: int) -> None:
        try:
            storage.write("claim", str(number).encode(), only_new=True)
            won.append(number)
        except AlreadyExistsError:
            lost.append(number)

    threads = [threading.Thread(target=write, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(won), len(lost)) == (1, 7)
    assert storage.read("claim") == str(won[0]).encode()
    assert staged(tmp_path) == []


def test_what_a_killed_process_left_goes_with_the_next_push(tmp_path) -> None:
    store = tmp_path / "store"
    store.mkdir()
    done = subprocess.run([sys.executable, "-c", KILLED, store], check=False)
    assert done.returncode == -signal.SIGKILL
    assert len(staged(store)) == 1
    (tmp_path / "data").mkdir()
    (tmp_path / "data/a").write_text("a")
    Storage(store).push(scan("data", tmp_path, None), "d")
    assert staged(store) == []


def test_what_is_being_written_is_no_litter(tmp_path) -> None:
    def content():
        yield b"first"
        files.tidy(tmp_path)
        assert len(staged(tmp_path)) == 1
        yield b"second"

    files.write(tmp_path, "x", content(), only_new=True)
    assert (tmp_path / "x").read_bytes() == b"firstsecond"


def test_a_file_system_without_hard_links_will_do(tmp_path, monkeypatch) -> None:
    def no(*_, **__):
        raise OSError("no hard links here")

    monkeypatch.setattr(os, "link", no)
    files.write(tmp_path, "x", [b"x"], only_new=True)
    assert (tmp_path / "x").read_bytes() == b"x"
    with pytest.raises(FileExistsError):
        files.write(tmp_path, "x", [b"y"], only_new=True)
