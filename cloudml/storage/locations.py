"""Addresses of stores and of what lies in them."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote, urlsplit

from cloudml.errors import SpecError
from cloudml.records import dataclass
from cloudml.storage.failures import public, translated

if TYPE_CHECKING:
    from obstore.store import ObjectStore

WEB = ("http", "https")
BUCKETS = ("s3", "s3a", "gs", "az", "azure", "adl", "abfs", "abfss")


@dataclass(frozen=True, slots=True)
class Location:
    """A place in a remote store.

    Attributes:
        root: What a store is opened by: scheme and bucket, or a web server's folder with its query.
        key: The object, the folder or the pattern below.
    """

    root: str
    key: str

    @property
    def web(self) -> bool:
        return urlsplit(self.root).scheme in WEB

    @property
    def url(self) -> str:
        """The whole address again, with the query of a web server: not for messages."""
        if not self.web:
            return address(self.root, self.key)
        folder, question, query = self.root.partition("?")
        return f"{folder}/{quote(self.key)}{question}{query}"


def is_remote(location: str) -> bool:
    return "://" in location and not location.startswith("file://")


def local(location: str | Path) -> Path | None:
    """The path that *location* means, or None where it is in no file system."""
    text = str(location)
    if text.startswith("file://"):
        from urllib.request import url2pathname  # brings http and ssl along

        return Path(url2pathname(urlsplit(text).path))
    return None if "://" in text else Path(text)


def parsed(url: str) -> Location:
    """*url* in two parts.

    Raises:
        SpecError: Not a scheme that can be read.
    """
    scheme, _, rest = url.partition("://")
    if scheme in WEB:
        return web(url)
    if scheme not in BUCKETS:
        raise SpecError(
            f"`{public(url)}` cannot be read: the scheme `{scheme}` is unknown",
            hint="use a path, s3://, gs://, az:// or https://",
        )
    bucket, _, key = rest.partition("/")
    return Location(f"{scheme}://{bucket}", key)


def web(url: str) -> Location:
    """The folder of a file on a web server; a query, often a signature, belongs to the folder."""
    split = urlsplit(url)
    folder, _, name = split.path.rpartition("/")
    query = f"?{split.query}" if split.query else ""
    return Location(f"{split.scheme}://{split.netloc}{folder}{query}", unquote(name))


def address(root: str, key: str) -> str:
    """The URL of *key* below *root*, without a query: for messages."""
    shown = _shown(root)
    return f"{shown.rstrip('/')}/{key}" if key else shown


_shown = lru_cache(maxsize=64)(public)
"""Of the roots of stores, which are asked for with each request."""


@lru_cache(maxsize=16)
def opened(root: str) -> ObjectStore:
    """The store behind a remote root, with credentials from the environment."""
    return store(root)


def store(url: str, **options: Any) -> ObjectStore:
    """The store behind *url*; *options* are those of obstore, among them credential_provider.

    Raises:
        ProviderError: Not an address, or an option is unknown.
    """
    from obstore.store import HTTPStore, LocalStore, from_url

    folder = local(url)
    with translated(url):
        if folder is not None:
            return LocalStore(folder.absolute(), mkdir=True, **options)
        if urlsplit(url).scheme in WEB:
            return HTTPStore(url, **({"client_options": {"allow_http": url.startswith("http://")}} | options))
        return from_url(url, **options)
