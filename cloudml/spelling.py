"""The nearest correct spelling of a word."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


def nearest(word: str, words: Iterable[str]) -> str:
    """The most similar of *words*, or "" when none is near."""
    close = get_close_matches(word.lower(), {one.lower(): one for one in words}, n=1, cutoff=0.6)
    return next((one for one in words if close and one.lower() == close[0]), "")
