from __future__ import annotations

import gc
import select
import sys
import threading
from pathlib import Path

import pytest

from cloudml import imports

TEXT = Path(imports.__file__).read_bytes()


@pytest.fixture
def interrupted():
    """Threads take turns wherever they may, also in the middle of C code: a garbage collection lets others run."""

    def turn(*_: object) -> None:
        select.select([], [], [], 0)

    threshold, interval = gc.get_threshold(), sys.getswitchinterval()
    gc.set_threshold(5)
    sys.setswitchinterval(1e-6)
    gc.callbacks.append(turn)
    yield
    gc.callbacks.remove(turn)
    gc.set_threshold(*threshold)
    sys.setswitchinterval(interval)


def failures(read) -> list[str]:
    """What goes wrong when several threads read at once."""
    found: list[str] = []

    def run() -> None:
        try:
            read()
        except SystemError as error:
            found.append(str(error))

    threads = [threading.Thread(target=run) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found


def test_several_threads_can_read_code_at_once(interrupted) -> None:
    assert failures(lambda: imports.wanted(TEXT, "imports.py")) == []
