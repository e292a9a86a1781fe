"""The double as a server on this machine, in threads of this process."""

from __future__ import annotations

import io
import logging
import re
import socket
import sys
import threading
import traceback
from contextlib import suppress
from functools import lru_cache
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from werkzeug.serving import ThreadedWSGIServer

from cloudml.doubles.listening import Connections, Handler
from cloudml_aws.double.front import DroppedError, Front

if TYPE_CHECKING:
    from collections.abc import Iterable

    from cloudml_aws.double.world import World

HOST = "127.0.0.1"
CLOSING_S = 5.0
EMPTY = frozenset({"204", "304"})
OWN = frozenset({"connection", "date", "server"})
"""Headers that are the server's, and not moto's, to say."""
PLAIN = re.compile(r"/(?!/)[!-\"$-~]*")
"""A target that needs no second look."""


@lru_cache(maxsize=512)
def _key(name: str) -> str:
    """The name of a header in the environment of WSGI."""
    key = name.upper().replace("-", "_")
    return key if key in {"CONTENT_TYPE", "CONTENT_LENGTH"} else f"HTTP_{key}"


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

    front: Front
    server: Any
    make_environ: Any
    """Of moto's handler, into which this one is mixed."""
    _same: dict[str, Any] | None = None
    """What is the same for all requests of the connection."""

    def _environ(self) -> dict[str, Any]:
        """The request as moto's handler puts it, who is asked for the first of a connection and for strange ones."""
        if not PLAIN.fullmatch(self.path) or any("_" in name for name in self.headers):
            return dict(self.make_environ())
        if self._same is None:
            made = self.make_environ()
            self._same = {name: value for name, value in made.items() if not name.startswith(("HTTP_", "CONTENT_"))}
        path, _, query = self.path.partition("?")
        return {
            **self._same, "REQUEST_METHOD": self.command, "SERVER_PROTOCOL": self.request_version,
            "REQUEST_URI": self.path, "RAW_URI": self.path, "QUERY_STRING": query,
            "PATH_INFO": unquote(path).encode().decode("latin-1") if "%" in path else path,
            **{_key(name): value for name, value in self.headers.items()},
        }  # fmt: skip

    def quick(self) -> bool:
        return self.front.quick(self.path, self.headers.get("authorization", ""))

    def run_wsgi(self) -> None:
        """Answer one request."""
        environ = self._environ()
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
        named = [(name, value) for name, value in headers if name.lower() not in OWN]
        if code not in EMPTY and not any(name.lower() == "content-length" for name, _ in headers):
            named.append(("Content-Length", str(len(body))))
        self.reply(int(code), [*self.itself().items(), *named], body, reason)


class Server:
    """One listening socket, and a thread that accepts.

    Args:
        world: What is answered from.
    """

    def __init__(self, world: World, port: int = 0) -> None:
        from moto.moto_server.werkzeug_app import MotoRequestHandler

        self.front = Front(world, moto_application())
        handler = type("Handler", (_Keeping, MotoRequestHandler), {"front": self.front})
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
