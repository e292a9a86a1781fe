"""What makes a command start sooner, and end sooner."""

from __future__ import annotations

import atexit
import gc
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

from cloudml.clouds.late import late

if TYPE_CHECKING:
    from collections.abc import Iterator

PLUGINS = "PYDANTIC_DISABLE_PLUGINS"
SELDOM = (50_000, 20, 100)
"""How many more objects than were freed, and how many rounds of younger ones, before garbage is looked for."""


def start_quickly() -> None:
    """Let the interpreter look for garbage more seldom than it does by itself, from 700 objects on.

    Nearly all that a short command makes stays to its end. What a long one leaves in circles is some megabytes more.
    """
    gc.set_threshold(*SELDOM)


@contextmanager
def quickly() -> Iterator[None]:
    """Import modules and make models within; only a process that does nothing else yet may.

    - Some 300 modules make objects that stay; looking through them for garbage, again and again, took a tenth of the
      time of `plan`.
    - Pydantic looks for plugins in the metadata of everything that is installed, a twentieth; there are none for our
      models. The variable is taken back, since the user's own code may be run with our environment. What reads such
      metadata, and imports the parsers of mails and archives for it, is loaded when it is asked for something.
    """
    before = os.environ.get(PLUGINS)
    os.environ[PLUGINS] = "__all__"
    gc.disable()
    try:
        with late("importlib.metadata:entry_points", "importlib.metadata:version"):
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
