"""What the double refuses, in AWS's words."""

from __future__ import annotations

from typing import Any


class Refused(Exception):  # noqa: N818  a refusal is an answer
    """An answer that is an error.

    Args:
        code: As in the service model, or as AWS answers beside it.
        message: AWS's words.
        status: Of HTTP.
        facts: Further members of the answer.
    """

    def __init__(self, code: str, message: str, status: int = 400, **facts: Any) -> None:
        super().__init__(message)
        self.code, self.message, self.status, self.facts = code, message, status, facts


def invalid(message: str) -> Refused:
    return Refused("ValidationException", message)


def in_use(message: str) -> Refused:
    return Refused("ResourceInUse", message)


def not_found(message: str) -> Refused:
    return Refused("ResourceNotFound", message)
