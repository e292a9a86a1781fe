"""Arrow without pandas."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

PANDAS = "pandas"


class _Absent:
    """Says of pandas that there is none, before anybody else is asked."""

    def find_spec(self, fullname: str, *_: object) -> None:
        if fullname == PANDAS:
            raise ModuleNotFoundError(f"No module named {PANDAS!r}", name=PANDAS)


@contextmanager
def without_pandas() -> Iterator[None]:
    """Let pyarrow find no pandas within, unless it is loaded already.

    pyarrow looks for it once, when it first makes an array, to see whether it was handed a series: where pandas is
    installed it takes a second to import. What it found then it never looks for again, so only a process that hands it
    no series, now or later, may enter this: one of our own, that runs no code of its user's.
    """
    absent = _Absent()
    sys.meta_path.insert(0, absent)
    try:
        yield
    finally:
        sys.meta_path.remove(absent)
