"""Single modules of the official SDK, without what its packages import: a third of a second instead of three.

A stub stands for a package: it knows the package's folder, so modules below it can be imported. The first name that it
lacks runs the package's own `__init__` in the same module object, so a program that uses the SDK itself sees the SDK.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
import threading
import types
from typing import Any

_LOCK = threading.RLock()


class Stub(types.ModuleType):
    """A package whose `__init__` has not run yet."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        with _LOCK:
            whole = f"{self.__name__}.{name}"
            try:
                return importlib.import_module(whole)
            except ModuleNotFoundError as error:
                if error.name != whole:
                    raise
            return getattr(_whole(self), name)


def _whole(package: types.ModuleType) -> types.ModuleType:
    """Run the package's own `__init__`, once."""
    if isinstance(package, Stub):
        package.__class__ = types.ModuleType  # type: ignore[assignment]  # it is one from now on
        assert package.__spec__ is not None
        assert package.__spec__.loader is not None
        package.__spec__.loader.exec_module(package)
    return package


def stub(name: str) -> None:
    """Put a stub in the place of a package that nobody has imported yet.

    Raises:
        ModuleNotFoundError: It is not installed.
    """
    with _LOCK:
        if name in sys.modules:
            return
        spec = importlib.util.find_spec(name)
        if spec is None or spec.submodule_search_locations is None:
            raise ModuleNotFoundError(name, name=name)
        module = Stub(name)
        module.__spec__, module.__loader__, module.__package__ = spec, spec.loader, name
        module.__path__ = list(spec.submodule_search_locations)
        module.__file__ = spec.origin
        sys.modules[name] = module
        parent, _, leaf = name.rpartition(".")
        if parent in sys.modules:
            setattr(sys.modules[parent], leaf, module)


def module(name: str) -> Any:
    """A module of the SDK, with stubs for the packages above it that it does not need."""
    with _LOCK:
        if name.startswith("google.cloud.aiplatform_"):
            version = name.split(".")[2]
            for package in ("", ".types"):
                stub(f"google.cloud.{version}{package}")
        return importlib.import_module(name)
