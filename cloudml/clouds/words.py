"""A provider's own words: the block `aws: {…}` of a job or an endpoint, merged last into the native request.

The words are those of the request itself: ``aws: {RetryStrategy: {MaximumRetryAttempts: 2}}``. Whether they are words
of the service, its own contract says before anything is sent.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cloudml.errors import UnsupportedError


def merge(path: str, block: Mapping[str, Any], request: Mapping[str, Any]) -> dict[str, Any]:
    """*request* with what *block* adds, objects inside each other member by member.

    Args:
        path: Where the block stands, ``jobs.train.aws``.
        block: What the user wrote.
        request: As cloudml makes it: what stands there is not for users to set.

    Raises:
        UnsupportedError: A word that cloudml sets.
    """
    merged = dict(request)
    for word, value in block.items():
        place = f"{path}.{word}"
        ours = merged.get(word)
        if isinstance(ours, Mapping) and isinstance(value, Mapping):
            merged[word] = merge(place, value, ours)
        elif word in merged:
            raise UnsupportedError(f"`{place}` is set from the rest of the file", path=place, hint=f"remove `{word}`")
        else:
            merged[word] = value
    return merged


def said(value: Any) -> Any:
    """A request without what was not said: members that are None or hold nothing."""
    if isinstance(value, dict):
        kept = {key: said(inner) for key, inner in value.items()}
        return {key: inner for key, inner in kept.items() if inner not in (None, {}, [])}
    return [said(inner) for inner in value] if isinstance(value, list) else value
