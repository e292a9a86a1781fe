"""What the computer says -> our errors, as data."""

from __future__ import annotations

import errno
import sqlite3
from contextlib import contextmanager
from typing import TYPE_CHECKING

from cloudml.errors import (
    AuthenticationError,
    InvalidRequestError,
    NotFoundError,
    PermissionDeniedError,
    ProviderError,
    QuotaExceededError,
    UnavailableError,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

SYSTEM: Mapping[int, tuple[type[ProviderError], str]] = {
    errno.EACCES: (PermissionDeniedError, "give yourself the right to write there, or set `state` of the target"),
    errno.EPERM: (PermissionDeniedError, "give yourself the right to write there, or set `state` of the target"),
    errno.EROFS: (PermissionDeniedError, "set `state` of the target to a folder that can be written"),
    errno.ENOSPC: (QuotaExceededError, "make room on the disk; `cloudml down` removes what a project has here"),
    errno.EDQUOT: (QuotaExceededError, "make room within your quota; `cloudml down` removes what a project has here"),
    errno.EMFILE: (QuotaExceededError, "raise the limit of open files: `ulimit -n 4096`"),
    errno.ENAMETOOLONG: (InvalidRequestError, "use a shorter path for the project's folder"),
    errno.ECONNREFUSED: (UnavailableError, "`cloudml up` starts it again"),
    errno.ECONNRESET: (UnavailableError, "try again"),
}
DATABASE: Mapping[str, tuple[type[ProviderError], str]] = {
    "database is locked": (UnavailableError, "another cloudml holds it for long; try again"),
    "unable to open database file": (PermissionDeniedError, "is the state folder there, and may you write in it?"),
    "attempt to write a readonly database": (PermissionDeniedError, "give yourself the right to write there"),
    "database or disk is full": (QuotaExceededError, "make room on the disk"),
    "database disk image is malformed": (ProviderError, "remove the state folder; `cloudml up` makes it anew"),
    "file is not a database": (ProviderError, "remove the state folder; `cloudml up` makes it anew"),
}
ANSWERS: Mapping[int, tuple[type[ProviderError], str]] = {
    400: (InvalidRequestError, ""),
    401: (AuthenticationError, "the token lies beside the endpoint's log; was the state folder changed by hand?"),
    404: (NotFoundError, ""),
    413: (InvalidRequestError, "send fewer rows at once"),
    415: (InvalidRequestError, "send application/json, application/jsonlines or text/csv"),
    422: (InvalidRequestError, ""),
}
"""HTTP statuses of an endpoint; every other one means that it is not well."""


@contextmanager
def translated(operation: str) -> Iterator[None]:
    """Turn what the system or the database says into ours.

    Raises:
        ProviderError: The subclass that the tables name; itself when they name none.
    """
    try:
        yield
    except sqlite3.Error as error:
        kind, hint = DATABASE.get(str(error), (ProviderError, ""))
        raise kind(
            f"{operation}: the state database says `{error}`", operation=operation, code=type(error).__name__, hint=hint
        ) from error
    except OSError as error:
        kind, hint = SYSTEM.get(error.errno or 0, (ProviderError, ""))
        where = f" `{error.filename}`" if error.filename else ""
        code = errno.errorcode.get(error.errno or 0, type(error).__name__)
        raise kind(
            f"{operation}:{where} {error.strerror or error}", operation=operation, code=code, hint=hint
        ) from error
