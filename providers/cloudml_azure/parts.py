"""Uploads in parts to Azure: blocks of a blob, which wait for a week to be committed.

A blob has one set of waiting blocks, and Azure tells of each its id and size alone. So the id has the digest of the
content in it besides the number. It is as long as the ids of obstore, since all blocks of a blob must have ids of one
length: an upload that obstore began is not in the way. What nobody commits cannot be aborted, and goes by itself.
"""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

from cloudml.errors import NotFoundError
from cloudml.records import dataclass
from cloudml.storage.parts import Part, Upload

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from cloudml.clouds.parts import Root
    from cloudml.storage.parts import Piece
    from cloudml_azure.clients import Clients

NUMBER_BYTES, DIGEST_BYTES = 4, 28
ID_BYTES = NUMBER_BYTES + DIGEST_BYTES


def block_id(number: int, piece: Piece) -> str:
    """The id of a block, which says what it is."""
    return base64.b64encode(number.to_bytes(NUMBER_BYTES) + piece.sha256[:DIGEST_BYTES]).decode()


def digest(block: str) -> str:
    """The digest in the id of a block."""
    return base64.b64decode(block)[NUMBER_BYTES:].hex()


def listed(document: bytes) -> dict[int, Part]:
    """The blocks of ours that wait, in the answer to Get Block List."""
    from xml.etree import ElementTree as ET

    found = {}
    for block in ET.fromstring(document).iterfind("UncommittedBlocks/Block"):  # noqa: S314  from Azure, over TLS
        name, size = block.findtext("Name", ""), int(block.findtext("Size", "0"))
        said = base64.b64decode(name)
        if len(said) == ID_BYTES:
            found[int.from_bytes(said[:NUMBER_BYTES])] = Part(size, name, digest(name))
    return found


def block_list(whole: Sequence[Part]) -> bytes:
    """The document by which blocks become a blob; the latest of an id is meant, also one that is part of a blob now."""
    blocks = "".join(f"<Latest>{part.tag}</Latest>" for part in whole)
    return f'<?xml version="1.0" encoding="utf-8"?><BlockList>{blocks}</BlockList>'.encode()


@dataclass(frozen=True, slots=True)
class Uploads:
    """`cloudml.storage.parts.Uploads` of a container."""

    clients: Clients
    root: Root

    def find(self, path: str) -> Sequence[Upload]:
        """The one that there always is."""
        return [self.begin(path)]

    def begin(self, path: str) -> Upload:
        """Nothing need be sent for it."""
        return Upload(path)

    def parts(self, upload: Upload) -> Mapping[int, Part]:
        """What has come of it."""
        query = {"comp": "blocklist", "blocklisttype": "uncommitted"}
        try:
            return listed(self.clients.stored("Blobs_GetBlockList", "GET", self._path(upload), query))
        except NotFoundError:  # neither a blob nor a block
            return {}

    def holds(self, part: Part, piece: Piece) -> bool:
        """Whether a block is that piece."""
        return part.digest == piece.sha256[:DIGEST_BYTES].hex()

    def put(self, upload: Upload, number: int, piece: Piece) -> Part:
        """Send a block."""
        tag = block_id(number, piece)
        query = {"comp": "block", "blockid": tag}
        self.clients.stored("Blobs_PutBlock", "PUT", self._path(upload), query, piece.content)
        return Part(piece.size, tag, digest(tag))

    def complete(self, upload: Upload, parts: Sequence[Part]) -> None:
        """Make the blob."""
        query = {"comp": "blocklist"}
        self.clients.stored("Blobs_PutBlockList", "PUT", self._path(upload), query, block_list(parts))

    def abort(self, upload: Upload) -> None:
        """Azure forgets blocks by itself."""

    def unfinished(self, folder: str) -> Iterator[Upload]:
        """None that could be aborted."""
        del folder
        return iter(())

    def _path(self, upload: Upload) -> str:
        return f"{self.root.bucket}/{self.root.key(upload.path)}"
