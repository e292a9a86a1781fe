"""What the servers of all doubles share: connections that stay open, heads of requests that are read quickly.

Python's own server parses a head as if it were a letter, which takes longer than to answer most requests for objects.
Threads that each have a connection hand the interpreter to each other at every call into the system, which takes a
quarter of the time of small requests: they are all answered in one thread. A connection gets a thread of its own with
the first request that may have to wait, or whose answer may be long.
"""

from __future__ import annotations

import selectors
import socket
import threading
import time
from contextlib import suppress
from email.utils import formatdate
from functools import lru_cache
from http.server import BaseHTTPRequestHandler
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

LONGEST_LINE = 1 << 16
WORDS = 3
"""Of the first line of a request: method, target, version."""
TOGETHER_BYTES = 1 << 14
"""A longer body is not copied to be sent with its head."""
SHORT_BYTES = 1 << 20
"""A request with a longer body takes long enough for a thread."""
PEEKED_BYTES = 1 << 13
CLOSING_S = 5.0


@lru_cache(maxsize=256)
def http_date(second: int) -> str:
    """A second since 1970 as headers have it."""
    return formatdate(second, usegmt=True)


def first_part(target: str) -> str:
    """What the path of a request names first: a bucket, or an account."""
    return target[1:].partition("?")[0].partition("/")[0]


class Handler(BaseHTTPRequestHandler):
    """A request handler that keeps connections open.

    Attributes:
        headers: By their names in small letters; of one that comes twice, the values with a comma between.
        small: Verbs whose answers are small, unless `quick` says otherwise.
    """

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # otherwise an answer waits 40 ms for the client's acknowledgement
    wbufsize = -1
    headers: dict[str, str]  # type: ignore[assignment]  # not those of a letter
    small = frozenset({"DELETE", "HEAD", "PUT"})
    came: bytes | None = None
    """The body, where it has been read already."""

    @property
    def length(self) -> int:
        """So many bytes follow the head, where it says so."""
        return int(self.headers.get("content-length") or 0)

    def quick(self) -> bool:
        """Whether a request, whose head is known, is answered without waiting for anything."""
        return False

    def brief(self) -> bool:
        """Whether a request and its answer are small enough for the thread that all share."""
        return (
            self.command in self.small
            and self.length <= SHORT_BYTES
            and not {"transfer-encoding", "expect"} & self.headers.keys()
            and self.quick()
        )

    def handle_one_request(self) -> None:
        """Read a request, and have it answered by the method that is called after its verb."""
        self.close_connection = True
        lines = self._head()
        if not lines:
            return
        if self.understood(lines):
            self.answer()
        else:
            self.send_error(400, "Bad request")
            self.wfile.flush()

    def answer(self) -> None:
        """Answer the request whose head is known."""
        method = getattr(self, f"do_{self.command}", None)
        if method is None:
            self.send_error(501, f"Unsupported method ({self.command!r})")
        else:
            method()
        self.wfile.flush()

    def _head(self) -> list[str]:
        """The lines of the next head; none when the client has gone."""
        end = self.rfile.peek().find(b"\r\n\r\n")  # type: ignore[attr-defined]  # of a buffer
        if end >= 0:
            return self.rfile.read(end + 4)[:end].decode("latin-1").split("\r\n")
        lines = []
        while (line := self.rfile.readline(LONGEST_LINE)) not in {b"\r\n", b"\n", b""}:
            lines.append(line.decode("latin-1").rstrip("\r\n"))
        return lines

    def understood(self, lines: list[str]) -> bool:
        """Whether the lines are a head; they are taken to pieces."""
        self.command, self.path, self.request_version = "", "", "HTTP/1.0"
        self.requestline = lines[0]
        words = lines[0].split()
        if len(words) != WORDS or not words[2].startswith("HTTP/1."):
            return False
        self.command, self.path, self.request_version = words
        self.headers = headers = dict[str, str]()
        for line in lines[1:]:
            spelt, _, value = line.partition(":")
            name = spelt.lower()
            headers[name] = f"{headers[name]},{value.strip()}" if name in headers else value.strip()
        said = headers.get("connection", "").lower()
        self.close_connection = said == "close" or (self.request_version == "HTTP/1.0" and said != "keep-alive")
        return True

    def body(self) -> bytes:
        """What follows the head."""
        if self.came is not None:
            return self.came
        if self.headers.get("expect", "").lower() == "100-continue":
            self.connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        if self.headers.get("transfer-encoding", "").lower() != "chunked":
            return self.rfile.read(self.length)
        parts = []
        while size := int(self.rfile.readline().partition(b";")[0], 16):
            parts.append(self.rfile.read(size))
            self.rfile.readline()
        while self.rfile.readline().strip():
            pass
        return b"".join(parts)

    def reply(self, status: int, headers: Iterable[tuple[str, str]], body: bytes = b"", reason: str = "") -> None:
        """Send an answer; to a request with HEAD without its body."""
        reason = reason or self.responses.get(status, ("",))[0]
        lines = "".join([f"{name}: {value}\r\n" for name, value in headers])
        head = f"HTTP/1.1 {status} {reason}\r\n{lines}\r\n".encode("latin-1")
        body = body if self.command != "HEAD" else b""
        if len(body) <= TOGETHER_BYTES:
            self.connection.sendall(head + body)
        else:
            self.connection.sendall(head)
            self.connection.sendall(body)

    def itself(self) -> Mapping[str, str]:
        """The headers in which a server tells of itself."""
        return {"Server": self.version_string(), "Date": http_date(int(time.time()))}

    def log_message(self, *_: object) -> None:
        """No line for every request."""

    def log_request(self, *_: object) -> None:
        """Nor is one made only to be thrown away."""


class Shared:
    """A connection whose requests are read and answered in the thread that all share.

    Args:
        server: Whose class of handlers answers.
    """

    def __init__(self, server: Any, connection: socket.socket, address: Any) -> None:
        self.connection, self.address, self._server = connection, address, server
        self._handler: Any = None
        self._pieces: list[bytes] = []
        self._missing = 0

    def go_on(self) -> bool:
        """Go on with what has come; whether the connection stays here.

        Raises:
            BlockingIOError: There is no more for now.
            OSError: The connection has ended.
        """
        if not self._missing and not self._begin():
            return False
        if self._missing:
            self._pieces.append(self._received(self._missing))
            self._missing -= len(self._pieces[-1])
        if not self._missing:
            pieces, self._pieces = self._pieces, []
            self._handler.came = pieces[0] if len(pieces) == 1 else b"".join(pieces)
            self._handler.answer()
            if self._handler.close_connection:
                raise ConnectionAbortedError
        return True

    def _begin(self) -> bool:
        """Read a head; of a request that is not for here, nothing is taken away."""
        there = self._received(PEEKED_BYTES, socket.MSG_PEEK)
        end = there.find(b"\r\n\r\n")
        if end < 0:
            return False
        if self._handler is None:
            kind = self._server.RequestHandlerClass
            self._handler = kind.__new__(kind)
            self._handler.request, self._handler.client_address = self.connection, self.address
            self._handler.server = self._server
            self._handler.setup()
        if not (self._handler.understood(there[:end].decode("latin-1").split("\r\n")) and self._handler.brief()):
            return False
        self._received(end + 4)
        self._missing = self._handler.length
        return True

    def _received(self, size: int, flags: int = 0) -> bytes:
        found = self.connection.recv(size, flags | socket.MSG_DONTWAIT)
        if not found:
            raise ConnectionResetError
        return found


class Connections:
    """The connections of a server: answered, and ended with it. Mix it in before the server."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        super().__init__(*arguments, **named)
        self._selector = selectors.DefaultSelector()
        self._woken, self._waker = socket.socketpair()
        self._selector.register(self._woken, selectors.EVENT_READ)
        self._sharing = threading.Thread(target=self._share, name="double-shared", daemon=True)
        self._sharing.start()

    def _share(self) -> None:
        """Answer what is quickly answered, until the server ends."""
        while True:
            for key, _ in self._selector.select():
                if key.data is None:
                    self._end()
                    return
                self._go_on(key.data)

    def _go_on(self, one: Shared) -> None:
        try:
            if not one.go_on():
                self._selector.unregister(one.connection)
                super().process_request(one.connection, one.address)  # type: ignore[misc]  # of the server: a thread
        except BlockingIOError:
            return
        except Exception as error:  # noqa: BLE001  as in a thread: it ends this connection, and no other
            if not isinstance(error, OSError):
                self.handle_error(one.connection, one.address)  # type: ignore[attr-defined]  # likewise
            self._selector.unregister(one.connection)
            self.shutdown_request(one.connection)

    def _end(self) -> None:
        for key in list(self._selector.get_map().values()):
            if key.data is not None:
                self.shutdown_request(key.fileobj)
        self._selector.close()
        self._woken.close()
        self._waker.close()

    def note(self, connection: socket.socket) -> None:
        with self._lock:
            self._open.add(connection)

    def forget(self, connection: socket.socket) -> None:
        with self._lock:
            self._open.discard(connection)

    def process_request(self, request: Any, client_address: Any) -> None:
        self.note(request)
        self._selector.register(request, selectors.EVENT_READ, Shared(self, request, client_address))

    def shutdown_request(self, request: Any) -> None:
        self.forget(request)
        super().shutdown_request(request)  # type: ignore[misc]  # likewise

    def hang_up(self) -> None:
        """End them all."""
        with self._lock:
            for one in self._open:
                with suppress(OSError):
                    one.shutdown(socket.SHUT_RDWR)
        with suppress(OSError):
            self._waker.send(b"x")
        self._sharing.join(CLOSING_S)
