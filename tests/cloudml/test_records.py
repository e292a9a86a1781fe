"""Data classes compiled late are held against those of the standard library: the same bodies, the same answers."""

from __future__ import annotations

import copy
import dataclasses
import inspect
import pickle
from dataclasses import FrozenInstanceError, asdict, astuple, field, fields, is_dataclass, replace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cloudml import records

if TYPE_CHECKING:
    from collections.abc import Callable

OPTIONS: list[dict[str, bool]] = [
    {},
    {"slots": True},
    {"frozen": True},
    {"frozen": True, "slots": True},
    {"frozen": True, "slots": True, "kw_only": True},
    {"slots": True, "kw_only": True},
    {"slots": True, "eq": False},
    {"frozen": True, "slots": True, "order": True},
]
DECORATORS: dict[str, Any] = {"theirs": dataclasses.dataclass, "ours": records.dataclass}
MADE: dict[str, Any] = {}
"""Each class by its name, so that pickle finds it."""


def body(dataclass: Any, options: dict[str, bool], name: str) -> Any:
    class Point:
        """A place."""

        x: int
        y: float = 0.5
        tags: list[str] = field(default_factory=list)
        seen: int = field(default=0, compare=False)
        hidden: str = field(default="", repr=False, hash=False)

        def __post_init__(self) -> None:
            if self.x == 13:
                raise ValueError("thirteen")

    Point.__qualname__ = name
    made = dataclass(**options)(Point)
    globals()[name] = made
    return made


PAIRS = [
    tuple(body(decorator, options, f"Point{number}{whose}") for whose, decorator in DECORATORS.items())
    for number, options in enumerate(OPTIONS)
]
pairs = pytest.mark.parametrize(("theirs", "ours"), PAIRS, ids=[" ".join(options) or "plain" for options in OPTIONS])
VALUES = st.fixed_dictionaries(
    {"x": st.integers(0, 3)},
    optional={"y": st.sampled_from([0.0, 1.0, float("nan")]), "seen": st.integers(0, 1), "hidden": st.text(max_size=1)},
)


def outcome(do: Callable[[], Any], name: str) -> Any:
    """What *do* gives, or the error that it raises, without the name of the class."""
    try:
        return do()
    except Exception as error:  # noqa: BLE001  whatever it is, both must raise it
        return type(error), str(error).replace(name, "")


def same(theirs: Any, ours: Any, do: Callable[[Any], Any]) -> Any:
    found = outcome(lambda: do(ours), ours.__qualname__)
    assert found == outcome(lambda: do(theirs), theirs.__qualname__)
    return found


@pairs
@settings(max_examples=20)
@given(first=VALUES, second=VALUES)
def test_objects_look_compare_and_hash_alike(
    theirs: Any, ours: Any, first: dict[str, Any], second: dict[str, Any]
) -> None:
    same(theirs, ours, lambda kind: repr(kind(**first)).removeprefix(kind.__qualname__))
    same(theirs, ours, lambda kind: (kind(**first) == kind(**second), kind(**first) != kind(**second)))
    same(theirs, ours, lambda kind: (kind(**first) < kind(**second), kind(**first) >= kind(**second)))
    same(theirs, ours, lambda kind: kind.__hash__ is None or kind.__hash__ is object.__hash__)
    same(theirs, ours, lambda kind: astuple(replace(kind(**first), **second)) == astuple(kind(**{**first, **second})))
    same(theirs, ours, lambda kind: str(asdict(kind(**first))))


@pairs
@pytest.mark.parametrize(
    ("positional", "named"),
    [((), {}), ((1,), {}), ((1, 2, [], 0, "", 6), {}), ((), {"x": 1, "z": 2}), ((1,), {"x": 1}), ((), {"x": 13})],
)
def test_a_constructor_takes_and_refuses_the_same(theirs: Any, ours: Any, positional: Any, named: Any) -> None:
    same(theirs, ours, lambda kind: astuple(kind(*positional, **named)))


@pairs
def test_the_class_tells_the_same_of_itself(theirs: Any, ours: Any) -> None:
    assert is_dataclass(ours)
    same(theirs, ours, lambda kind: str(fields(kind)))
    same(theirs, ours, lambda kind: kind.__match_args__)
    same(theirs, ours, lambda kind: [*inspect.signature(kind).parameters])
    same(theirs, ours, lambda kind: getattr(kind, "__slots__", None))
    same(theirs, ours, lambda kind: kind.__init__.__qualname__.replace(kind.__qualname__, ""))
    same(theirs, ours, lambda kind: kind.__init__.__annotations__)


@pairs
def test_an_object_is_changed_or_refuses_to_be_alike(theirs: Any, ours: Any) -> None:
    def changed(kind: Any, name: str) -> Any:
        one = kind(x=1)
        setattr(one, name, 2)
        return getattr(one, name)

    def deleted(kind: Any) -> Any:
        one = kind(x=1)
        del one.x
        return hasattr(one, "x")

    same(theirs, ours, lambda kind: changed(kind, "x"))
    if not hasattr(theirs, "__slots__"):
        same(theirs, ours, lambda kind: changed(kind, "w"))
    same(theirs, ours, deleted)


@pairs
def test_objects_are_copied_and_pickled_alike(theirs: Any, ours: Any) -> None:
    for kind in (theirs, ours):
        one = kind(x=1, tags=["a"])
        assert astuple(pickle.loads(pickle.dumps(one))) == astuple(copy.deepcopy(one)) == astuple(one)


@pairs
def test_what_a_factory_makes_belongs_to_one_object(theirs: Any, ours: Any) -> None:
    del theirs
    assert ours(x=1).tags is not ours(x=1).tags


@pairs
def test_hashes_are_those_of_the_fields_that_count(theirs: Any, ours: Any) -> None:
    if theirs.__eq__ is not object.__eq__:
        same(theirs, ours, lambda kind: hash(kind(x=1, tags=(), seen=1, hidden="a")))


def test_what_is_written_in_the_class_stays() -> None:
    @records.dataclass(frozen=True)
    class Own:  # noqa: PLW1641  its hash is what is asked about
        x: int

        def __repr__(self) -> str:
            return "own"

        def __eq__(self, other: object) -> bool:
            return True

    @records.dataclass(frozen=True)
    class Hashed(Own):
        def __hash__(self) -> int:
            return 7

    assert repr(Own(1)) == "own"
    assert Own(1) == 2
    assert hash(Own(1)) == hash((1,))
    assert hash(Hashed(1)) == 7


def test_a_data_class_of_either_kind_may_derive_from_ours() -> None:
    @records.dataclass(frozen=True, slots=True, kw_only=True)
    class Base:
        x: int = 1

    @records.dataclass(frozen=True, slots=True, kw_only=True)
    class Ours(Base):
        y: int

    @dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
    class Theirs(Base):
        y: int

    class Plain(Base):
        def __init__(self) -> None:
            super().__init__(x=5)
            self.own = 6

    assert (Ours(y=2).x, Theirs(y=2).x, Plain().x, Plain().own) == (1, 1, 5, 6)
    assert Ours(y=2) == Ours(y=2) != Base()
    for one in (Ours(y=2), Theirs(y=2), Plain()):
        with pytest.raises(FrozenInstanceError, match="cannot assign to field 'x'"):
            one.x = 3  # type: ignore[misc]


def test_a_constructor_is_compiled_when_it_is_first_needed() -> None:
    @records.dataclass(slots=True)
    class Point:
        x: int

    assert not inspect.isfunction(vars(Point)["__init__"])
    assert Point(1).x == 1
    assert inspect.isfunction(vars(Point)["__init__"])


@pytest.mark.parametrize("decorator", DECORATORS.values(), ids=[*DECORATORS])
def test_the_decorator_is_used_without_parentheses_too(decorator: Any) -> None:
    @decorator
    class Place:
        x: int = 1

    assert (Place(), repr(Place(2)), is_dataclass(Place)) == (Place(1), f"{Place.__qualname__}(x=2)", True)
