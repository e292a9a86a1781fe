"""This provider's own words: the block `local: {…}` of a job or an endpoint."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cloudml import units
from cloudml.errors import SpecError, UnsupportedError
from cloudml.spelling import nearest

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


def _port(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= 65535:  # noqa: PLR2004  TCP ports
        raise ValueError(f"`{value}` is not a port; write a number from 1 to 65535")
    return value


def _duration(value: Any) -> float:
    if not isinstance(value, str):
        raise ValueError(f"`{value}` is not a duration; write a number and one of s, m, h, d, such as `10s`")  # noqa: TRY004  a wrong value of a file, as the parsers of units raise it
    return units.duration(value).total_seconds()


JOB: Mapping[str, tuple[str, Callable[[Any], Any]]] = {"grace": ("grace_s", _duration)}
"""Word to the key of the native request and how to read it. `grace`: from SIGTERM to SIGKILL."""
ENDPOINT: Mapping[str, tuple[str, Callable[[Any], Any]]] = {"port": ("port", _port)}
"""`port`: the port on 127.0.0.1, a free one otherwise."""


def read(
    path: str, block: Mapping[str, Any], words: Mapping[str, tuple[str, Callable[[Any], Any]]], taken: Mapping[str, Any]
) -> dict[str, Any]:
    """The part of a native request that *block* asks for.

    Args:
        path: Where the block stands, ``jobs.train.local``.
        words: The words that it may use.
        taken: The request as cloudml makes it: what stands there and is no word is not for users to set.

    Raises:
        UnsupportedError: A word that is not known, or that cloudml sets.
        SpecError: A word with a value that it cannot have.
    """
    said: dict[str, Any] = {}
    for word, value in block.items():
        if word not in words:
            raise _unknown(f"{path}.{word}", word, words, set_by_us=word in taken)
        key, reading = words[word]
        try:
            said[key] = reading(value)
        except ValueError as error:
            raise SpecError(f"`{path}.{word}`: {error}", path=f"{path}.{word}") from None
    return said


def _unknown(path: str, word: str, words: Mapping[str, Any], *, set_by_us: bool) -> UnsupportedError:
    known = ", ".join(f"`{one}`" for one in words)
    if set_by_us:
        return UnsupportedError(f"`{path}` is set from the rest of the file", path=path, hint=f"remove `{word}`")
    guess = nearest(word, tuple(words))
    return UnsupportedError(
        f"`{path}` is no word of the local provider; it knows {known}",
        path=path,
        hint=f"did you mean `{guess}`?" if guess else f"remove `{word}`",
    )
