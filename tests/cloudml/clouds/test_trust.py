"""Hosts are checked by authorities that are read once."""

from __future__ import annotations

import ssl
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

import pytest
import requests

from cloudml.clouds import trust
from cloudml_azure.double import certificate

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class Fine(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *said: object) -> None:
        pass


@pytest.fixture
def trusted(tmp_path: Path) -> Path:
    """The authority of a server at 127.0.0.1 that calls itself ``localhost`` too, and what else is trusted."""
    return certificate.issue(tmp_path, ("127.0.0.1", "localhost"))[1]


@pytest.fixture
def port(trusted: Path) -> Iterator[int]:
    own = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    own.load_cert_chain(trusted.with_name("server.pem"))
    server = ThreadingHTTPServer(("127.0.0.1", 0), Fine)
    server.socket = own.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server.server_port
    server.shutdown()
    thread.join()
    server.server_close()


def test_authorities_are_read_once_for_all_hosts_and_sessions(port: int, trusted: Path) -> None:
    before = trust.context.cache_info().misses
    for host in ("127.0.0.1", "localhost"):
        for _ in range(2):
            assert trust.session().get(f"https://{host}:{port}/", verify=str(trusted)).status_code == 200
    assert trust.context.cache_info().misses == before + 1


def test_a_session_trusts_whom_its_environment_names(port: int, trusted: Path, monkeypatch) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(trusted))
    assert trust.session().get(f"https://localhost:{port}/").status_code == 200


def test_of_a_folder_of_authorities_only_those_in_it_are_trusted(port: int, tmp_path: Path) -> None:
    (tmp_path / "none").mkdir()
    with pytest.raises(requests.exceptions.SSLError, match="CERTIFICATE_VERIFY_FAILED"):
        trust.session().get(f"https://localhost:{port}/", verify=str(tmp_path / "none"))


def test_who_is_not_trusted_is_refused(port: int, monkeypatch) -> None:
    for name in certificate.BUNDLES:
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(requests.exceptions.SSLError, match="CERTIFICATE_VERIFY_FAILED"):
        trust.session().get(f"https://localhost:{port}/")


def test_a_host_with_the_name_of_none_of_its_certificate_is_refused(port: int, trusted: Path) -> None:
    with pytest.raises(requests.exceptions.SSLError, match="match"):
        trust.session().get(f"https://127.1:{port}/", verify=str(trusted))


def test_who_asks_for_no_check_gets_none(port: int) -> None:
    with pytest.warns(match="Unverified"):
        assert trust.session().get(f"https://localhost:{port}/", verify=False).status_code == 200


@pytest.mark.parametrize("cert", ["own.pem", ("own.pem", "key.pem")])
def test_a_certificate_of_the_client_is_in_no_context_of_others(trusted: Path, cert) -> None:
    request = requests.Request("GET", "https://localhost/").prepare()
    _, tls = trust.session().get_adapter(request.url).build_connection_pool_key_attributes(request, str(trusted), cert)
    assert (tls["cert_file"], tls["ca_certs"]) == ("own.pem", str(trusted))
    assert "ssl_context" not in tls
