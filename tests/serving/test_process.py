"""The server as a process: starting, failing, draining, dying."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import textwrap
import threading
import time
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from pyarrow import parquet

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PATIENCE_S = 60
MAIN = """
import os, sys
from cloudml.serving.__main__ import main
told = int(sys.argv.pop(1))
sys.exit(main(sys.argv[1:], ready=lambda: os.write(told, b"1")))
"""
HEADERS = {"Content-Type": "application/json"}


def until(look: Callable[[], Any], what: str) -> Any:
    """What *look* gives once it is true; looks again and again, under a deadline."""
    limit = time.monotonic() + PATIENCE_S
    while not (found := look()):
        assert time.monotonic() < limit, what
        time.sleep(0.005)  # a pause between two looks
    return found


@dataclass
class Running:
    """A server process.

    Attributes:
        told: Our end of a pipe on which it says that it is ready.
    """

    process: subprocess.Popen[str]
    told: int

    def ready(self) -> None:
        assert os.read(self.told, 1) == b"1", "it ended before it was ready"

    def end(self) -> int:
        self.process.terminate()
        return self.process.wait(PATIENCE_S)


@dataclass
class Servers:
    """What a test has started; all of it is stopped in the end."""

    started: list[Running] = field(default_factory=list)

    def start(self, folder: Path, *words: str, fds: tuple[int, ...] = ()) -> Running:
        read, write = os.pipe()
        process = subprocess.Popen(
            [sys.executable, "-c", MAIN, str(write), "--model", str(folder), *words],
            pass_fds=(write, *fds),
            stderr=subprocess.PIPE,
            text=True,
        )
        os.close(write)
        self.started.append(Running(process, read))
        return self.started[-1]


@pytest.fixture
def servers() -> Iterator[Servers]:
    servers = Servers()
    try:
        yield servers
    finally:
        for running in servers.started:
            running.process.kill()
            running.process.communicate()
            os.close(running.told)


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0), backlog=128) as found:
        yield found


@pytest.fixture
def port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as found:
        return int(found.getsockname()[1])


@pytest.fixture
def predicts(folder: Path) -> Callable[[str], Path]:
    def write(text: str) -> Path:
        (folder / "predict.py").write_text(f"from pathlib import Path\nimport os, time\n{textwrap.dedent(text)}")
        return folder

    return write


ECHO = """
    class Predictor:
        def __init__(self, model): pass
        def predict(self, instances): return instances
"""
WAITING = """
    def wait(path):
        while not path.exists():
            time.sleep(0.005)

    class Predictor:
        def __init__(self, model):
            self.model = model
            wait(model / "load")

        def predict(self, instances):
            (self.model / "came").touch()
            wait(self.model / "go")
            return instances
"""


def ask(port: int, method: str, path: str, body: Any = None) -> tuple[int, bytes, str | None]:
    """Status, body and Connection header of an answer; 0 when nobody listens."""
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE_S)) as connection:
        try:
            connection.request(method, path, None if body is None else json.dumps(body), HEADERS)
        except ConnectionRefusedError:
            return 0, b"", None
        answer = connection.getresponse()
        return answer.status, answer.read(), answer.getheader("connection")


def test_a_server_says_that_it_loads_and_finishes_what_it_has_begun(servers, predicts, port) -> None:
    folder = predicts(WAITING)
    running = servers.start(folder, "--port", str(port))
    assert until(lambda: ask(port, "GET", "/ping")[0], "it does not listen") == 503
    assert ask(port, "GET", "/v2/health/live")[0] == 200
    assert ask(port, "POST", "/invocations", [1])[0] == 503
    (folder / "load").touch()
    running.ready()
    assert ask(port, "GET", "/ping")[0] == 200
    answers: list[tuple[int, bytes, str | None]] = []
    asking = threading.Thread(target=lambda: answers.append(ask(port, "POST", "/invocations", [1])))
    asking.start()
    until((folder / "came").exists, "the request did not come to the model")
    running.process.terminate()
    until(lambda: ask(port, "GET", "/ping")[0] == 0, "it still accepts")
    assert running.process.poll() is None
    (folder / "go").touch()
    asking.join(PATIENCE_S)
    assert answers == [(200, b"[1]", "close")]
    assert running.process.wait(PATIENCE_S) == 0


def test_a_model_that_cannot_be_loaded_ends_the_server_with_the_reason(servers, predicts, port, listener) -> None:
    folder = predicts("raise ImportError('no module named hope')")
    own = servers.start(folder, "--port", str(port))
    inherited = servers.start(folder, "--fd", str(listener.fileno()), fds=(listener.fileno(),))
    assert until(lambda: ask(port, "GET", "/ping")[0], "it does not listen") == 503
    for running in (own, inherited):
        assert running.process.wait(PATIENCE_S) == 3
        last = running.process.stderr.read().strip().splitlines()[-1]
        assert last.endswith("ImportError: no module named hope")


def test_a_wrong_command_line_says_what_to_do(servers, folder) -> None:
    running = servers.start(folder, "--capture-share", "2")
    assert running.process.wait(PATIENCE_S) == 2
    assert "no share between 0 and 1" in running.process.stderr.read()


def test_an_idle_connection_does_not_hold_up_the_end(servers, predicts, listener) -> None:
    fd = listener.fileno()
    running = servers.start(predicts(ECHO), "--fd", str(fd), "--linger-seconds", "0.1", fds=(fd,))
    running.ready()
    with closing(http.client.HTTPConnection("127.0.0.1", listener.getsockname()[1])) as connection:
        connection.request("POST", "/predict", "[1]", HEADERS)
        assert connection.getresponse().read() == b"[1]"
        assert running.end() == 0


@dataclass
class Hammer:
    """Clients that never stop: half of them keep their connection, half connect anew for every request."""

    port: int
    stopped: threading.Event = field(default_factory=threading.Event)
    answers: list[int] = field(default_factory=lambda: [0] * 8)
    failures: list[str] = field(default_factory=list)

    def run(self, number: int) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE_S)
        while not self.stopped.is_set():
            try:
                connection.request("POST", "/invocations", json.dumps({"instances": [number]}), HEADERS)
                answer = connection.getresponse()
                body = answer.read()
                if answer.status != 200 or json.loads(body) != {"predictions": [number]}:
                    self.failures.append(f"{answer.status} {body!r}")
                if number % 2:
                    connection.close()
            except (OSError, http.client.HTTPException) as error:
                self.failures.append(repr(error))
                connection.close()
            self.answers[number] += 1
        connection.close()

    def more(self, count: int = 20) -> None:
        """Go on when every client has had so many more answers."""
        wanted = [answers + count for answers in self.answers]
        enough = lambda: all(have >= want for have, want in zip(self.answers, wanted, strict=True))  # noqa: E731
        until(enough, "the clients are stuck")


def test_a_rolling_update_on_one_socket_fails_no_request(servers, predicts, listener) -> None:
    folder, fd = predicts(ECHO), listener.fileno()
    hammer = Hammer(listener.getsockname()[1])
    old = servers.start(folder, "--fd", str(fd), fds=(fd,))
    old.ready()
    clients = [threading.Thread(target=hammer.run, args=(number,)) for number in range(8)]
    for client in clients:
        client.start()
    try:
        hammer.more()
        new = servers.start(folder, "--fd", str(fd), fds=(fd,))
        new.ready()
        hammer.more()
        assert old.end() == 0
        hammer.more()
    finally:
        hammer.stopped.set()
        for client in clients:
            client.join(PATIENCE_S)
    assert hammer.failures == []
    assert new.end() == 0


def test_a_server_that_is_killed_keeps_what_it_has_flushed(servers, predicts, listener, tmp_path) -> None:
    fd, place = listener.fileno(), tmp_path / "capture"
    words = ("--fd", str(fd), "--capture-dir", str(place), "--capture-flush-seconds", "0")
    running = servers.start(predicts(ECHO), *words, fds=(fd,))
    running.ready()
    port = listener.getsockname()[1]
    for number in range(5):
        assert ask(port, "POST", "/predict", [number])[0] == 200
    count = lambda: sum(parquet.read_metadata(path).num_rows for path in place.glob("*.parquet"))  # noqa: E731
    until(lambda: count() == 5, "it was not flushed")
    running.process.send_signal(signal.SIGKILL)
    running.process.wait(PATIENCE_S)
    assert count() == 5


def test_draining_writes_what_is_recorded(servers, predicts, listener, tmp_path) -> None:
    fd, place = listener.fileno(), tmp_path / "capture"
    words = ("--fd", str(fd), "--capture-dir", str(place), "--capture-flush-seconds", "3600")
    running = servers.start(predicts(ECHO), *words, fds=(fd,))
    running.ready()
    assert ask(listener.getsockname()[1], "POST", "/predict", [1, 2])[0] == 200
    assert running.end() == 0
    assert [parquet.read_metadata(path).num_rows for path in place.glob("*.parquet")] == [2]


TELLING = """
    class Predictor:
        def __init__(self, model):
            with (model / "loaded").open("a") as file:
                file.write(f"{os.getpid()}\\n")

        def predict(self, instances): return [os.getpid() for _ in instances]
"""


def test_workers_share_a_model_a_socket_and_their_counts(servers, predicts, port, tmp_path) -> None:
    folder, place = predicts(TELLING), tmp_path / "capture"
    running = servers.start(folder, "--port", str(port), "--workers", "2", "--capture-dir", str(place))
    running.ready()
    answers = [json.loads(ask(port, "POST", "/predict", [1, 2])[1]) for _ in range(10)]
    workers = {pid for answer in answers for pid in answer}
    assert [int(line) for line in (folder / "loaded").read_text().split()] == [running.process.pid]
    assert running.process.pid not in workers
    text = ask(port, "GET", "/metrics")[1].decode()
    assert 'cloudml_requests_total{route="/predict",status="200"} 10.0' in text
    assert "cloudml_batch_rows_sum 20.0" in text
    assert running.end() == 0
    assert ask(port, "GET", "/ping")[0] == 0
    assert sum(parquet.read_metadata(path).num_rows for path in place.glob("*.parquet")) == 20


def test_a_worker_that_dies_is_replaced_without_loading_again(servers, predicts, listener) -> None:
    folder, fd = predicts(TELLING), listener.fileno()
    running = servers.start(folder, "--fd", str(fd), "--workers", "2", fds=(fd,))
    running.ready()
    port = listener.getsockname()[1]
    answering = lambda: json.loads(ask(port, "POST", "/predict", [1])[1])[0]  # noqa: E731
    first = answering()
    os.kill(first, signal.SIGKILL)
    until(lambda: not alive(first), "it was not reaped")
    assert {answering() for _ in range(10)}.isdisjoint({first, running.process.pid})
    assert len((folder / "loaded").read_text().split()) == 1
    assert running.end() == 0


def test_workers_end_with_their_parent(servers, predicts, listener) -> None:
    fd = listener.fileno()
    running = servers.start(predicts(TELLING), "--fd", str(fd), "--workers", "2", "--linger-seconds", "0", fds=(fd,))
    running.ready()
    worker = json.loads(ask(listener.getsockname()[1], "POST", "/predict", [1])[1])[0]
    running.process.kill()
    running.process.wait(PATIENCE_S)
    until(lambda: not alive(worker), "a worker outlived its parent")


def test_workers_of_a_model_that_cannot_be_loaded_never_start(servers, predicts, port) -> None:
    running = servers.start(
        predicts("raise ImportError('no module named hope')"), "--port", str(port), "--workers", "2"
    )
    assert running.process.wait(PATIENCE_S) == 3
    assert "ImportError: no module named hope" in running.process.stderr.read().strip().splitlines()[-1]


def alive(pid: int) -> bool:
    """Whether it runs; who has ended and was not waited for does not."""
    try:
        return not Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].startswith(" Z")
    except FileNotFoundError:
        return False


def test_starting_loads_nothing_that_serving_does_not_need() -> None:
    program = (
        "import sys, cloudml.serving.server, cloudml.serving.local; "
        "heavy = 'pyarrow', 'numpy', 'pandas', 'prometheus_client', 'pydantic'; "
        "print([name for name in heavy if name in sys.modules])"
    )
    assert subprocess.check_output([sys.executable, "-c", program], text=True).strip() == "[]"
