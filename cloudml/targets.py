"""Where to run: targets in the project file, the environment and flags become a provider's settings.

The order, later wins: the provider's defaults, the project file, ``CLOUDML_<PROVIDER>_<SETTING>`` in the environment,
flags. The target itself is `--on`, or ``CLOUDML_TARGET``, or `local`. Each value's origin is kept, for messages.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from cloudml import plugins
from cloudml.errors import SettingsError
from cloudml.records import dataclass
from cloudml.spelling import nearest

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from cloudml.seam import Plugin
    from cloudml.specs import ProjectSpec

LOCAL = "local"
VARIABLE = "CLOUDML_TARGET"


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A provider and its settings.

    Attributes:
        name: As `--on` takes it.
        plugin: The provider.
        settings: Checked, of the plugin's own type.
        origins: Setting to where its value came from.
    """

    name: str
    plugin: Plugin[Any]
    settings: Any
    origins: Mapping[str, str]


def resolve(
    project: ProjectSpec | None, name: str | None = None, *, environ: Mapping[str, str] | None = None, **flags: Any
) -> Target:
    """The target of that name.

    Raises:
        SettingsError: No such target, or its settings are missing or wrong.
        ProviderNotFoundError: Its provider is not installed.
    """
    environ = os.environ if environ is None else environ
    chosen = name or environ.get(VARIABLE) or LOCAL
    provider, written = _written(project, chosen)
    plugin = plugins.plugin(provider)
    values: dict[str, Any] = {}
    origins: dict[str, str] = {}
    for key, value, origin in _said(plugin, chosen, written, environ, flags):
        values[key], origins[key] = value, origin
    return Target(name=chosen, plugin=plugin, settings=_checked(plugin, chosen, values, origins), origins=origins)


def _written(project: ProjectSpec | None, name: str) -> tuple[str, Mapping[str, Any]]:
    targets = project.targets if project else {}
    if name in targets:
        return targets[name].provider, targets[name].settings
    if name == LOCAL:
        return LOCAL, {}
    known = sorted({LOCAL, *targets})
    guess = nearest(name, known)
    raise SettingsError(
        f"no target `{name}`; the project has {', '.join(f'`{one}`' for one in known)}",
        hint=f"did you mean `--on {guess}`?" if guess else "add it under `targets:` in cloudml.yaml",
    )


def _said(
    plugin: Plugin[Any], target: str, written: Mapping[str, Any], environ: Mapping[str, str], flags: Mapping[str, Any]
) -> Iterator[tuple[str, Any, str]]:
    for key, value in written.items():
        yield key, value, f"`targets.{target}.{key}` in the project file"
    for key in plugin.settings.model_fields:
        variable = f"CLOUDML_{plugin.name}_{key}".upper()
        if variable in environ:
            yield key, environ[variable], f"`{variable}` in the environment"
    for key, value in flags.items():
        if value is not None:
            yield key, value, f"the argument `{key}`"


def _checked(plugin: Plugin[Any], target: str, values: Mapping[str, Any], origins: Mapping[str, str]) -> Any:
    from pydantic import ValidationError

    try:
        return plugin.settings(**values)
    except ValidationError as error:
        raise SettingsError(
            f"target `{target}`: " + "; ".join(_problem(one, origins) for one in error.errors()),
            hint=f"{plugin.title} takes {', '.join(f'`{key}`' for key in plugin.settings.model_fields)}",
        ) from None


def _problem(error: Any, origins: Mapping[str, str]) -> str:
    key = ".".join(str(part) for part in error["loc"])
    if error["type"] == "missing":
        return f"`{key}` is missing"
    if error["type"] == "extra_forbidden":
        return f"`{key}` is not a setting ({origins.get(key, 'unknown origin')})"
    return f"`{key}`: {error['msg'].removeprefix('Value error, ')} ({origins.get(key, 'default')})"
