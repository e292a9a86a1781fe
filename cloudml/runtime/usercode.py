"""Importing the user's file as it would be imported beside its own modules."""

from __future__ import annotations

import importlib.util
import inspect
import os
import sys
from typing import TYPE_CHECKING, Any, Callable, List, Sequence

from cloudml.runtime.refusal import ModelError

if TYPE_CHECKING:
    from pathlib import Path
    from types import ModuleType

_folders: List[str] = []
"""Where the modules of models loaded before came from."""


def load(path: Path, folders: Sequence[Path]) -> ModuleType:
    """The module in a file, under its own name, with *folders* first on ``sys.path``.

    Modules of a model that this process has loaded before are forgotten: two models may each have a `features.py`.

    Raises:
        ModelError: There is no such file.
    """
    _forget()
    wanted = [str(folder) for folder in dict.fromkeys([path.parent, *folders])]
    sys.path[:0] = wanted
    _folders.extend(wanted)
    importlib.invalidate_caches()
    spec = importlib.util.spec_from_file_location(path.stem, str(path))
    if spec is None or spec.loader is None:
        raise ModelError(f"{path.name} is no Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[path.stem]
        raise
    return module


def public(module: ModuleType, names: Sequence[str]) -> List[str]:
    """Those of *names* that are functions of the module."""
    return [name for name in names if callable(getattr(module, name, None))]


def accepts(function: Callable[..., Any], name: str) -> bool:
    """Whether the function has a parameter of that name."""
    return name in inspect.signature(function).parameters


def positional(function: Callable[..., Any]) -> int:
    """How many arguments the function takes by position."""
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return sum(parameter.kind in kinds for parameter in inspect.signature(function).parameters.values())


def _forget() -> None:
    for name, module in list(sys.modules.items()):
        file = getattr(module, "__file__", None)
        if file and any(file.startswith(folder + os.sep) for folder in _folders):
            del sys.modules[name]
    sys.path[:] = [entry for entry in sys.path if entry not in _folders]
    _folders.clear()
