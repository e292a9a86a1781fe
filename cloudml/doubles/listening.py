"""What the servers of all doubles share: connections that stay open, heads of requests that are read quickly.

Python's own server parses a head as if it were a letter, which takes longer than to answer most requests for objects.
"""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from http.server import BaseHTTPRequestHandler
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import ItemsView, KeysView

LONGEST_LINE = 1 << 16
WORDS = 3
"""Of the first line of a request: method, target, version."""


class Headers:
    """Headers by their names, whatever their case; of one that comes twice, the values with a comma between."""

    def __init__(self) -> None:
        self._values: dict[str, str] = {}
        self._spelt: dict[str, str] = {}

    def add(self, name: str, value: str) -> None:
        spelt = self._spelt.setdefault(name.lower(), name)
        self._values[spelt] = f"{self._values[spelt]},{value}" if spelt in self._values else value

    def get(self, name: str, default: Any = None) -> Any:
        return self._values.get(self._spelt.get(name.lower(), ""), default)

    def __contains__(self, name: str) -> bool:
        return name.lower() in self._spelt

    def keys(self) -> KeysView[str]:
        return self._values.keys()

    def items(self) -> ItemsView[str, str]:
        return self._values.items()


class Handler(BaseHTTPRequestHandler):
    """A request handler that keeps connections open and sends head and body together."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # otherwise an answer waits 40 ms for the client's acknowledgement
    wbufsize = -1
    raw_requestline: bytes

    def parse_request(self) -> bool:
        """Read the head; whether it is one."""
        self.command, self.path, self.request_version = "", "", "HTTP/1.0"
        self.close_connection = True
        self.requestline = self.raw_requestline.decode("latin-1").rstrip("\r\n")
        words = self.requestline.split()
        if len(words) != WORDS or not words[2].startswith("HTTP/1."):
            self.send_error(400, "Bad request")
            return False
        self.command, self.path, self.request_version = words
        self.headers: Any = self._headers()
        said = self.headers.get("Connection", "").lower()
        self.close_connection = said == "close" or (self.request_version == "HTTP/1.0" and said != "keep-alive")
        if self.headers.get("Expect", "").lower() == "100-continue":
            self.send_response_only(100)
            self.end_headers()
            self.wfile.flush()
        return True

    def _headers(self) -> Headers:
        found = Headers()
        while (line := self.rfile.readline(LONGEST_LINE)) not in {b"\r\n", b"\n", b""}:
            name, _, value = line.decode("latin-1").partition(":")
            found.add(name, value.strip())
        return found

    def body(self) -> bytes:
        """What follows the head."""
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        parts = []
        while size := int(self.rfile.readline().partition(b";")[0], 16):
            parts.append(self.rfile.read(size))
            self.rfile.readline()
        while self.rfile.readline().strip():
            pass
        return b"".join(parts)

    def log_message(self, *_: object) -> None:
        """No line for every request."""

    def log_request(self, *_: object) -> None:
        """Nor is one made only to be thrown away."""


class Connections:
    """The connections of a server that are open, so that they can be ended with it. Mix it in before the server."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        super().__init__(*arguments, **named)

    def note(self, connection: socket.socket) -> None:
        with self._lock:
            self._open.add(connection)

    def forget(self, connection: socket.socket) -> None:
        with self._lock:
            self._open.discard(connection)

    def process_request(self, request: Any, client_address: Any) -> None:
        self.note(request)
        super().process_request(request, client_address)  # type: ignore[misc]  # of the server that it is mixed into

    def shutdown_request(self, request: Any) -> None:
        self.forget(request)
        super().shutdown_request(request)  # type: ignore[misc]  # likewise

    def hang_up(self) -> None:
        """End them all."""
        with self._lock:
            for one in self._open:
                with suppress(OSError):
                    one.shutdown(socket.SHUT_RDWR)
