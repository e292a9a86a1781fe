"""The servers of the doubles: what they read, and that connections stay open and end with the server."""

import http.client
import socket
import threading
from http.server import ThreadingHTTPServer

import pytest

from cloudml.doubles.listening import Connections, Handler


class Listener(Connections, ThreadingHTTPServer):
    daemon_threads = True


class Echo(Handler):
    def quick(self):
        return self.path == "/quick"

    def do_PUT(self):  # noqa: N802  a name of http.server
        if (wanted := self.headers.get("x-wanted", "nothing")) == "error":
            raise ConnectionAbortedError
        found = self.body() + (threading.current_thread().name if wanted == "thread" else wanted).encode()
        self.reply(200, [("Content-Length", str(len(found)))], found)

    do_GET = do_PUT  # noqa: N815  likewise


@pytest.fixture
def server():
    server = Listener(("127.0.0.1", 0), Echo)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    server.hang_up()
    server.server_close()
    thread.join()


@pytest.fixture
def client(server):
    client = http.client.HTTPConnection(*server.server_address, timeout=10)
    yield client
    client.close()


def asked(client, body, path="/", **headers):
    client.request("PUT", path, body=body, headers=headers)
    return client.getresponse().read()


SHARED = b"double-shared"
THREAD = {"x-wanted": "thread"}


def test_one_connection_serves_many_requests(client) -> None:
    assert asked(client, b"one") == b"onenothing"
    connection = client.sock
    assert asked(client, b"two", **{"x-WANTED": " said "}) == b"twosaid"
    assert client.sock is connection


def test_a_body_in_chunks_is_read_whole(client) -> None:
    assert asked(client, iter([b"a", b"b" * 100_000, b"c"])) == b"a" + b"b" * 100_000 + b"cnothing"
    assert asked(client, b"next") == b"nextnothing"


def test_who_asks_before_sending_is_told_to_go_on(server) -> None:
    with socket.create_connection(server.server_address, timeout=10) as plain:
        plain.sendall(b"PUT / HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n")
        assert plain.recv(100).startswith(b"HTTP/1.1 100 ")
        plain.sendall(b"abc")
        assert b"abcnothing" in plain.recv(1000)


def test_what_is_no_request_is_refused(server) -> None:
    with socket.create_connection(server.server_address, timeout=10) as plain:
        plain.sendall(b"nonsense\r\n\r\n")
        assert b" 400 " in plain.recv(1000)


def test_open_connections_end_with_the_server(server, client) -> None:
    asked(client, b"")
    server.hang_up()
    assert client.sock.recv(1) == b""


def test_requests_that_wait_for_nothing_share_a_thread_until_the_first_that_may_wait(server, client) -> None:
    other = http.client.HTTPConnection(*server.server_address, timeout=10)
    for one in (client, other):
        assert asked(one, b"", "/quick", **THREAD) == SHARED
        assert asked(one, b"x" * 300_000, "/quick", **THREAD) == b"x" * 300_000 + SHARED
    assert asked(client, b"", "/", **THREAD) != SHARED
    assert asked(client, b"", "/quick", **THREAD) != SHARED
    assert asked(other, b"", "/quick", **THREAD) == SHARED
    other.close()


@pytest.mark.parametrize(
    ("body", "said"), [(b"ab", {"Expect": "100-continue"}), ([b"ab"], {}), (b"ab", {"x": "y" * 9_000})]
)
def test_what_may_be_long_or_late_has_a_thread_of_its_own(client, body, said) -> None:
    assert SHARED not in asked(client, body, "/quick", **THREAD, **said)


def test_a_long_body_and_a_verb_with_a_long_answer_have_a_thread_of_their_own(client) -> None:
    client.request("GET", "/quick", headers=THREAD)
    assert client.getresponse().read() != SHARED
    client.close()
    assert asked(client, b"x" * 1_100_000, "/quick", **THREAD)[-len(SHARED) :] != SHARED


def test_a_body_that_is_late_holds_nobody_up(server, client) -> None:
    with socket.create_connection(server.server_address, timeout=10) as slow:
        for piece in (b"PUT /quick HTTP/1.1\r\nContent-Length: 6\r\nx-wanted: thread\r\n\r\n", b"abc"):
            slow.sendall(piece)
            assert asked(client, b"", "/quick", **THREAD) == SHARED
        slow.sendall(b"def")
        assert slow.recv(1000).endswith(b"abcdef" + SHARED)


def test_a_connection_that_breaks_leaves_the_others(server, client) -> None:
    with socket.create_connection(server.server_address, timeout=10) as broken:
        broken.sendall(b"PUT /quick HTTP/1.1\r\nx-wanted: error\r\n\r\n")
        assert broken.recv(1000) == b""
    assert asked(client, b"", "/quick", **THREAD) == SHARED


def test_a_connection_is_closed_where_the_client_says_so(server) -> None:
    with socket.create_connection(server.server_address, timeout=10) as plain:
        plain.sendall(b"PUT /quick HTTP/1.1\r\nConnection: close\r\nx-wanted: it\r\n\r\n")
        assert plain.recv(1000).endswith(b"it")
        assert plain.recv(1000) == b""
