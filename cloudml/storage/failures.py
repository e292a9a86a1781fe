"""What a store's errors mean, as data."""

from __future__ import annotations

import errno
import re
from contextlib import contextmanager
from typing import TYPE_CHECKING

from cloudml.errors import (
    AlreadyExistsError,
    AuthenticationError,
    CloudMLError,
    ConflictError,
    InvalidRequestError,
    NotFoundError,
    PermissionDeniedError,
    ProviderError,
    QuotaExceededError,
    ThrottledError,
    UnavailableError,
)
from cloudml.records import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

SIGN_IN = "sign in to that cloud, or set its credentials in the environment"
GRANT = "grant this identity reading and writing there"
LATER = "try again; what arrived is not sent again"


@dataclass(frozen=True, slots=True)
class Meaning:
    """What is raised for an error of a store.

    Attributes:
        error: The class.
        text: A sentence about ``{url}``; the store's own words follow where it ends with a colon.
    """

    error: type[ProviderError]
    text: str
    hint: str = ""


MISSING = Meaning(NotFoundError, "`{url}` does not exist")
EXISTS = Meaning(AlreadyExistsError, "`{url}` exists already")
DENIED = Meaning(PermissionDeniedError, "`{url}` may not be reached:", GRANT)
UNKNOWN_CALLER = Meaning(AuthenticationError, "`{url}` asks who you are:", SIGN_IN)
CHANGED = Meaning(ConflictError, "`{url}` changed meanwhile", "try again")
THROTTLED = Meaning(ThrottledError, "`{url}` gets too many requests:", LATER)
DOWN = Meaning(UnavailableError, "`{url}` does not answer:", LATER)
FULL = Meaning(QuotaExceededError, "`{url}` has no room left", "free some space, then try again")
WRONG = Meaning(InvalidRequestError, "`{url}` cannot be asked for that:")
UNKNOWN = Meaning(ProviderError, "`{url}`:")

BY_CLASS: Mapping[str, Meaning] = {
    "FileNotFoundError": MISSING,
    "AlreadyExistsError": EXISTS,
    "FileExistsError": EXISTS,
    "PermissionDeniedError": DENIED,
    "PermissionError": DENIED,
    "UnauthenticatedError": UNKNOWN_CALLER,
    "PreconditionError": CHANGED,
    "NotModifiedError": CHANGED,
    "TimeoutError": DOWN,
    "ConnectionError": DOWN,
    "NotSupportedError": WRONG,
    "InvalidPathError": WRONG,
    "UnknownConfigurationKeyError": WRONG,
    "ValueError": WRONG,
}
"""By the name of the error's class or of one that it comes from."""

NO_BUCKET = Meaning(NotFoundError, "`{url}` lies in no bucket that exists", "create it, or correct its name")

BY_WORDS: Mapping[str, Meaning] = {
    "NoSuchBucket": NO_BUCKET,
    "The specified bucket does not exist": NO_BUCKET,
    "ContainerNotFound": NO_BUCKET,
    "<Code>ExpiredToken</Code>": UNKNOWN_CALLER,
    "<Code>InvalidToken</Code>": UNKNOWN_CALLER,
    "<Code>InvalidAccessKeyId</Code>": UNKNOWN_CALLER,
    "<Code>SignatureDoesNotMatch</Code>": UNKNOWN_CALLER,
    "169.254.169.254": UNKNOWN_CALLER,
    "metadata.google.internal": UNKNOWN_CALLER,
    "metadata/computeMetadata": UNKNOWN_CALLER,
    "Account must be specified": Meaning(
        AuthenticationError, "`{url}` names no storage account", "set AZURE_STORAGE_ACCOUNT_NAME, or write abfss://"
    ),
    "Unable to recognise URL": Meaning(
        InvalidRequestError, "`{url}` is no address that cloudml knows", "use a path, s3://, gs://, az:// or https://"
    ),
}

BY_STATUS: Mapping[int, Meaning] = {
    401: UNKNOWN_CALLER,
    403: DENIED,
    404: MISSING,
    408: DOWN,
    409: CHANGED,
    410: MISSING,
    412: CHANGED,
    429: THROTTLED,
    507: FULL,
}
BY_ERRNO: Mapping[int, Meaning] = {
    errno.EPERM: DENIED,
    errno.EACCES: DENIED,
    errno.EROFS: DENIED,
    errno.ENOENT: MISSING,
    errno.EEXIST: EXISTS,
    errno.ENOSPC: FULL,
    errno.EDQUOT: FULL,
}

STATUS = re.compile(r"non-2xx status code: (\d{3})")
ERRNO = re.compile(r"\(os error (\d+)\)")
BROKEN = re.compile(
    r"error sending request|timed out|connection|error decoding|request or response body", re.IGNORECASE
)
SAID = re.compile(r"<(Message|Details)>(.*?)</\1>", re.DOTALL)
"""What S3, Azure and Google say in words in their XML; Google names the permission in the details."""
QUERY = re.compile(r"(\w+://[^\s?#\"']*)[?#][^\s\"',)]*")
LOGIN = re.compile(r"(\w+://)[^/\s@\"']+@(?!.*\.(?:dfs|blob)\.)")

SERVER_ERROR = 500


def public(text: str) -> str:
    """*text* with the queries of its URLs (signatures stand there) and passwords taken out."""
    return LOGIN.sub(r"\1", QUERY.sub(r"\1", text))


def words(text: str) -> str:
    """What a store said: its own words where its XML has some, else the first line of the error's *text*."""
    from html import unescape

    said = dict.fromkeys(unescape(" ".join(found[2].split())) for found in SAID.finditer(text))
    return public(" ".join(said) or text.partition("\n")[0])


def _status(text: str) -> Meaning | None:
    found = STATUS.search(text)
    if not found:
        return None
    code = int(found[1])
    return BY_STATUS.get(code, DOWN if code >= SERVER_ERROR else UNKNOWN)


def meaning(error: BaseException) -> Meaning:
    """What *error* means, by its words, its class, its HTTP status or its errno; the first that says something."""
    text = str(error)
    for words, meant in BY_WORDS.items():
        if words in text:
            return meant
    for kind in type(error).__mro__:
        if kind.__name__ in BY_CLASS:
            return BY_CLASS[kind.__name__]
    if status := _status(text):
        return status
    number = ERRNO.search(text)
    code = int(number[1]) if number else getattr(error, "errno", None)
    return BY_ERRNO.get(code or 0) or (DOWN if BROKEN.search(text) else UNKNOWN)


def failure(error: BaseException, url: str) -> ProviderError:
    """Our error for a store's *error* about *url*."""
    meant = meaning(error)
    message = meant.text.format(url=public(url))
    if message.endswith(":"):
        message = f"{message} {words(str(error))}"
    return meant.error(message, hint=meant.hint, code=type(error).__name__)


@contextmanager
def translated(url: str) -> Iterator[None]:
    """Raise the store's errors about *url* as ours; the cause is chained where it gives no signature away."""
    from obstore.exceptions import BaseError

    try:
        yield
    except CloudMLError:
        raise
    except (BaseError, OSError, ValueError) as error:
        raise failure(error, url) from (error if public(str(error)) == str(error) else None)
