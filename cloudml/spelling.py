"""The nearest correct spelling of a word."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

LONGEST = 200
"""Longer words are no misspellings, and comparing them takes quadratic time."""
MOST = 500
"""So many words are compared."""

ALIKE, SLIP = 0.6, 0.85
"""How alike two words must be for one to be meant, and to be nothing but a slip; of 1."""


def nearest(word: str, words: Iterable[str], *, alike: float = ALIKE) -> str:
    """The word of *words* that *word* was most likely meant to be; empty when none is close.

    Case, `-` and `_` do not count, so ``maxIter`` and ``max-iter`` find ``max_iter``.
    """
    if len(word) > LONGEST:
        return ""
    from difflib import get_close_matches

    spellings = {_plain(known): known for known in islice(words, MOST)}
    found = get_close_matches(_plain(word), spellings, n=1, cutoff=alike)
    return spellings[found[0]] if found else ""


def did_you_mean(word: str, words: Iterable[str], *, alike: float = ALIKE) -> str:
    """A hint with the nearest word; empty when none is close."""
    found = nearest(word, words, alike=alike)
    return f"did you mean `{found}`?" if found else ""


def listed(words: Iterable[str], *, most: int = 20) -> str:
    """``a, b and c`` as ``a, b, c``; `none` when there are none, and the number of those left out beyond *most*."""
    known = list(words)
    left_out = f" and {len(known) - most} more" if len(known) > most else ""
    return ", ".join(known[:most]) + left_out if known else "none"


def _plain(word: str) -> str:
    return word.lower().replace("-", "").replace("_", "")
