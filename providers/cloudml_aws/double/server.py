"""The double as a server on this machine, in threads of this process."""

from __future__ import annotations

import io
import logging
import socket
import sys
import threading
import traceback
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from werkzeug.serving import ThreadedWSGIServer

from cloudml.doubles.listening import Connections, Handler
from cloudml_aws.double.front import DroppedError, Front

if TYPE_CHECKING:
    from collections.abc import Iterable

    from cloudml_aws.double.world import World

HOST = "127.0.0.1"
CLOSING_S = 5.0


def moto_application() -> Any:
    """The server application of moto, which makes the parts for each service when they are first asked for."""
    from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    return DomainDispatcherApplication(create_backend_app)


class _Listener(Connections, ThreadedWSGIServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128


class _Keeping(Handler):
    """Moto's view of a request, without its server's habit to end the connection after each."""

    server: Any
    make_environ: Any
    """Of moto's handler, into which this one is mixed."""

    def run_wsgi(self) -> None:
        """Answer one request."""
        environ = self.make_environ()
        body = self.body()
        environ |= {"wsgi.input": io.BytesIO(body), "CONTENT_LENGTH": str(len(body))}
        environ.pop("wsgi.input_terminated", None)
        begun: list[tuple[str, list[tuple[str, str]]]] = []

        def start(status: str, headers: list[tuple[str, str]], *_: object) -> None:
            begun.append((status, headers))

        try:
            found = b"".join(self.server.app(environ, start))
        except ConnectionError:
            self.close_connection = True
            return
        except Exception:  # noqa: BLE001  the double's own mistake: the client hears of it
            sys.stderr.write(traceback.format_exc())
            found, begun = b"The double has failed.", [("500 Internal Server Error", [])]
        self._send(*begun[-1], found)

    def _send(self, status: str, headers: list[tuple[str, str]], body: bytes) -> None:
        code, _, reason = status.partition(" ")
        self.send_response(int(code), reason)
        named = {name.lower() for name, _ in headers}
        if "content-length" not in named and code not in {"204", "304"}:
            headers = [*headers, ("Content-Length", str(len(body)))]
        for name, value in headers:
            if name.lower() not in {"connection", "date", "server"}:
                self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)


class Server:
    """One listening socket, and a thread that accepts.

    Args:
        world: What is answered from.
    """

    def __init__(self, world: World, port: int = 0) -> None:
        from moto.moto_server.werkzeug_app import MotoRequestHandler

        self.front = Front(world, moto_application())
        handler = type("Handler", (_Keeping, MotoRequestHandler), {})
        self._server = _Listener(HOST, port, self._answer, handler=handler)
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, name="double-server", daemon=True
        )
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self._server.server_port}"

    def close(self) -> None:
        """Listen no more, and hang up."""
        self._server.shutdown()
        self._server.hang_up()
        self._server.server_close()
        self._thread.join(CLOSING_S)

    def _answer(self, environ: dict[str, Any], start: Any) -> Iterable[bytes]:
        try:
            return self.front(environ, start)
        except DroppedError:
            connection: socket.socket = environ["werkzeug.socket"]
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
            raise ConnectionAbortedError from None
