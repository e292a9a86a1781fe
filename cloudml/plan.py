"""Native requests as values. What is shown is what is sent: the same pure functions make both."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cloudml.capabilities import Level
from cloudml.records import dataclass

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Call:
    """One native request, ready to send and safe to print; a secret stands in it as a reference.

    Attributes:
        operation: Service and operation: ``sagemaker:CreateTrainingJob``.
        body: The request, in the provider's own words.
    """

    operation: str
    body: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Note:
    """What became of a field that is not sent as it stands.

    Attributes:
        path: The field, ``jobs.train.spot``.
        text: What happens instead, or what it was translated to.
        level: Emulated, or native where the provider has a near equivalent.
    """

    path: str
    text: str
    level: Level = Level.EMULATED


@dataclass(frozen=True, slots=True)
class Plan:
    """The native calls that bring one resource into being, in order, and what the user should know of them."""

    calls: tuple[Call, ...]
    notes: tuple[Note, ...] = ()
