"""The double without a socket: clients of this process hand their requests over, and get the answers back.

Behind azure-core's RequestsTransport, so that all of its pipeline is real; its waits pass on the double's clock.
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

from cloudml_azure.double.front import DroppedError, HeldError

if TYPE_CHECKING:
    from cloudml.doubles.clock import Clock
    from cloudml_azure.double.front import Front


def session(front: Front) -> Any:
    """A session of requests whose https goes to the double; http, which is for blobs, goes over the wire."""
    import requests
    from requests.adapters import HTTPAdapter
    from requests.exceptions import ConnectionError as Dropped
    from requests.exceptions import ReadTimeout
    from urllib3.response import HTTPResponse

    class Adapter(HTTPAdapter):
        """Sends nothing."""

        def send(self, request: Any, **_: Any) -> Any:  # type: ignore[override]  # requests names them one by one
            try:
                answer = front.dispatch(request.method, request.url, request.headers, _content(request.body))
            except DroppedError as error:
                raise Dropped(f"the connection to {request.url} was closed", request=request) from error
            except HeldError as error:
                raise ReadTimeout(f"no answer from {request.url}", request=request) from error
            content = b"" if request.method == "HEAD" else answer.content()
            raw = HTTPResponse(
                body=io.BytesIO(content),
                headers={"Content-Length": str(answer.length), **answer.headers},
                status=answer.status,
                reason="",
                preload_content=False,
                request_url=request.url,
                request_method=request.method,
            )
            return self.build_response(request, raw)

    found = requests.Session()
    found.trust_env = False
    found.mount("https://", Adapter())
    return found


def transport(front: Front, clock: Clock) -> Any:
    """A transport of azure-core that talks to the double."""
    from azure.core.pipeline.transport import RequestsTransport

    class Transport(RequestsTransport):  # type: ignore[misc]  # it is loaded lazily there, so without a type
        """Waits on the double's clock."""

        def __init__(self) -> None:
            super().__init__(session=session(front), session_owner=False, use_env_settings=False)

        def sleep(self, duration: float) -> None:
            clock.sleep(duration)

    return Transport()


def _content(body: Any) -> bytes:
    if body is None or isinstance(body, str):
        return (body or "").encode()
    if isinstance(body, bytes | bytearray):
        return bytes(body)
    if hasattr(body, "read"):
        return bytes(body.read())
    return b"".join(body)
