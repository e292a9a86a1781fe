"""Pages of a bucket's objects, as both APIs of Cloud Storage list them."""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from cloudml_gcp.double.refusals import Refused

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from cloudml_gcp.double.objects import Objects, Stored

MOST = 1000


@dataclass(slots=True)
class Page:
    """One page: objects, prefixes that stand for more of them, and where the next begins."""

    objects: list[Stored] = field(default_factory=list)
    prefixes: list[str] = field(default_factory=list)
    following: str = ""


def page(objects: Objects, bucket: str, asked: Mapping[str, str]) -> Page:
    """What a request for a list gets; the words are those of the JSON API.

    Raises:
        Refused: There is no such bucket, or the token is none.
    """
    with objects.lock:
        rows = list(_rows(objects, bucket, asked))
    start, count = _start(asked.get("pageToken", "")), min(int(asked.get("maxResults") or MOST), MOST)
    shown = rows[start : start + count]
    more = start + count < len(rows)
    return Page(
        objects=[one for _, one in shown if one is not None],
        prefixes=[name for name, one in shown if one is None],
        following=base64.urlsafe_b64encode(f"at:{start + count}".encode()).decode() if more else "",
    )


def _start(token: str) -> int:
    if not token:
        return 0
    try:
        return int(base64.urlsafe_b64decode(token).decode().removeprefix("at:"))
    except ValueError:
        raise Refused("invalid", "Invalid argument.", status=400) from None


def _rows(objects: Objects, bucket: str, asked: Mapping[str, str]) -> Iterator[tuple[str, Stored | None]]:
    """Name and object, or a prefix and None."""
    every = asked.get("versions", "").lower() == "true"
    seen: set[str] = set()
    for name, versions in objects.versions(bucket):
        shown = [one for one in versions if every or one.gone is None]
        if not shown or not _wanted(name, asked):
            continue
        if prefix := _prefix(name, asked):
            if prefix not in seen:
                seen.add(prefix)
                yield prefix, None
            continue
        for one in shown:
            yield name, one


def _wanted(name: str, asked: Mapping[str, str]) -> bool:
    end, glob = asked.get("endOffset", ""), asked.get("matchGlob", "")
    return (
        name.startswith(asked.get("prefix", ""))
        and name >= asked.get("startOffset", "")
        and (not end or name < end)
        and (not glob or _glob(glob).fullmatch(name) is not None)
    )


def _prefix(name: str, asked: Mapping[str, str]) -> str:
    """What stands for the name in a list with a delimiter; empty when it stands for itself."""
    prefix, mark = asked.get("prefix", ""), asked.get("delimiter", "")
    if not mark or mark not in name[len(prefix) :]:
        return ""
    if asked.get("includeTrailingDelimiter") == "true" and name.endswith(mark):
        return ""
    return name[: name.index(mark, len(prefix)) + len(mark)]


def _glob(text: str) -> re.Pattern[str]:
    """`*` within a folder, `**` across them, `?`, `[…]`, `{a,b}`."""
    found = re.sub(
        r"\*\*|\*|\?|\[[^\]]*\]|\{[^}]*\}|.",
        lambda part: _GLOBS.get(part[0]) or _class(part[0]),
        text,
        flags=re.DOTALL,
    )
    return re.compile(found, re.DOTALL)


_GLOBS = {"**": ".*", "*": "[^/]*", "?": "[^/]"}


def _class(part: str) -> str:
    if part.startswith("[") and len(part) > 1:
        return part.replace("[!", "[^")
    if part.startswith("{") and len(part) > 1:
        return "(?:" + "|".join(re.escape(one) for one in part[1:-1].split(",")) + ")"
    return re.escape(part)
