"""How long a cloud's services are waited for, and how often they are asked. Time passes by the clients' own sleep."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from cloudml.errors import ProviderError
from cloudml.records import dataclass

if TYPE_CHECKING:
    from collections.abc import Callable

Answer = TypeVar("Answer")
FIRST_S, LONGEST_S = 1.0, 30.0
"""The first pause before a further request, and the longest; each is twice the one before."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long a service is waited for.

    Attributes:
        attempts: So often it is asked while it is throttled or down; quota and refusals are not asked again.
        answer_s: So long each answer may take.
    """

    attempts: int = 8
    answer_s: float = 60.0

    def asked(
        self, send: Callable[[], Answer], again: Callable[[ProviderError], bool], sleep: Callable[[float], None]
    ) -> Answer:
        """What *send* gives, which is called again while *again* is true of its error.

        Raises:
            ProviderError: That of the last attempt; what it says in ``after_s``, in seconds, is waited at least.
        """
        pause = FIRST_S
        for left in reversed(range(self.attempts)):
            try:
                return send()
            except ProviderError as error:
                if not left or not again(error):
                    raise
                wanted = float(getattr(error, "after_s", 0.0))
            sleep(max(pause, wanted))
            pause = min(2 * pause, LONGEST_S)
        raise AssertionError("patience needs an attempt")
