"""Copies of whole folders made by the store itself: the bytes do not travel."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from cloudml.storage.blobs import duplicate
from cloudml.storage.copies import cut, together
from cloudml.storage.failures import translated
from cloudml.storage.parallel import each
from cloudml.storage.pieces import LARGE_BYTES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cloudml.storage.store import Listed, Storage


def copy_folder(storage: Storage, source: str, target: str) -> Sequence[str]:
    """Copy what lies below *source* to *target*, but for what is there and not older; the paths below *target*."""
    there = {listed.path: listed for listed in storage.list(target)}
    pairs = [(listed, f"{target}{listed.path[len(source) :]}") for listed in storage.list(source)]
    missing = [pair for pair in pairs if not same(pair[0], there.get(pair[1]))]
    large = [pair for pair in missing if pair[0].size > LARGE_BYTES]
    small = [pair for pair in missing if pair[0].size <= LARGE_BYTES]
    size = together(storage.copies, len(small), storage.workers)
    groups = [*cut(large, 1), *cut(small, size)]
    each(lambda group: copy_all(storage, group), groups, workers=storage.workers)
    return [path for _, path in pairs]


def copy_all(storage: Storage, pairs: Sequence[tuple[Listed, str]]) -> None:
    """Copy several objects, by one request where that is more than one."""
    if storage.copies is None or len(pairs) == 1:
        for pair in pairs:
            copy(storage, *pair)
        return
    for refusal in storage.copies.copy([(original.path, target) for original, target in pairs]):
        if refusal is not None:
            raise refusal


def same(original: Listed, found: Listed | None) -> bool:
    """Whether *found* is a copy of *original* that an earlier call made."""
    return found is not None and found.size == original.size and found.modified >= original.modified


def copy(storage: Storage, original: Listed, target: str) -> None:
    """Copy one object over whatever is at *target*."""
    with translated(storage.uri(original.path)):
        if storage.folder:
            (storage.folder / target).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(storage.folder / original.path, storage.folder / target)
        else:
            duplicate(storage, original.path, target, original.size)
