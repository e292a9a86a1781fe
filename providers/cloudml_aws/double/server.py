"""The double as a server on this machine, in threads of this process."""

from __future__ import annotations

import logging
import socket
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from werkzeug.serving import BaseWSGIServer, make_server

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


class Server:
    """One listening socket, and a thread that accepts.

    Args:
        world: What is answered from.
    """

    def __init__(self, world: World, port: int = 0) -> None:
        from moto.moto_server.werkzeug_app import MotoRequestHandler

        self.front = Front(world, moto_application())
        handler = _quiet(MotoRequestHandler)
        self._server: BaseWSGIServer = make_server(
            "127.0.0.1", port, self._answer, threaded=True, request_handler=handler
        )
        self._server.daemon_threads = True  # type: ignore[attr-defined]  # of ThreadingMixIn
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, name="double-server", daemon=True
        )
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self._server.server_port}"

    def close(self) -> None:
        """Listen no more."""
        self._server.shutdown()
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


def _quiet(handler: type[Any]) -> type[Any]:
    """The request handler without a line for every request."""
    return type("Handler", (handler,), {"log": lambda *_: None, "log_request": lambda *_: None})
