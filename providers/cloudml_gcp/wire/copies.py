"""Copies within a bucket of Cloud Storage, up to a hundred for one request: a batch of its JSON API.

A batch is a document of requests (`storage.objects.copy` here), and its answer one of answers; each part has a number,
by which the two belong together. Google counts each part as a request. Sources: "Batch requests" of Cloud Storage's
documentation, which leaves out of batches nothing but contents on their way up or down; its discovery document.
"""

from __future__ import annotations

import json
import re
from functools import partial
from typing import TYPE_CHECKING
from urllib.parse import quote

from cloudml.errors import UnavailableError
from cloudml.records import dataclass
from cloudml_gcp import errors

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from cloudml.clouds.parts import Root
    from cloudml.errors import ProviderError
    from cloudml_gcp.clients import Clients

PATH = "batch/storage/v1"
OPERATION = "storage:objects.copy"
MARK = "cloudml-part"
KIND = f"multipart/mixed; boundary={MARK}"
MOST = 100
"""Google asks for no more in a batch."""
ANSWERED = "fields=name&prettyPrint=false"
"""No more than the name: all that Google knows of an object is longer than the request."""
GOOD = range(200, 300)
PART = re.compile(rb"(?ims)^Content-ID:\s*<?response-(\d+)>?.*?\r?\n\r?\nHTTP/\S+ (\d+).*?\r?\n\r?\n(.*)")
BOUNDARY = re.compile(r'boundary="?([^";]+)')


@dataclass(frozen=True, slots=True)
class Part:
    """What was answered to one request of a batch."""

    status: int
    body: bytes


def document(root: Root, pairs: Iterable[tuple[int, tuple[str, str]]]) -> bytes:
    """The batch of copies of the first to the second path of each pair, below the root, under its number."""
    bucket = quote(root.bucket, safe="")
    key = partial(_quoted, root)
    parts = [
        f"--{MARK}\r\nContent-Type: application/http\r\nContent-ID: <{number}>\r\n\r\n"
        f"POST /storage/v1/b/{bucket}/o/{key(source)}/copyTo/b/{bucket}/o/{key(target)}?{ANSWERED} HTTP/1.1\r\n"
        "Content-Length: 0\r\n\r\n\r\n"
        for number, (source, target) in pairs
    ]
    return f"{''.join(parts)}--{MARK}--\r\n".encode()


def _quoted(root: Root, path: str) -> str:
    """The key of a path as one step of an address."""
    # `quote` looks at each letter of a text that is not all safe: 12 µs a key were "/" none of them, 2 µs so.
    return quote(root.key(path)).replace("/", "%2F")


def answers(kind: str, body: bytes) -> Mapping[int, Part]:
    """What is in the answer to a batch, by the numbers of its requests; *kind* is its content type."""
    mark = BOUNDARY.search(kind)
    pieces = body.split(f"--{mark[1]}".encode()) if mark else ()
    return {int(one[1]): Part(int(one[2]), one[3]) for piece in pieces if (one := PART.search(piece))}


def refusal(part: Part | None) -> ProviderError | None:
    """Our error for an answer that is none, or that has not come; None for a good one."""
    if part is None:
        return UnavailableError(f"{OPERATION}: no answer came", operation=OPERATION, hint=errors.LATER)
    if part.status in GOOD:
        return None
    try:
        body = json.loads(part.body)
    except ValueError:
        body = None
    return errors.raised(OPERATION, errors.AnswerError(part.status, body, part.body[:4000].decode(errors="replace")))


@dataclass(frozen=True, slots=True)
class Copies:
    """`cloudml.storage.copies.Copies` of a bucket."""

    clients: Clients
    root: Root

    @property
    def most(self) -> int:
        """As the documentation has it."""
        return MOST

    def copy(self, pairs: Sequence[tuple[str, str]]) -> Sequence[ProviderError | None]:
        """Copy them; after a batch of which some may pass, a smaller one asks for those."""
        found: list[ProviderError | None] = [None] * len(pairs)
        left = list(range(len(pairs)))

        def sent() -> None:
            nonlocal left
            content = document(self.root, ((number, pairs[number]) for number in left))
            answer = self.clients.stored_once("storage:batch", "POST", PATH, {}, content, {"content-type": KIND})
            said = answers(answer.headers.get("content-type", ""), answer.body)
            refused = {number: error for number in left if (error := refusal(said.get(number)))}
            for number in left:
                found[number] = refused.get(number)
            left = [number for number, error in refused.items() if error.retryable]
            if left:
                raise refused[left[0]]

        self.clients.patiently(sent)
        return found
