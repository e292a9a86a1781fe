"""What the double refuses, in Azure's words: for resource management, its data planes, and storage."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping


class Refused(Exception):  # noqa: N818  a refusal is an answer
    """An answer that is an error.

    Args:
        code: Azure's error code.
        message: Azure's words.
        status: Of HTTP.
        headers: Further headers of the answer, such as Retry-After.
        facts: Further members of the error.
    """

    def __init__(
        self, code: str, message: str, status: int = 400, headers: Mapping[str, str] | None = None, **facts: Any
    ) -> None:
        super().__init__(message)
        self.code, self.message, self.status = code, message, status
        self.headers, self.facts = dict(headers or {}), facts


def user_error(message: str, status: int = 400) -> Refused:
    """What the machine learning service calls a mistake of its caller."""
    return Refused("UserError", message, status)


def bad_argument(message: str) -> Refused:
    return Refused("BadArgument", message)


def invalid(problems: list[str]) -> Refused:
    """A body that the contract does not allow; each problem begins with where it stands."""
    details = [
        {"code": "InvalidPropertyValue", "message": problem, "target": problem.split("`")[1]} for problem in problems
    ]
    return Refused("ValidationError", f"The request is invalid. {' '.join(problems)}", details=details)


def not_found(kind: str, name: str, group: str) -> Refused:
    """There is no such tracked resource."""
    return Refused(
        "ResourceNotFound",
        f"The Resource '{kind}/{name}' under resource group '{group}' was not found. For more details please go to "
        "https://aka.ms/ARMResourceNotFoundFix",
        404,
    )


def conflict(message: str) -> Refused:
    return Refused("Conflict", message, 409)
