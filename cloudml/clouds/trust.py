"""The authorities that are trusted with TLS, read once in a process.

requests has them read anew for each connection: 50 ms of processor, for a file of 140 certificates, and a command asks
several hosts. Not for google-auth, which takes a session with an adapter of another's for one that has seen to client
certificates itself.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ssl import SSLContext

    from requests import Session


@cache
def context(authorities: str) -> SSLContext:
    """What checks hosts by the certificates in that file, or in the files of that folder.

    Raises:
        OSError: They cannot be read.
    """
    from pathlib import Path

    from urllib3.util.ssl_ import create_urllib3_context

    made = create_urllib3_context()  # it asks for a certificate, and for the host's name in it
    folder = Path(authorities).is_dir()
    made.load_verify_locations(None if folder else authorities, authorities if folder else None)
    return made


def session() -> Session:
    """A session of requests that reads no authorities again, and sends each request once."""
    from requests import Session
    from requests.adapters import HTTPAdapter
    from requests.certs import where  # type: ignore[attr-defined]  # for this, as its documentation says
    from urllib3.util.retry import Retry

    class Trusting(HTTPAdapter):
        def build_connection_pool_key_attributes(self, request: Any, verify: Any, cert: Any = None) -> Any:
            host, tls = super().build_connection_pool_key_attributes(request, verify, cert)
            if _shared(host["scheme"], verify, cert):
                authorities = where() if verify is True else verify
                return host, {"cert_reqs": "CERT_REQUIRED", "ssl_context": context(authorities)}
            return host, tls

        def cert_verify(self, conn: Any, url: str, verify: Any, cert: Any) -> None:
            super().cert_verify(conn, url, verify, cert)
            if _shared(conn.scheme, verify, cert):
                conn.ca_certs = conn.ca_cert_dir = None  # the context has read them

    made = Session()
    made.mount("https://", Trusting(max_retries=Retry(total=False, redirect=False, raise_on_status=False)))
    return made


def _shared(scheme: str, verify: Any, cert: Any) -> bool:
    """Whether a connection needs no context of its own, as one with a certificate of the client does."""
    return scheme == "https" and bool(verify) and cert is None
