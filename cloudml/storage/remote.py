"""Datasets that lie elsewhere: what their server says of them, without reading them."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from cloudml.clock import EPOCH
from cloudml.errors import NotFoundError, ProviderError, SpecError
from cloudml.storage import patterns
from cloudml.storage.failures import public, translated
from cloudml.storage.locations import Location, address, opened, parsed
from cloudml.storage.manifest import REMOTE, Entry, composed

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from obstore import ObjectMeta
    from obstore.store import ObjectStore


def identity(meta: ObjectMeta) -> str:
    """The digest of a file that was not read: of its size and entity tag, or its time of change where it has no tag."""
    modified = meta["last_modified"]
    seen = meta["e_tag"] or ("" if modified == EPOCH else modified.isoformat())
    return REMOTE + hashlib.sha256(f"{meta['size']} {seen}".encode()).hexdigest()


def entries(url: str) -> Iterator[Entry]:
    """The files that *url* means: one, those below a folder, or those that match a pattern.

    Raises:
        SpecError: None, or a pattern on a web server, which cannot list.
        ProviderError: The server does not answer, or refuses.
    """
    location = parsed(url)
    found = list(_one(location) if location.web else _several(location))
    if not found:
        raise SpecError(f"`{public(url)}` matches no file", hint="check the spelling, and who may list there")
    return iter(found)


def _one(location: Location) -> Iterator[Entry]:
    shown = address(location.root, location.key)
    if not location.key:
        raise SpecError(f"`{shown}` names no file", hint="a web server cannot list a folder: name one file")
    try:
        meta = look(opened(location.root), location.key, shown)
    except NotFoundError:
        raise SpecError(f"`{shown}` does not exist", hint="check the spelling") from None
    yield _entry(location, location.key, location.key, meta)


def look(store: ObjectStore, key: str, shown: str) -> ObjectMeta:
    """What the server says of *key*; asked by GET of one byte where it refuses HEAD, as for signed addresses."""
    import obstore

    try:
        with translated(shown):
            return obstore.head(store, key)
    except ProviderError:  # obstore says "not found" of a server that knows no HEAD
        with translated(shown):
            return obstore.get(store, key, options={"range": (0, 1)}).meta


def _several(location: Location) -> Iterator[Entry]:
    import obstore

    fixed, pattern = patterns.split(location.key)
    fixed = "" if fixed == "." else fixed
    store = opened(location.root)
    shown = address(location.root, fixed)
    if not pattern and fixed:
        try:
            with translated(shown):
                meta = obstore.head(store, fixed)
            yield _entry(location, fixed, fixed.rpartition("/")[2], meta)
            return
        except NotFoundError:
            pass  # a folder, then, as most are
    with translated(shown):
        listed = [meta for page in obstore.list(store, fixed or None) for meta in page]
    yield from _matching(location, fixed, pattern, listed)


def _matching(
    location: Location, fixed: str, pattern: tuple[str, ...], listed: Iterable[ObjectMeta]
) -> Iterator[Entry]:
    named = {meta["path"][len(fixed) :].lstrip("/"): meta for meta in listed}
    folders = {parent for name in named for parent in _parents(name)}
    for name, meta in named.items():
        # The consoles of the clouds mark a folder by an empty object of its name.
        marker = not name or (name in folders and not meta["size"])
        if not marker and patterns.matches(name, pattern):
            yield _entry(location, meta["path"], name, meta)


def _parents(name: str) -> Iterator[str]:
    parts = name.split("/")
    return ("/".join(parts[:end]) for end in range(1, len(parts)))


def _entry(location: Location, key: str, name: str, meta: ObjectMeta) -> Entry:
    return Entry(path=composed(name), size=meta["size"], digest=identity(meta), source=Location(location.root, key).url)
