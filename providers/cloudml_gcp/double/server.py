"""The double as a server on this machine, in threads of this process."""

from __future__ import annotations

import socket
import sys
import threading
from contextlib import suppress
from http.server import ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

from cloudml.doubles.listening import Connections, Handler
from cloudml_gcp.double import wire
from cloudml_gcp.double.front import DroppedError, Front

if TYPE_CHECKING:
    from cloudml_gcp.double.wire import Answer
    from cloudml_gcp.double.world import World

HOST = "127.0.0.1"
CLOSING_S = 5.0
EMPTY = frozenset({204, 304})


class Server:
    """One listening socket, and a thread that accepts.

    Args:
        world: What is answered from.
    """

    def __init__(self, world: World, port: int = 0) -> None:
        self.front = Front(world)
        kind = type("Handler", (_Handler,), {"front": self.front})
        self._server = _Listener((HOST, port), kind)
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, name="double-server", daemon=True
        )
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self._server.server_address[1]}"

    def close(self) -> None:
        """Listen no more, and hang up."""
        self._server.shutdown()
        self._server.hang_up()
        self._server.server_close()
        self._thread.join(CLOSING_S)


class _Listener(Connections, ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Show what went wrong, unless it is that a client has hung up."""
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)


class _Handler(Handler):
    front: Front
    small = Handler.small | {"POST"}

    def quick(self) -> bool:
        return self.front.quick(self.command, self.path)

    def _answer(self) -> None:
        try:
            request = wire.request(self.command, self.path, self.headers, self.body())
            answer = self.front.answer(request, self.connection)
        except DroppedError:
            with suppress(OSError):
                self.connection.shutdown(socket.SHUT_RDWR)
            self.close_connection = True
            return
        self._send(answer)

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = _answer  # noqa: N815  names of http.server

    def _send(self, answer: Answer) -> None:
        kind = {} if answer.status in EMPTY else {"Content-Type": answer.kind}
        headers = {**self.itself(), **kind, "Content-Length": str(len(answer.body)), **answer.headers}
        self.reply(answer.status, headers.items(), answer.body)
