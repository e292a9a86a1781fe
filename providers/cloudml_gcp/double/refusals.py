"""What the double refuses, in Google's words.

The words of the contract's own violations follow what users have reported of the service ("List of found errors:").
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    Violations = Sequence[tuple[str, str]]

CODES: Mapping[str, tuple[int, int]] = {
    "CANCELLED": (1, 499),
    "UNKNOWN": (2, 500),
    "INVALID_ARGUMENT": (3, 400),
    "DEADLINE_EXCEEDED": (4, 504),
    "NOT_FOUND": (5, 404),
    "ALREADY_EXISTS": (6, 409),
    "PERMISSION_DENIED": (7, 403),
    "RESOURCE_EXHAUSTED": (8, 429),
    "FAILED_PRECONDITION": (9, 400),
    "ABORTED": (10, 409),
    "OUT_OF_RANGE": (11, 400),
    "UNIMPLEMENTED": (12, 501),
    "INTERNAL": (13, 500),
    "UNAVAILABLE": (14, 503),
    "DATA_LOSS": (15, 500),
    "UNAUTHENTICATED": (16, 401),
}
"""google.rpc.Code -> its number, and the status of HTTP."""


class Refused(Exception):  # noqa: N818  a refusal is an answer
    """An answer that is an error.

    Args:
        code: A name of google.rpc.Code; for Cloud Storage one of its reasons, such as ``conditionNotMet``.
        message: Google's words.
        violations: Field and what is wrong with it.
        status: Of HTTP; that of the code when 0.
    """

    def __init__(self, code: str, message: str, violations: Violations = (), *, status: int = 0) -> None:
        super().__init__(message)
        self.code, self.message, self.violations = code, message, tuple(violations)
        self.status = status or CODES.get(code, (2, 400))[1]

    @property
    def number(self) -> int:
        """The number of google.rpc.Code."""
        return CODES.get(self.code, (2, 500))[0]


def invalid(field: str, text: str) -> Refused:
    """A field that the service would not take."""
    return found([(field, text)])


def found(violations: Violations) -> Refused:
    """Everything that is wrong, in one sentence."""
    listed = "\t".join(
        f"{number}.Field: {field}; Message: {text}" for number, (field, text) in enumerate(violations, 1)
    )
    return Refused("INVALID_ARGUMENT", f"List of found errors:\t{listed}\t", violations)


def missing(name: str) -> Refused:
    kind = name.split("/")[-2].rstrip("s") if "/" in name else "resource"
    return Refused("NOT_FOUND", f"The {kind[:1].upper()}{kind[1:]} {name} is not found.")


def exists(name: str) -> Refused:
    return Refused("ALREADY_EXISTS", f"The resource {name} already exists.")


def precondition(text: str) -> Refused:
    return Refused("FAILED_PRECONDITION", text)


def unanswered(what: str) -> Refused:
    """What the service has and the double has not."""
    return Refused("UNIMPLEMENTED", f"The double does not answer {what}.")
