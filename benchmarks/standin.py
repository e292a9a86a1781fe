"""A bare object store for measurements: it does what the wire asks and nothing else, so that clients' own cost shows.

It speaks so much of S3 and of Azure's blobs as transfers need, keeps everything in memory, checks nothing, and hashes
nothing: `python benchmarks/standin.py PORT`; it prints a line when it listens.
"""

from __future__ import annotations

import asyncio
import itertools
import re
import sys
from urllib.parse import parse_qsl, unquote
from xml.sax.saxutils import escape

HEAD_BYTES = 1 << 18
MODIFIED = "Sun, 01 Nov 2026 00:00:00 GMT"
MODIFIED_ISO = "2026-11-01T00:00:00.000Z"
RANGE = re.compile(r"bytes=(\d+)-(\d*)")
PART = re.compile(r"<PartNumber>(\d+)</PartNumber>")
BLOCK = re.compile(r"<(?:Latest|Uncommitted|Committed)>([^<]+)</")
KEY = re.compile(r"<Key>([^<]+)</Key>")
PAGE = 1000


class Object:
    """Content in the pieces in which it came."""

    __slots__ = ("etag", "pieces", "size")
    numbers = itertools.count(1)

    def __init__(self, pieces: list[bytes | bytearray | memoryview]) -> None:
        self.pieces, self.size = pieces, sum(map(len, pieces))
        self.etag = f'"{next(Object.numbers):032x}"'

    def part(self, start: int, end: int) -> list[memoryview]:
        """The bytes from *start* up to *end*."""
        found = []
        at = 0
        for piece in self.pieces:
            low, high = max(start - at, 0), min(end - at, len(piece))
            if low < high:
                found.append(memoryview(piece)[low:high])
            at += len(piece)
        return found


class Store:
    """What is kept: objects by their path, and the pieces of uploads that are not finished.

    Attributes:
        uploads: What uploads of S3 will be.
        facts: What is listed of their parts besides the size.
    """

    def __init__(self) -> None:
        self.objects: dict[str, Object] = {}
        self.pieces: dict[str, dict[str, list[bytes | bytearray | memoryview]]] = {}
        self.uploads: dict[str, str] = {}
        self.facts: dict[tuple[str, str], str] = {}
        self.numbers = itertools.count(1)

    def answer(self, method: str, path: str, query: dict[str, str], headers: dict[str, str], body: bytearray) -> Answer:
        azure = "x-ms-version" in headers
        return (self.azure if azure else self.s3)(method, path, query, headers, body)

    def s3(self, method: str, path: str, query: dict[str, str], headers: dict[str, str], body: bytearray) -> Answer:
        if "uploads" in query or "uploadId" in query:
            return self._in_parts(method, path, query, headers, body)
        if method == "POST":
            bucket = path.split("/")[1]
            for key in KEY.findall(body.decode()):
                self.objects.pop(f"/{bucket}/{key}", None)
            return xml("<DeleteResult></DeleteResult>")
        if method == "GET" and ("list-type" in query or path.strip("/").count("/") == 0):
            return self._listed(path, query)
        copied = headers.get("x-amz-copy-source")
        if copied:
            found = self.objects.get("/" + unquote(copied).lstrip("/"))
            if found is None:
                return xml("<Error><Code>NoSuchKey</Code></Error>", 404)
            self.objects[path] = found
            return xml(f"<CopyObjectResult><ETag>{escape(found.etag)}</ETag></CopyObjectResult>")
        return self._plain(method, path, headers, body, missing="<Error><Code>NoSuchKey</Code></Error>")

    def _in_parts(
        self, method: str, path: str, query: dict[str, str], headers: dict[str, str], body: bytearray
    ) -> Answer:
        if "uploads" in query:
            return self._uploads(path, query) if method == "GET" else self._begun(path)
        number = query["uploadId"]
        if method == "GET":
            return self._parts(number)
        if method == "PUT":
            etag, checksum = f'"{next(Object.numbers):032x}"', headers.get("x-amz-checksum-sha256", "")
            if copied := headers.get("x-amz-copy-source"):
                return self._part_copied(number, query["partNumber"], copied, headers["x-amz-copy-source-range"], etag)
            self.pieces[number][query["partNumber"]] = [body]
            said = f"<ChecksumSHA256>{checksum}</ChecksumSHA256>" if checksum else ""
            self.facts[number, query["partNumber"]] = f"<ETag>{escape(etag)}</ETag>{said}"
            return Answer(200, {"ETag": etag})
        del self.uploads[number]
        pieces = self.pieces.pop(number)
        if method == "DELETE":
            return Answer(204, {})
        made = self.objects[path] = Object([one for number in PART.findall(body.decode()) for one in pieces[number]])
        return xml(f"<CompleteMultipartUploadResult><ETag>{escape(made.etag)}</ETag></CompleteMultipartUploadResult>")

    def _part_copied(self, upload: str, number: str, source: str, wanted: str, etag: str) -> Answer:
        asked = RANGE.fullmatch(wanted)
        assert asked
        found = self.objects["/" + unquote(source).lstrip("/")]
        self.pieces[upload][number] = found.part(int(asked[1]), int(asked[2]) + 1)
        self.facts[upload, number] = f"<ETag>{escape(etag)}</ETag>"
        return xml(f"<CopyPartResult><ETag>{escape(etag)}</ETag></CopyPartResult>")

    def _begun(self, path: str) -> Answer:
        number = str(next(self.numbers))
        self.pieces[number], self.uploads[number] = {}, path
        return xml(f"<InitiateMultipartUploadResult><UploadId>{number}</UploadId></InitiateMultipartUploadResult>")

    def _uploads(self, path: str, query: dict[str, str]) -> Answer:
        start = f"/{path.split('/')[1]}/{query.get('prefix', '')}"
        rows = "".join(
            f"<Upload><Key>{escape(name.split('/', 2)[2])}</Key><UploadId>{number}</UploadId>"
            f"<Initiated>{MODIFIED_ISO}</Initiated><ChecksumAlgorithm>SHA256</ChecksumAlgorithm></Upload>"
            for number, name in self.uploads.items()
            if name.startswith(start)
        )
        return xml(f"<ListMultipartUploadsResult><IsTruncated>false</IsTruncated>{rows}</ListMultipartUploadsResult>")

    def _parts(self, number: str) -> Answer:
        rows = "".join(
            f"<Part><PartNumber>{part}</PartNumber>{self.facts[number, part]}<Size>{sum(map(len, kept))}</Size></Part>"
            for part, kept in self.pieces[number].items()
        )
        return xml(f"<ListPartsResult><IsTruncated>false</IsTruncated>{rows}</ListPartsResult>")

    def _blocks(self, path: str) -> Answer:
        rows = "".join(
            f"<Block><Name>{block}</Name><Size>{sum(map(len, kept))}</Size></Block>"
            for block, kept in self.pieces.get(path, {}).items()
        )
        found = f"<BlockList><UncommittedBlocks>{rows}</UncommittedBlocks></BlockList>"
        return xml(found) if rows or path in self.objects else xml("<Error><Code>BlobNotFound</Code></Error>", 404)

    def azure(self, method: str, path: str, query: dict[str, str], headers: dict[str, str], body: bytearray) -> Answer:
        comp = query.get("comp", "")
        if method == "PUT" and comp == "block":
            self.pieces.setdefault(path, {})[query["blockid"]] = [body]
            return Answer(201, {"x-ms-request-server-encrypted": "true"})
        if method == "GET" and comp == "blocklist":
            return self._blocks(path)
        if method == "PUT" and comp == "blocklist":
            pieces = self.pieces.pop(path)
            made = self.objects[path] = Object([one for block in BLOCK.findall(body.decode()) for one in pieces[block]])
            return Answer(201, {"ETag": made.etag, "Last-Modified": MODIFIED, "x-ms-request-server-encrypted": "true"})
        if comp == "list":
            return self._listed_as_azure(path, query)
        if method == "PUT" and "x-ms-copy-source" in headers:
            source = re.sub(r"^https?://[^/]*", "", headers["x-ms-copy-source"])
            self.objects[path] = found = self.objects[unquote(source)]
            facts = {"ETag": found.etag, "Last-Modified": MODIFIED, "x-ms-copy-id": "1", "x-ms-copy-status": "success"}
            return Answer(202, facts)
        return self._plain(method, path, headers, body, missing="<Error><Code>BlobNotFound</Code></Error>")

    def _plain(self, method: str, path: str, headers: dict[str, str], body: bytearray, missing: str) -> Answer:
        azure = "x-ms-version" in headers
        if method == "PUT":
            if headers.get("if-none-match") == "*" and path in self.objects:
                return xml("<Error><Code>BlobAlreadyExists</Code></Error>", 409 if azure else 412)
            made = self.objects[path] = Object([body])
            about = {"ETag": made.etag, "Last-Modified": MODIFIED, "x-ms-request-server-encrypted": "true"}
            return Answer(201 if azure else 200, about)
        if method == "DELETE":
            there = self.objects.pop(path, None) is not None
            return Answer(202 if azure and there else 204 if not azure else 404, {})
        found = self.objects.get(path)
        if found is None:
            return xml(missing if method != "HEAD" else "", 404)
        return content(found, headers.get("x-ms-range") or headers.get("range", ""))

    def _below(self, root: str, prefix: str, after: str) -> tuple[list[tuple[str, Object]], str]:
        """A page of names with their objects, and where the next begins."""
        start = f"{root}{prefix}"
        names = sorted(name for name in self.objects if name.startswith(start) and name[len(root) :] > after)
        page = [(name[len(root) :], self.objects[name]) for name in names[:PAGE]]
        return page, page[-1][0] if len(names) > PAGE else ""

    def _listed(self, path: str, query: dict[str, str]) -> Answer:
        root = f"/{path.split('/')[1]}/"
        page, following = self._below(root, query.get("prefix", ""), query.get("continuation-token", ""))
        rows = "".join(
            f"<Contents><Key>{escape(name)}</Key><LastModified>{MODIFIED_ISO}</LastModified>"
            f"<ETag>{escape(one.etag)}</ETag><Size>{one.size}</Size></Contents>"
            for name, one in page
        )
        more = f"<NextContinuationToken>{escape(following)}</NextContinuationToken>" if following else ""
        cut = f"<IsTruncated>{'true' if following else 'false'}</IsTruncated>"
        return xml(f"<ListBucketResult><KeyCount>{len(page)}</KeyCount>{cut}{more}{rows}</ListBucketResult>")

    def _listed_as_azure(self, path: str, query: dict[str, str]) -> Answer:
        page, following = self._below(f"{path.rstrip('/')}/", query.get("prefix", ""), query.get("marker", ""))
        rows = "".join(
            f"<Blob><Name>{escape(name)}</Name><Properties><Creation-Time>{MODIFIED}</Creation-Time>"
            f"<Last-Modified>{MODIFIED}</Last-Modified><Etag>{escape(one.etag)}</Etag>"
            f"<Content-Length>{one.size}</Content-Length><Content-Type>application/octet-stream</Content-Type>"
            f"<BlobType>BlockBlob</BlobType></Properties></Blob>"
            for name, one in page
        )
        return xml(
            f"<EnumerationResults><Blobs>{rows}</Blobs><NextMarker>{following}</NextMarker></EnumerationResults>"
        )


class Answer:
    """What goes back; *body* in pieces."""

    __slots__ = ("body", "headers", "length", "status")

    def __init__(self, status: int, headers: dict[str, str], body: list[memoryview] | None = None, length: int = 0):
        self.status, self.headers, self.body, self.length = status, headers, body or [], length


def xml(text: str, status: int = 200) -> Answer:
    body = f"<?xml version='1.0' encoding='UTF-8'?>{text}".encode() if text else b""
    return Answer(status, {"Content-Type": "application/xml"}, [memoryview(body)], len(body))


def content(found: Object, wanted: str) -> Answer:
    """An object, or the range of it that is wanted."""
    about = {"ETag": found.etag, "Last-Modified": MODIFIED, "Content-Type": "application/octet-stream"}
    about |= {"x-ms-blob-type": "BlockBlob", "x-ms-creation-time": MODIFIED, "Accept-Ranges": "bytes"}
    asked = RANGE.fullmatch(wanted)
    if asked is None:
        return Answer(200, about, found.part(0, found.size), found.size)
    start, end = int(asked[1]), min(int(asked[2]) + 1 if asked[2] else found.size, found.size)
    if start >= found.size:
        return Answer(416, about | {"Content-Range": f"bytes */{found.size}"})
    about["Content-Range"] = f"bytes {start}-{end - 1}/{found.size}"
    return Answer(206, about, found.part(start, end), end - start)


class Connection(asyncio.BufferedProtocol):
    """HTTP/1.1 over one connection: bodies are received into the place where they are kept."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.head = bytearray(HEAD_BYTES)
        self.filled = 0
        self.body: bytearray | None = None
        self.at = 0
        self.request: tuple[str, str, dict[str, str]] = ("", "", {})
        self.transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def get_buffer(self, sizehint: int) -> memoryview:
        del sizehint
        if self.body is not None:
            return memoryview(self.body)[self.at :]
        return memoryview(self.head)[self.filled :]

    def buffer_updated(self, nbytes: int) -> None:
        if self.body is None:
            self.filled += nbytes
            self._read_head()
            return
        self.at += nbytes
        if self.at == len(self.body):
            self._answer()

    def _read_head(self) -> None:
        while self.body is None and (end := self.head.find(b"\r\n\r\n", 0, self.filled)) >= 0:
            first, *lines = self.head[:end].decode("latin-1").split("\r\n")
            headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
            method, target, _ = first.split(" ")
            self.request = method, target, headers
            if headers.get("expect"):
                self.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            size = int(headers.get("content-length") or 0)
            here = min(self.filled - end - 4, size)
            self.body, self.at = bytearray(size), here
            self.body[:here] = self.head[end + 4 : end + 4 + here]
            left = self.filled - end - 4 - here
            self.head[:left] = self.head[end + 4 + here : self.filled]
            self.filled = left
            if self.at == size:
                self._answer()

    def _answer(self) -> None:
        method, target, headers = self.request
        path, _, query = target.partition("?")
        body, self.body, self.at = self.body or bytearray(), None, 0
        said = dict(parse_qsl(query, keep_blank_values=True)) if query else {}
        answer = self.store.answer(method, unquote(path), said, headers, body)
        lines = [f"HTTP/1.1 {answer.status} .", f"Content-Length: {answer.length}"]
        lines += [f"{name}: {value}" for name, value in answer.headers.items()]
        head = ("\r\n".join([*lines, "x-ms-request-id: 1", "x-ms-version: 2025-05-05", "", ""])).encode()
        self.transport.writelines([head, *answer.body] if method != "HEAD" else [head])


async def serve(port: int) -> None:
    store = Store()
    server = await asyncio.get_running_loop().create_server(lambda: Connection(store), "127.0.0.1", port, backlog=256)
    print(f"listening {server.sockets[0].getsockname()[1]}", flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1]) if len(sys.argv) > 1 else 0))
