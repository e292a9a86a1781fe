"""Modules that are loaded when they are first asked for something."""

from __future__ import annotations

import importlib
import sys
import threading
from typing import TYPE_CHECKING

import pytest

from cloudml.clouds.late import late

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from types import ModuleType

FILES = {
    "__init__.py": "",
    "key.py": "from tardy import seen\nseen.LOADED.append(__name__)\nVALUE = seen.LOADED[-1]\n",
    "seen.py": "LOADED = []\n",
    "user.py": "from tardy import key\ndef ask():\n    return key.VALUE\n",
    "eager.py": "from tardy.key import VALUE\n",
    "worker.py": (
        "from tardy import seen\nseen.LOADED.append(__name__)\nVALUE = 3\n"
        "def times(number, *, by=1):\n    return VALUE * number * by\n"
    ),
    "boss.py": "from tardy.worker import times\n",
    "wrong.py": "from tardy import seen\nseen.LOADED.append(__name__)\nraise ImportError('its library is missing')\n",
    "slow.py": (
        "from tardy import seen\nseen.BEGUN.set()\nassert seen.GO.wait(20)\n"
        "seen.LOADED.append(__name__)\nVALUE = 'whole'\n"
    ),
}


@pytest.fixture
def tardy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """A package whose modules say in `tardy.seen` that they were loaded."""
    folder = tmp_path / "tardy"
    folder.mkdir()
    for name, text in FILES.items():
        (folder / name).write_text(text, "utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    yield importlib.import_module("tardy.seen")
    for name in [name for name in sys.modules if name.partition(".")[0] == "tardy"]:
        del sys.modules[name]


def test_a_module_is_loaded_when_it_is_first_asked_for_something(tardy) -> None:
    with late("tardy.key"):
        user = importlib.import_module("tardy.user")
    assert tardy.LOADED == []
    assert user.ask() == "tardy.key"
    assert user.ask() == "tardy.key"
    assert tardy.LOADED == ["tardy.key"]
    assert type(user.key) is type(sys)


def test_importing_it_once_more_does_not_load_it(tardy) -> None:
    with late("tardy.key"):
        importlib.import_module("tardy.user")
    importlib.import_module("tardy.key")
    assert tardy.LOADED == []


def test_a_name_that_is_imported_from_it_loads_it(tardy) -> None:
    with late("tardy.key"):
        assert importlib.import_module("tardy.eager").VALUE == "tardy.key"
    assert tardy.LOADED == ["tardy.key"]


def test_a_function_that_was_named_is_imported_alone_and_loads_its_module_when_it_is_called(tardy) -> None:
    with late("tardy.worker:times"):
        boss = importlib.import_module("tardy.boss")
    assert tardy.LOADED == []
    assert [boss.times(2, by=5), boss.times(1)] == [30, 3]
    assert tardy.LOADED == ["tardy.worker"]
    assert importlib.import_module("tardy.worker").times is not boss.times


def test_any_other_name_loads_the_module_of_a_function_that_was_named(tardy) -> None:
    with late("tardy.worker:times"):
        worker = importlib.import_module("tardy.worker")
    assert worker.VALUE == 3
    assert tardy.LOADED == ["tardy.worker"]
    assert worker.times.__module__ == "tardy.worker"


def test_what_was_not_named_or_is_imported_later_is_loaded_at_once(tardy) -> None:
    with late("tardy.slow"):
        importlib.import_module("tardy.user")
    assert tardy.LOADED == ["tardy.key"]
    assert not [one for one in sys.meta_path if type(one).__module__ == "cloudml.clouds.late"]


def test_a_module_that_cannot_be_loaded_says_so_each_time(tardy) -> None:
    with late("tardy.wrong"):
        wrong = importlib.import_module("tardy.wrong")
    for _ in range(2):
        with pytest.raises(ImportError, match="its library is missing"):
            _ = wrong.VALUE
    assert tardy.LOADED == ["tardy.wrong"] * 2


def test_a_thread_that_asks_while_another_loads_sees_the_whole_module(tardy) -> None:
    tardy.BEGUN, tardy.GO = threading.Event(), threading.Event()
    with late("tardy.slow"):
        slow = importlib.import_module("tardy.slow")
    found: list[str] = []
    threads = [threading.Thread(target=lambda: found.append(slow.VALUE)) for _ in range(3)]
    threads[0].start()
    assert tardy.BEGUN.wait(20)
    for one in threads[1:]:
        one.start()
    tardy.GO.set()
    for one in threads:
        one.join(20)
    assert found == ["whole"] * 3
    assert tardy.LOADED == ["tardy.slow"]
