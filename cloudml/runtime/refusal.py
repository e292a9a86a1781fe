"""What a caller is told when a request cannot be answered as it stands.

A predictor may raise `BadRequest` too: the caller gets its words, and its row and field.
"""

from __future__ import annotations

from typing import Any, Dict, Optional


class BadRequest(ValueError):  # noqa: N818  named for the HTTP status that it becomes
    """The request is wrong, and the caller can put it right.

    Attributes:
        message: What is wrong, for the caller's eyes.
        row: The instance at fault, counted from 0; None when it is not about one.
        field: The field, column or tensor at fault.
    """

    status = 400

    def __init__(self, message: str, *, row: Optional[int] = None, field: Optional[str] = None) -> None:
        super().__init__(message)
        self.message = message
        self.row = row
        self.field = field

    def __str__(self) -> str:
        return self.message if self.row is None else f"row {self.row}: {self.message}"

    def facts(self) -> Dict[str, Any]:
        """The row and field, where they are known."""
        return {key: value for key, value in (("row", self.row), ("field", self.field)) if value is not None}


class UnknownContentType(BadRequest):
    """The body is of a kind that nobody here reads."""

    status = 415


class NotAcceptable(BadRequest):
    """The answer cannot be written in a way that the caller accepts."""

    status = 406


class ModelError(Exception):
    """The model's folder or code cannot be used; the text says what was found, and what to do."""
