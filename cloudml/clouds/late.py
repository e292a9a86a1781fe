"""Modules that are loaded when somebody first asks one for something, and not when it is imported.

The vendors' libraries import everything for every way to sign in, of which a command needs one; what only checks
certificates and signs with keys takes as long to load as all the rest of theirs. `importlib.util.LazyLoader` does the
same, but in the first releases of Python 3.11 and 3.12 two threads that ask at once may see half of a module (CPython
issue 114763).
"""

from __future__ import annotations

import sys
import threading
from contextlib import contextmanager
from importlib.machinery import PathFinder
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from importlib.machinery import ModuleSpec

KNOWN = frozenset({
    "__cached__", "__class__", "__file__", "__loader__", "__name__", "__package__", "__path__", "__spec__",
})  # fmt: skip
"""What import itself asks of a module; it needs no loading."""
REQUESTS = (
    "charset_normalizer.api:from_bytes",
    "charset_normalizer.api:from_fp",
    "charset_normalizer.api:from_path",
    "charset_normalizer.api:is_binary",
    "idna",
    "zipfile",
)
"""What requests imports, and only a text in no known encoding, a host in no ASCII and a zipped certificate need."""
_LOADING: dict[str, threading.RLock] = {}
"""Held while a module is loaded late: other threads see all of it or wait, and its own code may ask it for things.

Each module has one of its own, as with import: threads can only wait for each other where modules import in a circle.
"""


_CALLED: dict[str, frozenset[str]] = {}
"""Of a module that is not loaded, the functions that can be taken from it without."""


class _Late(ModuleType):
    """A module that is not loaded yet."""

    def __getattribute__(self, name: str) -> Any:
        if name in _CALLED.get(ModuleType.__getattribute__(self, "__name__"), ()):
            return _function(self, name)
        if name not in KNOWN:
            _load(self)
        return ModuleType.__getattribute__(self, name)


class _Loading(ModuleType):
    """A module that some thread is loading; the others wait for it."""

    def __getattribute__(self, name: str) -> Any:
        if name in KNOWN:
            return ModuleType.__getattribute__(self, name)
        with _LOADING[ModuleType.__getattribute__(self, "__name__")]:
            return ModuleType.__getattribute__(self, name)


def _function(module: ModuleType, name: str) -> Callable[..., Any]:
    """Loads the module when it is called, and calls the function of that name."""

    def called(*arguments: Any, **named: Any) -> Any:
        _load(module)
        return getattr(module, name)(*arguments, **named)

    return called


def _load(module: Any) -> None:
    with _LOADING[module.__name__]:
        loaded = type(module) is not _Late  # by another thread, meanwhile
        if loaded:
            return
        module.__class__ = _Loading
        try:
            module.__loader__.exec_module(module)
        except BaseException:
            module.__class__ = _Late  # asked again, it fails again
            raise
        module.__class__ = ModuleType


class _Putting:
    """Makes a module, and leaves its code for later."""

    def __init__(self, loader: Any) -> None:
        self._loader = loader

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        _LOADING.setdefault(spec.name, threading.RLock())
        return _Late(spec.name)

    def exec_module(self, module: ModuleType) -> None:
        """Let the module have its own loader, as if it were loaded."""
        assert module.__spec__ is not None
        module.__spec__.loader = module.__loader__ = self._loader


class _Finder:
    """Finds modules of some names before anybody else does. `importlib.abc` takes as long to load as one of them."""

    def __init__(self, names: frozenset[str]) -> None:
        self._names = names

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        found = PathFinder.find_spec(fullname, path, target) if fullname in self._names else None
        if found is not None and found.loader is not None:
            found.loader = _Putting(found.loader)  # type: ignore[assignment]  # it has what import asks of a loader
        return found


@contextmanager
def late(*names: str) -> Iterator[None]:
    """Import within; the modules of those full names are loaded when an attribute of theirs is first needed.

    One that is loaded already stays so. ``from module import name`` needs an attribute; ``from package import module``
    does not need one of that module. Of ``module:function`` the function can be imported as well, and loads its module
    when it is called.
    """
    modules = {name.partition(":")[0] for name in names}
    for module in modules:
        _CALLED[module] = frozenset(name.partition(":")[2] for name in names if name.startswith(f"{module}:"))
    finder: Any = _Finder(frozenset(modules))
    sys.meta_path.insert(0, finder)
    try:
        yield
    finally:
        sys.meta_path.remove(finder)
