"""Entry points -> Plugin; the one place that knows of them."""

from __future__ import annotations

from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Any

from cloudml.errors import ProviderNotFoundError
from cloudml.specs.base import PROVIDERS
from cloudml.spelling import nearest

if TYPE_CHECKING:
    from collections.abc import Mapping
    from importlib.metadata import EntryPoint

    from cloudml.seam import Plugin

GROUP = "cloudml.providers"
OURS = {name: f"cloudml_{name}" for name in PROVIDERS}
"""The packages that come with cloudml, which need not be searched for in the metadata of everything installed."""


@cache
def _found() -> Mapping[str, EntryPoint]:
    from importlib.metadata import entry_points

    return {entry.name: entry for entry in entry_points(group=GROUP)}


def names() -> tuple[str, ...]:
    """The installed providers, whether they can be imported or not."""
    return tuple(sorted(_found()))


def plugin(name: str) -> Plugin[Any]:
    """The plugin of that provider.

    Raises:
        ProviderNotFoundError: There is none, or it cannot be imported.
    """
    entry = None if name in OURS else _found().get(name)
    if entry is None and name not in OURS:
        guess = nearest(name, names())
        raise ProviderNotFoundError(
            f"no provider `{name}` is installed; there is {', '.join(f'`{one}`' for one in names()) or 'none'}",
            hint=f"did you mean `{guess}`?"
            if guess
            else "a provider enters by the entry-point group `cloudml.providers`",
        )
    try:
        loaded: Plugin[Any] = entry.load() if entry else import_module(OURS[name]).PLUGIN
    except ImportError as error:
        raise ProviderNotFoundError(
            f"provider `{name}` cannot be imported: {error}",
            hint=f"reinstall `{_distribution(name, entry)}`",
        ) from error
    return loaded


def _distribution(name: str, entry: EntryPoint | None) -> str:
    if entry is None:
        return "cloudml-adapters"
    return entry.dist.name if entry.dist else name


def missing_sdk(plugin: Plugin[Any], error: ImportError) -> ProviderNotFoundError:
    """The error for a provider whose SDK is not installed, with the line that installs it."""
    return ProviderNotFoundError(
        f"provider `{plugin.name}` needs `{error.name}`, which is not installed",
        hint=f"pip install 'cloudml-adapters[{plugin.extra}]'",
    )
