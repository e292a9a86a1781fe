"""The XML documents of blob storage: lists of containers, blobs and blocks."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape

from cloudml_azure.double.wire import Answer

if TYPE_CHECKING:
    from collections.abc import Iterable

    from cloudml_azure.double.blobs import Blob, Blobs
    from cloudml_azure.double.wire import Asked

LARGEST = 5000
SHOWN = {
    "content-type": "Content-Type",
    "content-encoding": "Content-Encoding",
    "content-language": "Content-Language",
    "content-md5": "Content-MD5",
    "cache-control": "Cache-Control",
    "content-disposition": "Content-Disposition",
}


def document(text: str) -> Answer:
    body = f'<?xml version="1.0" encoding="utf-8"?>{text}'.encode()
    return Answer(headers={"Content-Type": "application/xml"}, body=body)


def element(name: str, text: object) -> str:
    return f"<{name}>{escape(str(text))}</{name}>"


def blobs(store: Blobs, container: str, asked: Asked) -> Answer:
    """One page of the blobs of a container, and of the folders when there is a delimiter."""
    query = asked.query
    prefix, delimiter, marker = query.get("prefix", ""), query.get("delimiter", ""), query.get("marker", "")
    limit = min(int(query.get("maxresults") or LARGEST), LARGEST)
    entries = [entry for entry in _entries(store.names(container, prefix), prefix, delimiter) if entry >= marker]
    page, rest = entries[:limit], entries[limit:]
    there = store.container(container)
    metadata = "metadata" in query.get("include", "").split(",")
    listed = [_entry(entry, there.get(entry), metadata=metadata) for entry in page]
    asked_for = "".join(
        element(name, value)
        for name, value in (("Prefix", prefix), ("Marker", marker), ("Delimiter", delimiter))
        if value
    )
    more = element("NextMarker", rest[0] if rest else "")
    return document(
        f'<EnumerationResults ServiceEndpoint="{escape(asked.origin)}/" ContainerName="{escape(container)}">{asked_for}'
        f"{element('MaxResults', limit)}<Blobs>{''.join(listed)}</Blobs>{more}"
        "</EnumerationResults>"
    )


def _entries(names: Iterable[str], prefix: str, delimiter: str) -> list[str]:
    """Names and, where the delimiter cuts one, its folder; in order, each once."""
    if not delimiter:
        return list(names)
    found: dict[str, None] = {}
    for name in names:
        head, cut, _ = name[len(prefix) :].partition(delimiter)
        found[prefix + head + cut] = None
    return sorted(found)


def _entry(name: str, blob: Blob | None, *, metadata: bool) -> str:
    if blob is None:
        return f"<BlobPrefix>{element('Name', name)}</BlobPrefix>"
    content = {"content-type": "application/octet-stream", **blob.properties}
    properties = {
        "Creation-Time": format_datetime(blob.created.astimezone(UTC), usegmt=True),
        "Last-Modified": format_datetime(blob.modified.astimezone(UTC), usegmt=True),
        "Etag": blob.etag.strip('"'),
        "Content-Length": blob.size,
        **{SHOWN[key]: value for key, value in content.items()},
        "BlobType": blob.kind,
        "LeaseStatus": "unlocked",
        "LeaseState": "available",
        "ServerEncrypted": "true",
    }
    told = "".join(element(key, value) for key, value in properties.items())
    more = "".join(element(key, value) for key, value in blob.metadata.items()) if metadata else ""
    extra = f"<Metadata>{more}</Metadata>" if metadata else ""
    return f"<Blob>{element('Name', name)}<Properties>{told}</Properties>{extra}<OrMetadata/></Blob>"


def containers(store: Blobs, asked: Asked) -> Answer:
    """The containers of an account."""
    prefix = asked.query.get("prefix", "")
    now = format_datetime(datetime.now(UTC), usegmt=True)
    listed = "".join(
        f"<Container>{element('Name', name)}<Properties>{element('Last-Modified', now)}<Etag>0x8</Etag></Properties>"
        "</Container>"
        for name in store.containers()
        if name.startswith(prefix)
    )
    return document(
        f'<EnumerationResults ServiceEndpoint="{escape(asked.origin)}/"><Containers>{listed}</Containers><NextMarker/>'
        "</EnumerationResults>"
    )


def blocks(committed: Iterable[tuple[str, int]], staged: Iterable[tuple[str, int]], wanted: str) -> Answer:
    """The blocks of a blob, those that wait to become part of it, or all."""
    lists = {"CommittedBlocks": ("committed", committed), "UncommittedBlocks": ("uncommitted", staged)}
    told = "".join(
        f"<{element_name}>{''.join(_block(*one) for one in found)}</{element_name}>"
        for element_name, (kind, found) in lists.items()
        if wanted in {kind, "all"}
    )
    return document(f"<BlockList>{told}</BlockList>")


def _block(name: str, size: int) -> str:
    return f"<Block>{element('Name', name)}{element('Size', size)}</Block>"


def delegation_key(value: str, tenant: str) -> Answer:
    """A key with which SAS tokens are signed by somebody who has no account key."""
    now = datetime.now(UTC)
    times = [moment.strftime("%Y-%m-%dT%H:%M:%SZ") for moment in (now, now + timedelta(hours=1))]
    facts = {
        "SignedOid": tenant,
        "SignedTid": tenant,
        "SignedStart": times[0],
        "SignedExpiry": times[1],
        "SignedService": "b",
        "SignedVersion": "2025-05-05",
        "Value": value,
    }
    told = "".join(element(key, text) for key, text in facts.items())
    return document(f"<UserDelegationKey>{told}</UserDelegationKey>")
