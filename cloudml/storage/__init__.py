"""Object storage on obstore: one code path for files, S3, Azure and Google, and manifests that say what a dataset is.

===============  ===================================================================
patterns         which files a dataset's `path` means (pure)
manifest         names, sizes and digests (pure)
failures         what a store's errors mean, as a table (pure)
locations        addresses, and the stores behind them
files            writing into a store that is a folder
pieces           how large contents are divided, and what their digest is (pure)
digests          reading and hashing files, and remembering it
scanning         a path's manifest; `remote` for what lies elsewhere
store            Storage: read, write, list, delete, and the transfers below
pushing          files to the store: `blobs` sends contents (large ones by `parts`), `origins` fetches remote ones;
                 names are `copies`
copying          whole folders within the store
pulling          files from the store
sweeping         contents that nothing names
===============  ===================================================================

Names are imported on first use: a plan reads files and sends none.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cloudml.storage.digests import DigestCache
    from cloudml.storage.manifest import Entry, Manifest
    from cloudml.storage.pulling import Pulled
    from cloudml.storage.pushing import Pushed
    from cloudml.storage.scanning import scan
    from cloudml.storage.store import Listed, Storage
    from cloudml.storage.sweeping import Swept

_HOME = {
    "DigestCache": "digests", "Entry": "manifest", "Listed": "store", "Manifest": "manifest", "Pulled": "pulling",
    "Pushed": "pushing", "Storage": "store", "Swept": "sweeping", "scan": "scanning",
}  # fmt: skip

__all__ = ["DigestCache", "Entry", "Listed", "Manifest", "Pulled", "Pushed", "Storage", "Swept", "scan"]


def __getattr__(name: str) -> Any:
    """A public name, imported when it is first asked for."""
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
    globals()[name] = value
    return value
