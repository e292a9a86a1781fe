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
    def do_PUT(self):  # noqa: N802  a name of http.server
        found = self.body() + self.headers.get("X-wanted", "nothing").encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(found)))
        self.end_headers()
        self.wfile.write(found)


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


def asked(client, body, **headers):
    client.request("PUT", "/", body=body, headers=headers)
    return client.getresponse().read()


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
