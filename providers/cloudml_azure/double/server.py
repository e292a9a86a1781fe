"""The double as a server on this machine, in threads of this process, at one port for everything.

What comes with TLS is served with the double's certificate, what comes without as well (blobs, containers). It is also
a proxy for https: with HTTPS_PROXY set to it and its certificate trusted, programs reach Azure's own host names here,
and every other host as they would have done without it.
"""

from __future__ import annotations

import os
import socket
import ssl
import threading
from contextlib import suppress
from socketserver import ThreadingTCPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from cloudml.doubles.listening import Connections, Handler
from cloudml_azure.double.front import DroppedError, Front, HeldError

if TYPE_CHECKING:
    from pathlib import Path

    from cloudml_azure.double.wire import Answer
    from cloudml_azure.double.world import World

HOST = "127.0.0.1"
CLOSING_S = 5.0
HANDSHAKE = 0x16
"""The first byte of a connection with TLS."""
PIECE = 1 << 16
HELD_S = 120.0
METHODS = ("GET", "PUT", "POST", "DELETE", "PATCH", "HEAD", "OPTIONS")


class Server:
    """One listening socket, and a thread that accepts.

    Args:
        world: What is answered from.
        certificate: Chain and key.
    """

    def __init__(self, world: World, certificate: Path, port: int = 0) -> None:
        self.front = Front(world)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        self._server = _Listener((HOST, port), self.front, context, world)
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, name="double-server", daemon=True
        )
        self._thread.start()

    @property
    def address(self) -> str:
        return f"{HOST}:{self._server.server_address[1]}"

    def close(self) -> None:
        """Listen no more, and end the connections that are open."""
        self._server.shutdown()
        self._server.server_close()
        self._server.hang_up()
        self._thread.join(CLOSING_S)


class _Listener(Connections, ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 128
    block_on_close = False

    def __init__(self, address: tuple[str, int], front: Front, context: ssl.SSLContext, world: World) -> None:
        self.front, self.context, self.world = front, context, world
        self.around = upstream()
        super().__init__(address, _Handler)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that goes away is no news."""
        import sys

        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)


class _Handler(Handler):
    server: _Listener
    tunnel = ""

    def setup(self) -> None:
        if self.request.recv(1, socket.MSG_PEEK)[:1] == bytes([HANDSHAKE]):
            self.request = self._secured(self.request)
        super().setup()

    def do_CONNECT(self) -> None:  # noqa: N802  a name of http.server
        """Become the host that is asked for, or a way to it."""
        host = self.path
        if not self.server.world.is_real(host):
            self._relay(host)
            return
        self._established()
        self.connection = self._secured(self.connection)
        self.rfile = self.connection.makefile("rb", self.rbufsize)
        self.wfile = self.connection.makefile("wb", self.wbufsize)
        self.tunnel = host.removesuffix(":443")
        self.close_connection = False

    def finish(self) -> None:
        super().finish()
        if isinstance(self.connection, ssl.SSLSocket):
            self.server.forget(self.connection)
            self.connection.close()

    def _secured(self, plain: socket.socket) -> ssl.SSLSocket:
        """The same connection with TLS; the plain one is of no use any more."""
        found = self.server.context.wrap_socket(plain, server_side=True)
        self.server.note(found)
        return found

    def _established(self) -> None:
        self.wfile.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        self.wfile.flush()

    def _relay(self, host: str) -> None:
        """Pass bytes on to a host that is none of Azure's, by the proxy that there was before."""
        self.close_connection = True
        try:
            other = socket.create_connection(self.server.around or _split(host), timeout=30)
        except OSError as error:
            self.send_error(502, str(error))
            return
        with other:
            other.settimeout(None)
            if self.server.around:
                other.sendall(f"CONNECT {host} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
            else:
                self._established()
            back = threading.Thread(target=_pump, args=(other, self.connection), name="double-relay", daemon=True)
            back.start()
            _pump(self.connection, other)
            back.join(CLOSING_S)

    def quick(self) -> bool:
        return self.server.front.quick(self.path)

    def serve(self) -> None:
        secure = isinstance(self.connection, ssl.SSLSocket)
        url = f"http{'s' if secure else ''}://{self.tunnel or self.headers.get('host', '')}{self._target()}"
        try:
            answer = self.server.front.dispatch(self.command, url, self.headers, self.body())
        except (DroppedError, HeldError) as error:
            self._lose(hold=isinstance(error, HeldError))
            return
        self._send(answer)

    def _target(self) -> str:
        """The path and query, also of a request that names the whole URL."""
        if not self.path.startswith("http://"):
            return self.path
        parts = urlsplit(self.path)
        return parts.path + (f"?{parts.query}" if parts.query else "")

    def _send(self, answer: Answer) -> None:
        body = answer.body
        headers = {**answer.headers, "Content-Length": str(answer.length)}
        self.reply(answer.status, headers.items(), body if isinstance(body, bytes) else b"")
        if not isinstance(body, bytes) and self.command != "HEAD":
            left = body.length
            with body.path.open("rb") as file:
                file.seek(body.start)
                while left and (part := file.read(min(left, PIECE))):
                    self.connection.sendall(part)
                    left -= len(part)

    def _lose(self, *, hold: bool) -> None:
        self.close_connection = True
        if hold:
            self.connection.settimeout(HELD_S)
            with suppress(OSError):
                self.connection.recv(1)
        with suppress(OSError):
            self.connection.shutdown(socket.SHUT_RDWR)


for _method in METHODS:
    setattr(_Handler, f"do_{_method}", _Handler.serve)


def upstream() -> tuple[str, int] | None:
    """The proxy that this process uses for https, if any."""
    said = os.environ.get("HTTPS_PROXY") or os.environ.get("https_proxy") or ""
    parts = urlsplit(said if "//" in said else f"//{said}")
    return (parts.hostname, parts.port or 80) if parts.hostname else None


def _split(host: str) -> tuple[str, int]:
    name, _, port = host.partition(":")
    return name, int(port or 443)


def _pump(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while part := source.recv(PIECE):
            target.sendall(part)
    with suppress(OSError):
        target.shutdown(socket.SHUT_WR)
