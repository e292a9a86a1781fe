"""Choosing among the versions of a framework's prebuilt images. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cloudml.capabilities import Level
from cloudml.plan import Note

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from cloudml.specs import FrameworkSpec


def plain(version: str) -> str:
    """The framework's own version in one of a cloud's: ``1.4`` of ``1.4-2-py312``."""
    return version.partition("-")[0]


def number(version: str) -> tuple[int, ...]:
    """A version that sorts: ``(1, 10)`` of ``1.10``."""
    return tuple(int(part) for part in plain(version).split("."))


def ordered(known: Iterable[str]) -> tuple[str, ...]:
    """Versions, the oldest first."""
    return tuple(sorted(known, key=lambda one: (number(one), one)))


def covers(known: str, asked: str) -> bool:
    """Whether one of the two is the other, as far as the shorter one says: ``1.5`` and ``1.5.2``."""
    return f"{known}.".startswith(f"{asked}.") or f"{asked}.".startswith(f"{known}.")


def nearest(asked: str, known: Iterable[str], same: Callable[[str, str], bool] = covers) -> str:
    """Of the *known* versions the newest that is *asked*; else the first that is newer; else the newest of all.

    Args:
        asked: The version that is wanted.
        known: Those that there are.
        same: Whether a known version is the one that is asked for.
    """
    versions = ordered(known)
    exact = [one for one in versions if same(one, asked)]
    newer = [one for one in versions if number(one) > number(asked)]
    return exact[-1] if exact else newer[0] if newer else versions[-1]


def note(
    path: str,
    framework: FrameworkSpec | None,
    shown: str,
    chosen: str,
    same: Callable[[str, str], bool] = covers,
) -> Note:
    """How a framework was matched.

    Args:
        path: What has the framework, ``jobs.train``.
        framework: What was asked for; None where nothing was.
        shown: The image, in words.
        chosen: Its version.
        same: As for `nearest`.
    """
    if framework is None:
        text = f"none was asked: {shown}, in which any Python runs"
    elif same(chosen, framework.version):
        text = shown
    else:
        text = f"{shown}, the nearest to {framework.version}, which it does not have"
    return Note(f"{path}.framework", text, Level.NATIVE)
