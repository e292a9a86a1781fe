"""Several workers that share one model: it is loaded once, and every worker is a fork of the process that has it.

The pages that the model lies in are shared until somebody writes to them. Workers accept from one socket, count in one
memory (`metrics`), and record into one folder. A worker that dies is replaced, without loading again; its requests are
lost. Threads that the model's code starts while it is loaded are not in the workers: fork takes one thread only.

The parent answers nothing. It learns from one pipe what happens: the signals it gets, and workers that are ready. The
workers hold another, whose end tells them that the parent is gone.
"""

from __future__ import annotations

import gc
import logging
import os
import signal
import sys
import threading
from typing import TYPE_CHECKING, Any

from cloudml.serving import routes, server, service
from cloudml.serving.metrics import Metrics

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

    from cloudml.serving.config import ServerConfig
    from cloudml.serving.service import Loaded

_log = logging.getLogger("cloudml.serving")
READY = 128
"""Worker n says READY + n; below are the numbers of signals."""
SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD)


def serve(config: ServerConfig, ready: Callable[[], Any] | None = None) -> int:
    """Serve until SIGTERM or SIGINT; the exit code. Nothing listens before the model is loaded.

    Args:
        ready: Called once, when every worker answers.
    """
    try:
        loaded = service.load(config)
    except (Exception, SystemExit) as error:  # noqa: BLE001  a model's code may raise anything
        server.tell(error)
        return server.FAILED
    gc.collect()
    gc.freeze()  # a collection would write to every object that it looks at, and so unshare its page
    return Workers(config, loaded, server.opened(config)).run(ready)


class Workers:
    """The parent of the workers."""

    def __init__(self, config: ServerConfig, loaded: Loaded, listener: socket.socket) -> None:
        self._config, self._loaded, self._listener = config, loaded, listener
        self._metrics = Metrics(routes.names(config), config.workers)
        self._numbers: dict[int, int] = {}
        self._ready: set[int] = set()
        self._announced, self._stopping, self._code = False, False, server.OK
        self._news, self._tell = os.pipe()
        self._lifeline, self._alive = os.pipe()

    def run(self, ready: Callable[[], Any] | None) -> int:
        """Start the workers, replace those that die, end when all have ended; the exit code."""
        os.set_blocking(self._tell, False)
        signal.set_wakeup_fd(self._tell)
        for number in SIGNALS:
            signal.signal(number, lambda *_: None)  # it is read from the pipe
        for worker in range(self._config.workers):
            self._start(worker)
        while self._numbers:
            for told in os.read(self._news, 64):
                if told >= READY:
                    self._is_ready(told - READY, ready)
                elif told == signal.SIGCHLD:
                    self._reap()
                else:
                    self._stop(told)
        return self._code

    def _start(self, worker: int) -> None:
        signal.pthread_sigmask(
            signal.SIG_BLOCK, SIGNALS
        )  # until the worker has let go of what the parent does with them
        pid = os.fork()
        if pid:
            self._numbers[pid] = worker
            signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
            return
        code = server.FAILED
        try:
            code = self._work(worker)
        except BaseException:  # noqa: BLE001  the parent's code must not run on in a worker
            _log.exception("worker %d failed", worker)
        finally:
            sys.stdout.flush()
            logging.shutdown()
            os._exit(code)

    def _work(self, worker: int) -> int:
        """What a worker does; the exit code."""
        signal.set_wakeup_fd(-1)
        for number in SIGNALS:
            signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
        os.setpgid(0, 0)  # what is typed at a terminal goes to the parent alone
        os.close(self._alive)
        threading.Thread(target=self._end_with_the_parent, name="lifeline", daemon=True).start()
        mine = service.Service(self._config, self._metrics, worker)
        mine.take(self._loaded)
        return server.run(
            server.made(mine), mine, self._listener, lambda: os.write(self._tell, bytes([READY + worker]))
        )

    def _end_with_the_parent(self) -> None:
        os.read(self._lifeline, 1)
        os.kill(os.getpid(), signal.SIGTERM)

    def _is_ready(self, worker: int, ready: Callable[[], Any] | None) -> None:
        self._ready.add(worker)
        if len(self._ready) == self._config.workers and not self._announced:
            self._announced = True
            if ready is not None:
                ready()

    def _reap(self) -> None:
        for pid in list(self._numbers):
            ended, status = os.waitpid(pid, os.WNOHANG)
            if ended:
                self._ended(self._numbers.pop(pid), os.waitstatus_to_exitcode(status))

    def _ended(self, worker: int, code: int) -> None:
        self._metrics.sheets[worker].ended()
        if self._stopping:
            self._code = self._code or max(code, server.OK)
            return
        _log.error("worker %d ended with code %d", worker, code)
        if worker in self._ready:
            self._ready.remove(worker)
            self._start(worker)
        else:  # it never answered, and the next one would not either
            self._code = server.FAILED
            self._stop(signal.SIGTERM)

    def _stop(self, number: int) -> None:
        """Let the workers finish; a second SIGINT does not wait."""
        if not self._stopping:
            self._stopping = True
            self._listener.close()
        elif number == signal.SIGINT:
            for pid in self._numbers:
                os.kill(pid, signal.SIGINT)
            return
        for pid in self._numbers:
            os.kill(pid, signal.SIGTERM)
