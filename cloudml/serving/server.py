"""The process: uvicorn, with a way of stopping that fails no request.

On SIGTERM the server takes no new connection, answers what comes on those it has with `Connection: close`, and ends
when they are gone. An idle connection is closed only after a while: its caller may be about to send the next request,
and learns from the answer to that one that it has to connect anew.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import signal
import socket
import threading
from typing import TYPE_CHECKING, Any

import uvicorn

from cloudml.serving.app import create_app
from cloudml.serving.service import Phase, Service

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

    from cloudml.serving.config import ServerConfig

_log = logging.getLogger("cloudml.serving")
OK, FAILED = 0, 3
BACKLOG = 512
KEEP_ALIVE_S = 75
"""Longer than the load balancers of the clouds keep an idle connection (60 s), so that it is they who close it."""
LOOK_S = 0.02
ACCEPTED_S = 0.1
"""For connections that were accepted, and are not in uvicorn's list yet."""
FAILED_LOAD_S = 0.5
"""How long a server whose model could not be loaded goes on saying so."""


class Server(uvicorn.Server):
    """A server that drains."""

    def __init__(self, config: uvicorn.Config, service: Service) -> None:
        super().__init__(config)
        self._service = service

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Stop, with exit code 0; a second SIGINT does not wait."""
        del frame
        self.force_exit = self.should_exit and sig == signal.SIGINT
        self.should_exit = True

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Let every connection have its last answer, then do what uvicorn does."""
        if self._service.phase is not Phase.FAILED:
            self._service.drain()
        for server in self.servers:
            server.close()
        limits, loop = self._service.config.limits, asyncio.get_running_loop()
        idle_until = loop.time() + limits.linger.total_seconds()
        await asyncio.sleep(ACCEPTED_S)
        while self.server_state.connections and loop.time() < idle_until and not self.force_exit:  # noqa: ASYNC110  uvicorn is mute
            await asyncio.sleep(LOOK_S)
        await super().shutdown(sockets)


def serve(config: ServerConfig, ready: Callable[[], Any] | None = None) -> int:
    """Serve until SIGTERM or SIGINT; the exit code.

    With an inherited socket nothing is accepted before the model is loaded: others may be answering on it meanwhile.
    With a port of its own the server says from the start that it is loading.

    Args:
        ready: Called once, when the model is loaded and the server listens.
    """
    service = Service(config)
    if config.fd is not None and not _loaded(service):
        return FAILED
    server, listener = made(service), opened(config)  # and it says so before anything can be said of the model
    if config.fd is None:
        threading.Thread(target=_load_beside, args=(service, server), name="load", daemon=True).start()
    return run(server, service, listener, ready)


def run(server: Server, service: Service, listener: socket.socket, ready: Callable[[], Any] | None) -> int:
    """Answer until told to stop; the exit code."""
    with asyncio.Runner(loop_factory=server.config.get_loop_factory()) as runner:
        runner.run(_run(server, service, listener, ready))
    idle = service.close()
    code = FAILED if service.phase is Phase.FAILED else OK
    if not idle:  # a call whose caller was told long ago that it took too long; the interpreter would wait for it
        logging.shutdown()
        os._exit(code)
    return code


async def _run(server: Server, service: Service, listener: socket.socket, ready: Callable[[], Any] | None) -> None:
    announced = asyncio.create_task(_announce(server, service, ready))
    await server.serve([listener])
    announced.cancel()


async def _announce(server: Server, service: Service, ready: Callable[[], Any] | None) -> None:
    while not server.started or service.phase is Phase.LOADING:  # noqa: ASYNC110  a thread loads, and uvicorn is mute
        await asyncio.sleep(LOOK_S)
    if service.phase is Phase.READY:
        gc.collect()
        gc.freeze()  # what is loaded stays: a collection that looks at all of it would hold up every request
        _log.info("%s %s is ready", service.config.name, service.config.version)
        if ready is not None:
            ready()


def opened(config: ServerConfig) -> socket.socket:
    """The socket that is answered on."""
    if config.fd is not None:
        return socket.socket(fileno=config.fd)
    listener = socket.create_server((config.host, config.port), backlog=BACKLOG)
    _log.info("listening on %s:%d", *listener.getsockname()[:2])
    return listener


def _load_beside(service: Service, server: Server) -> None:
    if not _loaded(service):
        threading.Event().wait(FAILED_LOAD_S)
        server.should_exit = True


def _loaded(service: Service) -> bool:
    """Load the model; why it cannot be is the last thing on stderr."""
    try:
        service.load()
    except (Exception, SystemExit) as error:  # noqa: BLE001  a model's code may raise anything
        tell(error)
        return False
    return True


def tell(error: BaseException) -> None:
    """Log why a model cannot be loaded: first where, last what."""
    _log.error("the model could not be loaded", exc_info=error)
    _log.error("%s: %s", type(error).__name__, str(error) or "no reason is given")


def made(service: Service) -> Server:
    """The server of a service."""
    config = service.config
    settings = uvicorn.Config(
        create_app(config, service),
        lifespan="off",
        ws="none",
        log_config=None,
        log_level="warning",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        backlog=BACKLOG,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=int(config.limits.drain.total_seconds()),
    )
    return Server(settings, service)
