"""The Azure provider: Azure Machine Learning, Blob Storage and Azure Monitor's autoscale.

`PLUGIN` is made when it is asked for, so that the double and tools can import parts of the package alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cloudml.seam import Plugin
    from cloudml_azure.settings import AzureSettings

    PLUGIN: Plugin[AzureSettings]

__all__ = ["PLUGIN"]


def __getattr__(name: str) -> Any:
    if name != "PLUGIN":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from cloudml_azure.plugin import PLUGIN

    return PLUGIN
