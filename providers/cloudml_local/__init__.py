"""The local provider: everything in child processes of this computer, no account, no container.

`PLUGIN` is made when it is asked for: the runner and supervisor processes import this package as well, and each would
otherwise wait a quarter of a second for what they do not need.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cloudml.seam import Plugin
    from cloudml_local.settings import LocalSettings

    PLUGIN: Plugin[LocalSettings]

__all__ = ["PLUGIN"]


def __getattr__(name: str) -> Any:
    if name != "PLUGIN":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from cloudml_local.plugin import PLUGIN

    return PLUGIN
