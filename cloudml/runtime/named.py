"""Mappings by name, whose errors tell what there is."""

from __future__ import annotations

from difflib import get_close_matches
from typing import Callable, Dict, Mapping, TypeVar

V = TypeVar("V")


class UnknownNameError(KeyError):
    """No such input, output or parameter; the text lists those there are."""

    def __str__(self) -> str:
        return str(self.args[0])


class Named(Dict[str, V]):
    """A dict of one kind of thing."""

    def __init__(self, kind: str, content: Mapping[str, V]) -> None:
        super().__init__(content)
        self._kind = kind

    def __missing__(self, name: str) -> V:
        raise UnknownNameError(unknown(self._kind, name, self))


class Growing(Named[V]):
    """A dict that makes what it has not got."""

    def __init__(self, kind: str, make: Callable[[str], V]) -> None:
        super().__init__(kind, {})
        self._make = make

    def __missing__(self, name: str) -> V:
        return self.setdefault(name, self._make(name))


def unknown(kind: str, name: str, names: Mapping[str, object]) -> str:
    """The sentence for a *name* that is not among *names*."""
    near = get_close_matches(str(name), names, 1)
    guess = f" (did you mean `{near[0]}`?)" if near else ""
    there = ", ".join(f"`{known}`" for known in names) or "none"
    return f"this job has no {kind} `{name}`{guess}; it has: {there}"
