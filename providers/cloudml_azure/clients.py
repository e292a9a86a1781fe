"""The wire clients: azure-core for the REST interfaces, obstore for the container. The only file that imports an SDK.

Every request of the workspace goes through `Clients.send`, by the table of `cloudml_azure.requests`. What takes time is
described by its status address alone, so that another process can ask how it stands: `Clients.operation`.
"""

from __future__ import annotations

import os
import threading
import time
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

from cloudml.clouds import trust
from cloudml.clouds.late import REQUESTS, late
from cloudml.clouds.patience import Patience
from cloudml.errors import NotFoundError
from cloudml.plan import Call
from cloudml.storage.failures import words
from cloudml_azure import requests
from cloudml_azure.errors import answered, translated

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from cloudml.plan import Plan
    from cloudml.storage import Storage
    from cloudml_azure.settings import AzureSettings

ARM = "https://management.azure.com"
SCOPE = "https://management.azure.com/.default"
SCORING_SCOPE = "https://ml.azure.com/.default"
"""For whom a token is that an endpoint with Entra sign-in asks for."""
STORAGE_SCOPE = "https://storage.azure.com/.default"
STORAGE_VERSION = "2025-05-05"
CERTIFICATES = (
    "cryptography.hazmat.primitives.asymmetric.padding", "cryptography.hazmat.primitives.hashes",
    "cryptography.hazmat.primitives.serialization", "cryptography.x509", "xml.etree.ElementTree",
    "xml.etree.cElementTree", *REQUESTS,
)  # fmt: skip
"""What azure-core, azure-identity and requests import, and only certificates and documents in XML need: loaded then."""
PATIENCE = Patience(answer_s=120.0)
OURS = frozenset({"Blobs_Upload", "Blobs_Copy", "Blobs_Put"})
"""What the plan shows of transfers, which obstore carries out: no request of a service."""
ACCEPTED = frozenset({200, 201, 202, 204, 206})
PLANES: Mapping[str, str] = {
    "history": "/history/v1.0{workspace}/{path}",
    "mlflow": "/mlflow/v2.0{workspace}/api/2.0/mlflow/{path}",
}
"""The data planes below the address that the workspace's discovery document gives."""


def verify(plan: Plan) -> None:
    """Hold every request of a plan against the contract.

    Raises:
        SpecError: A member is unknown or missing, or a value is none that the service takes.
    """
    for call in plan.calls:
        if call.operation not in OURS:
            requests.check(call)


class Answered:
    """An answer: its status, headers and document."""

    __slots__ = ("document", "headers", "status")

    def __init__(self, status: int, headers: Mapping[str, str], document: Any) -> None:
        self.status = status
        self.headers = headers
        self.document = document


class Clients:
    """The clients of one target.

    Args:
        settings: The target.
        transport: An azure-core transport, such as a double's; the usual one when left out.
        credential: Any credential of azure-core; the usual search of azure-identity when left out.
        blob_endpoint: Where the storage account answers, if not at Azure.
        sleep: How time passes while something is waited for.
        patience: With the services of the control plane.
    """

    def __init__(
        self,
        settings: AzureSettings,
        *,
        transport: Any = None,
        credential: Any = None,
        blob_endpoint: str | None = None,
        sleep: Callable[[float], None] = time.sleep,
        patience: Patience = PATIENCE,
    ) -> None:
        self.settings = settings
        self.sleep = sleep
        self._patience = patience
        self._transport = transport
        self._credential = credential
        self._arm = os.environ.get("CLOUDML_AZURE_ARM_ENDPOINT", ARM).rstrip("/")
        self._blobs = blob_endpoint or os.environ.get("CLOUDML_AZURE_BLOB_ENDPOINT")
        self._lock = threading.RLock()
        self._made: dict[str, Any] = {}

    def send(self, operation: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """Send one request, ``Jobs_CreateOrUpdate``, and give back the answer's document.

        Raises:
            ProviderError: The service's refusal, as `cloudml_azure.errors` has it.
            SpecError: The contract does not allow it; nothing was sent.
        """
        found: dict[str, Any] = self.ask(operation, body).document
        return found

    def ask(self, operation: str, body: Mapping[str, Any]) -> Answered:
        """The same with the answer's status: 201 says that it was not there before."""
        requests.check(Call(operation, body))
        route, there = requests.ROUTES[operation], requests.address(operation, body, self.settings)
        url = self._plane(route.plane, there.path) if route.plane in PLANES else f"{self._arm}{there.path}"
        found: Answered = self._patiently(
            operation, lambda: self._sent(operation, route.method, url, there.query, there.body)
        )
        return found

    def pages(self, operation: str, body: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        """The members of every page of a list."""
        page = self.send(operation, body)
        while True:
            yield from page.get("value") or ()
            link = page.get("nextLink")
            if not link:
                return
            page = self.get(operation, link)

    def operation(self, url: str) -> dict[str, Any]:
        """How an operation stands, by its status address; HTTP 200 also for one that failed, see `errors.failure`."""
        return self.get("Operations_Status", url)

    def get(self, operation: str, url: str) -> dict[str, Any]:
        """What an address of the control plane gives that an answer named."""
        answer = self._patiently(operation, lambda: self._sent(operation, "GET", url, {}, None))
        found: dict[str, Any] = answer.document
        return found

    def file(self, url: str, start: int = 0) -> bytes:
        """The content of a signed address from a byte on; nothing where there is no more, or nothing yet."""
        operation = "Blobs_Get"
        headers = {"Range": f"bytes={start}-"} if start else {}
        content: bytes = self._patiently(operation, lambda: self._read(operation, url, headers))
        return content

    def stored(
        self, operation: str, method: str, path: str, query: Mapping[str, str], content: bytes | bytearray | None = None
    ) -> bytes:
        """Ask the storage account about *path*, the container first; what it answers.

        Raises:
            ProviderError: Its refusal.
        """
        from azure.core.rest import HttpRequest

        host = self._blobs or f"https://{self.settings.storage_account}.blob.core.windows.net"
        url, headers = f"{host}/{quote(path)}?{urlencode(query)}", {"x-ms-version": STORAGE_VERSION}

        def sent() -> bytes:
            request = HttpRequest(method, url, headers=headers, content=content)  # type: ignore[arg-type]  # or a bytearray
            answer = self._for_storage().send_request(
                request, read_timeout=self._patience.answer_s, enforce_https=not host.startswith("http://")
            )
            if answer.status_code in ACCEPTED:
                return bytes(answer.read())
            said = {"code": answer.headers.get("x-ms-error-code", ""), "message": words(answer.text())}
            request_id = answer.headers.get("x-ms-request-id", "")
            raise answered(operation, answer.status_code, {"error": said}, request_id)

        found: bytes = self._patiently(operation, sent)
        return found

    def score(self, url: str, body: bytes, headers: Mapping[str, str]) -> tuple[int, Mapping[str, str], bytes]:
        """One prediction, sent once: status, headers, body.

        Raises:
            ProviderError: No answer came.
        """
        from azure.core.rest import HttpRequest

        operation = "Endpoints_Score"
        with translated(operation):
            request = HttpRequest("POST", url, content=body, headers=dict(headers))
            answer = self._open().send_request(
                request, read_timeout=self.settings.request_timeout_s + self._patience.answer_s
            )
            return answer.status_code, {key.lower(): value for key, value in answer.headers.items()}, answer.read()

    def key(self, endpoint: str) -> str:
        """What an endpoint is asked with: its key, or a token of Entra ID."""
        if self.settings.authentication == "entra":
            with translated("sign in"):
                return str(self.credential().get_token(SCORING_SCOPE).token)
        made = f"key/{endpoint}"
        with self._lock:
            if made not in self._made:
                self._made[made] = self.send("OnlineEndpoints_ListKeys", {"endpoint": endpoint})["primaryKey"]
            return str(self._made[made])

    def forget_key(self, endpoint: str) -> None:
        """Ask for the key anew: it was changed, or the endpoint is another one."""
        with self._lock:
            self._made.pop(f"key/{endpoint}", None)

    def scoring(self, endpoint: str) -> str:
        """Where an endpoint answers; remembered."""
        made = f"scoring/{endpoint}"
        with self._lock:
            if made not in self._made:
                found = self.send("OnlineEndpoints_Get", {"endpoint": endpoint})["properties"]
                self._made[made] = found.get("scoringUri", "")
            return str(self._made[made])

    def forget_endpoint(self, endpoint: str) -> None:
        """Ask for address and key anew."""
        with self._lock:
            self._made.pop(f"scoring/{endpoint}", None)
        self.forget_key(endpoint)

    def once(self, name: str, do: Callable[[], None]) -> None:
        """Do what needs doing once for these clients."""
        with self._lock:
            if f"once/{name}" not in self._made:
                do()
                self._made[f"once/{name}"] = True

    def storage(self, root: str) -> Storage:
        """The storage at an address of the container."""
        found: Storage = self._once(root, lambda: self._storage(root))
        return found

    def credential(self) -> Any:
        """The credential of azure-core by which everything is asked."""
        return self._credential or self._once("credential", lambda: _default_credential(self._way()))

    def _patiently(self, operation: str, send: Callable[[], Any]) -> Any:
        """What *send* gives; sent again where the table of errors says that it may help."""

        def sent() -> Any:
            with translated(operation):
                return send()

        return self._patience.asked(sent, lambda error: error.retryable, self.sleep)

    def _sent(
        self, operation: str, method: str, url: str, query: Mapping[str, str], body: Mapping[str, Any] | None
    ) -> Answered:
        from azure.core.rest import HttpRequest

        request = HttpRequest(method, url, params=dict(query), json=None if body is None else dict(body))
        answer = self._signed().send_request(request, read_timeout=self._patience.answer_s)
        document = _document(answer)
        if answer.status_code not in ACCEPTED:
            request_id = answer.headers.get("x-ms-request-id", "")
            error = answered(operation, answer.status_code, document, request_id)
            error.after_s = _seconds(answer.headers.get("Retry-After", ""))  # type: ignore[attr-defined]  # for us alone
            raise error
        return Answered(answer.status_code, answer.headers, document)

    def _read(self, operation: str, url: str, headers: Mapping[str, str]) -> bytes:
        from azure.core.rest import HttpRequest

        answer = self._open().send_request(
            HttpRequest("GET", url, headers=dict(headers)), read_timeout=self._patience.answer_s
        )
        content = bytes(answer.read())
        if answer.status_code in ACCEPTED:
            return content
        if answer.status_code in {404, 416}:
            return b""
        raise answered(operation, answer.status_code, None)

    def _plane(self, plane: str, path: str) -> str:
        base = self._once("api", self._discovered)
        return f"{base}{PLANES[plane].format(workspace=self.settings.workspace_id, path=path)}"

    def _discovered(self) -> str:
        """Where the workspace's data planes are: its discovery document says it, which anybody may read."""
        url = str(self.send("Workspaces_Get", {})["properties"]["discoveryUrl"])
        found = self.get("Discovery_Get", url)
        if "api" not in found:
            raise NotFoundError(
                f"the workspace's discovery document at {url} names no `api`", operation="Discovery_Get"
            )
        return str(found["api"]).rstrip("/")

    def _once(self, key: str, make: Callable[[], Any]) -> Any:
        with self._lock:
            if key not in self._made:
                with translated(f"sign in for {key}"):
                    self._made[key] = make()
            return self._made[key]

    def _signed(self) -> Any:
        return self._once("signed", lambda: self._pipeline(SCOPE))

    def _for_storage(self) -> Any:
        return self._once("for storage", lambda: self._pipeline(STORAGE_SCOPE))

    def _open(self) -> Any:
        return self._once("open", self._pipeline)

    def _pipeline(self, scope: str = "") -> Any:
        """A pipeline of azure-core, signed for a scope; it sends once: `_patiently` decides what is sent again."""
        from azure.core import PipelineClient
        from azure.core.pipeline.policies import BearerTokenCredentialPolicy, RequestIdPolicy, UserAgentPolicy

        policies: list[Any] = [RequestIdPolicy(), UserAgentPolicy(base_user_agent="cloudml")]
        if scope:
            policies.append(BearerTokenCredentialPolicy(self.credential(), scope))
        return PipelineClient(self._arm, policies=policies, transport=self._way())

    def _way(self) -> Any:
        return self._transport or self._once("transport", _usual_transport)

    def _storage(self, root: str) -> Storage:
        from cloudml.clouds.parts import Root
        from cloudml.storage import Storage
        from cloudml_azure.parts import Uploads

        options: dict[str, Any] = {"account_name": self.settings.storage_account}
        if self._blobs:
            options |= {
                "endpoint": self._blobs,
                "client_options": {"allow_http": self._blobs.startswith("http://")},
            }
        return Storage(
            root, uploads=Uploads(self, Root.of(root)), credential_provider=Tokens(self.credential()), **options
        )


class Tokens:
    """Tokens for obstore, out of a credential of azure-core.

    obstore has the same, and imports the whole of `azure.identity.aio` with it.
    """

    def __init__(self, credential: Any) -> None:
        self._credential = credential

    def __call__(self) -> dict[str, Any]:
        from datetime import UTC, datetime

        found = self._credential.get_token(STORAGE_SCOPE)
        return {"token": found.token, "expires_at": datetime.fromtimestamp(found.expires_on, UTC)}


def _usual_transport() -> Any:
    """azure-core's own over requests, with one session for all that is asked, the sign-in too."""
    with late(*CERTIFICATES):
        from azure.core.pipeline.transport import RequestsTransport

    return RequestsTransport(session=trust.session(), session_owner=False)  # no credential closes it for the others


def _default_credential(transport: Any) -> Any:
    import logging

    with late(*CERTIFICATES):
        from azure.identity import DefaultAzureCredential

    logging.getLogger("azure.identity").setLevel(logging.ERROR)  # it warns of what it raises as well, over a page
    return DefaultAzureCredential(transport=transport)


def _document(answer: Any) -> Any:
    """The JSON of an answer; an empty object where it has none."""
    content = answer.read()
    if not content:
        return {}
    try:
        return answer.json()
    except ValueError:
        return {}


def _seconds(text: str) -> float:
    """The whole seconds of a Retry-After header; 0 for a date, or for none."""
    return float(text) if text.isdecimal() else 0.0


def native(settings: AzureSettings) -> Any:
    """The official SDK's client for a target: ``azure.ai.ml.MLClient``."""
    from azure.ai.ml import MLClient

    return MLClient(
        Clients(settings).credential(), settings.subscription_id, settings.resource_group, settings.workspace
    )
