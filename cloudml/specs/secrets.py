"""Secrets that were written into a project file: found by the names of keys and the look of values, never shown."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from cloudml.specs.document import Problem

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cloudml.specs.document import Path

HINT = "remove it, and change it where it was issued; sign in by the environment or the provider's own sign-in"

_KEY = re.compile(
    r"(^|_)(password|passwd|pwd|passphrase|secret|token|credentials?|private_key|access_key(_id)?|secret_key|"
    r"account_key|storage_key|shared_key|api_?key|service_account_key|connection_string|sas(_url)?)$|^key$"
)
_VALUE = re.compile(
    r"\b(AKIA|ASIA)[0-9A-Z]{16}\b"  # an AWS access key
    r"|-----BEGIN [A-Z ]*PRIVATE KEY"
    r"|\b(AccountKey|SharedAccessKey|SharedAccessSignature)="  # an Azure connection string
    r"|[?&]sig=[A-Za-z0-9%+/]{20}"  # an Azure shared access signature
    r"|X-Amz-Signature=|X-Goog-Signature="  # a presigned address
    r"|\bAIza[0-9A-Za-z_-]{35}"  # a Google API key
    r"|\bya29\.[0-9A-Za-z_-]{20}"  # a Google access token
    r"|\bgh[pousr]_[0-9A-Za-z]{36}"
    r"|\beyJ[0-9A-Za-z_-]{10,}\.eyJ[0-9A-Za-z_-]{10,}\."  # a signed token
    r"|//[^/\s:@]+:[^/\s:@]+@"  # a password in an address
)


def secrets(value: Any, path: Path = ()) -> Iterator[Problem]:
    """Every secret in a file; by the look of values everywhere, by the names of keys in targets."""
    if isinstance(value, dict):
        for key, inner in value.items():
            if path[:1] == ("targets",) and len(path) > 1 and inner and _KEY.search(key.lower().replace("-", "_")):
                yield Problem((*path, key), "a secret must not stand in the file", HINT, at="key")
            else:
                yield from secrets(inner, (*path, key))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from secrets(inner, (*path, index))
    elif isinstance(value, str) and _VALUE.search(value):
        yield Problem(path, "this value looks like a secret", HINT)
