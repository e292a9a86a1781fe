"""A content that is sent in parts although it is small, for those who look at the requests alone."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from cloudml.storage import blobs, pieces, scan

if TYPE_CHECKING:
    from pathlib import Path

    from cloudml.storage import Storage

LATER = timedelta(hours=-1)
"""A grace after which all that has begun by now is old."""


def sent_in_parts(storage: Storage, folder: Path) -> None:
    """Go on with an upload that was begun, and sweep another one."""
    (folder / "large.bin").write_bytes(b"large")
    assert storage.uploads is not None
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pieces, "LARGE_BYTES", 0)
        manifest = scan("large.bin", folder)
        storage.uploads.begin(blobs.blob(manifest.entries[0].digest))
        storage.push(manifest, "large")
        storage.uploads.begin(blobs.blob("0" * 64))
        storage.sweep(LATER)
    storage.delete("large")
