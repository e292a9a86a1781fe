"""Native errors as ours: what stands in a cloud's table, and how it is raised."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from cloudml.records import dataclass

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from cloudml.errors import ProviderError


@dataclass(frozen=True, slots=True)
class Meaning:
    """What is raised, and the advice that goes with it."""

    error: type[ProviderError]
    hint: str = ""


@contextmanager
def translated(operation: str, raised: Callable[[str, Exception], ProviderError | None]) -> Iterator[None]:
    """Turn what a client raises into ours, its cause chained.

    Args:
        operation: What is sent meanwhile.
        raised: Our error for one of the client's; None for every other, which goes on as it is.

    Raises:
        ProviderError: The subclass that the cloud's table names; itself when it names none.
    """
    try:
        yield
    except Exception as error:
        ours = raised(operation, error)
        if ours is None:
            raise
        raise ours from error
