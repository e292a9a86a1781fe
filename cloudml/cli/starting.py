"""What makes a command start sooner, and end sooner."""

from __future__ import annotations

import atexit
import gc
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

PLUGINS = "PYDANTIC_DISABLE_PLUGINS"


@contextmanager
def quickly() -> Iterator[None]:
    """Import modules and make models within; only a process that does nothing else yet may.

    - Some 300 modules make objects that stay; looking through them for garbage, again and again, took a tenth of the
      time of `plan`.
    - Pydantic looks for plugins in the metadata of everything that is installed, a twentieth; there are none for our
      models. The variable is taken back, since the user's own code may be run with our environment.
    """
    before = os.environ.get(PLUGINS)
    os.environ[PLUGINS] = "__all__"
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()
        if before is None:
            del os.environ[PLUGINS]
        else:
            os.environ[PLUGINS] = before


def end_quickly() -> None:
    """Let the interpreter, when it ends, not look through everything for garbage once more; the process ends anyway.

    It took `status` a seventh of its processor time.
    """
    atexit.register(gc.freeze)
