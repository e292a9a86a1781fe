"""Data classes of which nothing is compiled before it is used.

``dataclass`` of the standard library writes and compiles half a dozen methods for each class, a millisecond's work,
when its module is imported; a command loads a hundred such classes, and makes objects of a third of them. Here the
library finds the fields and makes the slots. Methods that need no code of their own are shared by all classes, and a
constructor is compiled when its class is first called. The rest is as there: ``fields``, ``replace``, patterns, copies.

Not for what needs ``InitVar`` or ``field(init=False)``: there the standard library's own does.
"""

from __future__ import annotations

import operator
from dataclasses import MISSING, FrozenInstanceError, fields
from functools import cache
from reprlib import recursive_repr
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from dataclasses import Field, dataclass
else:
    import dataclasses

    def dataclass(
        kind: type | None = None,
        /,
        *,
        frozen: bool = False,
        slots: bool = False,
        kw_only: bool = False,
        eq: bool = True,
        order: bool = False,
    ) -> Any:
        """As the standard library's, with fewer options."""

        def made(kind: type) -> type:
            own = dict(vars(kind))
            derived = any(map(dataclasses.is_dataclass, kind.__bases__))  # must be frozen as its bases are, or not
            options = {"frozen": frozen and derived, "slots": slots, "kw_only": kw_only}
            record = dataclasses.dataclass(init=False, repr=False, eq=False, **options)(kind)
            record.__dataclass_params__.frozen = frozen
            methods = {
                "__init__": _Constructor(record, frozen=frozen),
                "__repr__": _repr,
                **(EQUAL if eq else {}),
                **({"__hash__": _hash if frozen else None} if eq else {}),
                **(ORDERED if order else {}),
                **(FROZEN if frozen else {}),
                **(COPIED if frozen and slots else {}),
            }
            for name, method in methods.items():
                if name not in own or _implied(name, own):
                    setattr(record, name, method)
            return record

        return made if kind is None else made(kind)


__all__ = ["dataclass"]


def _implied(name: str, own: dict[str, Any]) -> bool:
    """Whether Python put this there by itself: a class with `__eq__` alone has no hash."""
    return name == "__hash__" and own[name] is None and "__eq__" in own


@cache
def _values(names: tuple[str, ...]) -> Callable[[Any], tuple[Any, ...]]:
    """Gives the values of those attributes."""
    if len(names) > 1:
        return operator.attrgetter(*names)
    return lambda record: tuple(getattr(record, name) for name in names)


@cache
def _compared(kind: Any) -> Callable[[Any], tuple[Any, ...]]:
    return _values(tuple(one.name for one in fields(kind) if one.compare))


@cache
def _hashed(kind: Any) -> Callable[[Any], tuple[Any, ...]]:
    return _values(tuple(one.name for one in fields(kind) if (one.compare if one.hash is None else one.hash)))


@recursive_repr()
def _repr(self: Any) -> str:
    shown = ", ".join(f"{one.name}={getattr(self, one.name)!r}" for one in fields(self) if one.repr)
    return f"{self.__class__.__qualname__}({shown})"


def _comparison(compare: Callable[[Any, Any], bool]) -> Callable[[Any, Any], Any]:
    def compared(self: Any, other: Any) -> Any:
        if other.__class__ is not self.__class__:
            return NotImplemented
        values = _compared(self.__class__)
        return compare(values(self), values(other))

    return compared


def _hash(self: Any) -> int:
    return hash(_hashed(self.__class__)(self))


def _refuse_set(self: Any, name: str, value: Any) -> None:
    if _frozen(type(self), name):
        raise FrozenInstanceError(f"cannot assign to field {name!r}")
    object.__setattr__(self, name, value)


def _refuse_delete(self: Any, name: str) -> None:
    if _frozen(type(self), name):
        raise FrozenInstanceError(f"cannot delete field {name!r}")
    object.__delattr__(self, name)


def _frozen(kind: Any, name: str) -> bool:
    """Whether this may not change: every attribute of a data class, and the fields of what derives from one."""
    return "__dataclass_fields__" in vars(kind) or name in kind.__dataclass_fields__


def _state(self: Any) -> list[Any]:
    return [getattr(self, one.name) for one in fields(self)]


def _set_state(self: Any, state: Sequence[Any]) -> None:
    for one, value in zip(fields(self), state, strict=True):
        object.__setattr__(self, one.name, value)


EQUAL = {"__eq__": _comparison(operator.eq)}
ORDERED = {f"__{name}__": _comparison(getattr(operator, name)) for name in ("lt", "le", "gt", "ge")}
FROZEN = {"__setattr__": _refuse_set, "__delattr__": _refuse_delete}
COPIED = {"__getstate__": _state, "__setstate__": _set_state}


class _Constructor:
    """Stands for `__init__` until it is first looked up, which is when the class is first called."""

    def __init__(self, record: Any, *, frozen: bool) -> None:
        self._record, self._frozen = record, frozen

    def __get__(self, instance: Any, kind: type | None = None) -> Any:
        made = _constructor(self._record, frozen=self._frozen)
        self._record.__init__ = made
        return made.__get__(instance, kind)


def _constructor(record: Any, *, frozen: bool) -> Any:
    """``__init__`` for the fields of a class."""
    positional = [one for one in fields(record) if not one.kw_only]
    named = [one for one in fields(record) if one.kw_only]
    names: dict[str, Any] = {"_set": object.__setattr__, "_unset": MISSING}
    for one in (*positional, *named):
        names |= {f"_default_{one.name}": one.default, f"_make_{one.name}": one.default_factory}
    taken = [*map(_parameter, positional), *(["*", *map(_parameter, named)] if named else [])]
    lines = [_assignment(one, frozen=frozen) for one in (*positional, *named)]
    if hasattr(record, "__post_init__"):
        lines.append("self.__post_init__()")
    body = "".join(f"\n {line}" for line in lines or ["pass"])
    exec(f"def __init__({', '.join(('self', *taken))}):{body}", names)  # noqa: S102  as the standard library does it
    made = names["__init__"]
    made.__qualname__ = f"{record.__qualname__}.__init__"
    made.__module__ = record.__module__
    made.__annotations__ = {**{one.name: one.type for one in (*positional, *named)}, "return": None}
    return made


def _parameter(one: Field[Any]) -> str:
    if one.default is not MISSING:
        return f"{one.name}=_default_{one.name}"
    return one.name if one.default_factory is MISSING else f"{one.name}=_unset"


def _assignment(one: Field[Any], *, frozen: bool) -> str:
    made = f"_make_{one.name}() if {one.name} is _unset else {one.name}"
    value = one.name if one.default_factory is MISSING else made
    return f"_set(self, {one.name!r}, {value})" if frozen else f"self.{one.name} = {value}"
