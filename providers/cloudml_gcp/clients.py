"""The wire clients: REST over google-auth for the services, obstore for the bucket. The only file that imports an SDK.

Clients are made once and shared by threads. A request goes out again only where that does no harm: reads, and what
names the thing that it makes; a POST that would make a second one never does, whoever sent it looks for it by its label
first.
"""

from __future__ import annotations

import json
import os
import threading
import time
from dataclasses import field
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from cloudml.clouds.late import REQUESTS, late
from cloudml.clouds.patience import Answer, Patience
from cloudml.errors import ThrottledError
from cloudml.plan import Call
from cloudml.records import dataclass
from cloudml.storage.failures import words
from cloudml_gcp import requests as checked
from cloudml_gcp.errors import AnswerError, translated
from cloudml_gcp.wire import routes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from cloudml.errors import ProviderError
    from cloudml.plan import Plan
    from cloudml.storage import Storage
    from cloudml_gcp.settings import GcpSettings
    from cloudml_gcp.wire.routes import Sent

CONNECT_S = 10.0
PATIENCE = Patience(attempts=6, answer_s=70.0)
LONGEST_ANSWER_S = 3610.0
"""How long an endpoint may take to answer: an hour, when it is set up so."""
SCOPE = "https://www.googleapis.com/auth/cloud-platform"
OURS = frozenset({"storage:Upload", "storage:Copy", "storage:Put"})
"""What the plan shows of transfers, which obstore carries out: no request of a service."""
HOSTS: Mapping[str, str] = {
    "aiplatform": "https://{region}-aiplatform.googleapis.com",
    "storage": "https://storage.googleapis.com",
    "logging": "https://logging.googleapis.com",
    "cloudscheduler": "https://cloudscheduler.googleapis.com",
    "cloudresourcemanager": "https://cloudresourcemanager.googleapis.com",
    "iam": "https://iam.googleapis.com",
    "cloudquotas": "https://cloudquotas.googleapis.com",
}
OVERRIDES = "CLOUDSDK_API_ENDPOINT_OVERRIDES_"
"""gcloud's own variables, one for each service."""
KEY = ("client_email", "private_key", "private_key_id")
"""What obstore wants to see of a key, also of none."""
UNUSED = (
    "asyncio",
    "google.auth._regional_access_boundary_utils",
    "google.auth.crypt",
    "google.auth.iam",
    "google.auth.jwt",
    *REQUESTS,
)
"""What google-auth and requests import, and only who signs with a key of his own needs, or who is bound to a region:
loaded then."""
EMULATOR = "STORAGE_EMULATOR_HOST"
"""The variable of Google's storage clients."""


def verify(plan: Plan) -> None:
    """Hold every request of a plan against the vendor's contract.

    Raises:
        SpecError: A member is unknown or missing, or a value is none that the service takes.
    """
    for call in plan.calls:
        if call.operation not in OURS:
            checked.check(call)


@dataclass(frozen=True, slots=True, kw_only=True)
class Raw:
    """An answer that is no JSON of ours: a model's."""

    status: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)


class Clients:
    """The clients of one target.

    Args:
        settings: The target.
        endpoint: Where a double listens, in place of all of Google's hosts; these, or where gcloud's own variables
            and STORAGE_EMULATOR_HOST lead, when left out.
        credentials: Of google-auth; the usual search when left out, and then none over plain HTTP: nothing that is
            secret goes to an emulator, nor where everybody can read it.
        sleep: How time passes while something is waited for.
        patience: With the services of the control plane.
    """

    def __init__(
        self,
        settings: GcpSettings,
        *,
        endpoint: str | None = None,
        credentials: Any = None,
        sleep: Callable[[float], None] = time.sleep,
        patience: Patience = PATIENCE,
    ) -> None:
        self.settings = settings
        self.sleep = sleep
        self._patience = patience
        self._endpoint = endpoint.rstrip("/") if endpoint else None
        self._credentials = credentials
        self._lock = threading.RLock()
        self._made: dict[str, Any] = {}
        self._local = threading.local()

    def host(self, service: str) -> str:
        """Where a service listens."""
        override = os.environ.get(EMULATOR if service == "storage" else "") or os.environ.get(
            f"{OVERRIDES}{service.upper()}"
        )
        found = self._endpoint or override or HOSTS[service].format(region=self.settings.region)
        return (found if "://" in found else f"http://{found}").rstrip("/")

    @property
    def elsewhere(self) -> bool:
        """Whether something else than Google answers for Vertex AI."""
        return self.host("aiplatform") != HOSTS["aiplatform"].format(region=self.settings.region)

    def storage(self, root: str) -> Storage:
        """The storage at an address of the bucket."""
        found: Storage = self.once(root, lambda: self._storage(root))
        return found

    def credentials(self, service: str = "aiplatform") -> Any:
        """Who asks a service; google-auth's own object."""
        return self._asking(self.host(service))

    def send(self, operation: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """Send one request, ``aiplatform:CreateCustomJob``, and give back the answer.

        Raises:
            ProviderError: The service's refusal, as `cloudml_gcp.errors` has it.
            SpecError: The contract does not allow it; nothing was sent.
        """
        checked.check(Call(operation, body))
        sent = routes.build(operation, body)

        def again(error: ProviderError) -> bool:
            """A request that was throttled was not heard; one that had no answer may have been."""
            return isinstance(error, ThrottledError) or (error.retryable and routes.repeatable(operation))

        return self._patience.asked(lambda: self._answered(operation, sent), again, self.sleep)

    def pages(self, operation: str, body: Mapping[str, Any], key: str) -> Iterator[dict[str, Any]]:
        """The members of *key* in every page of an answer; a page may be empty and still not be the last."""
        token: dict[str, str] = {}
        while True:
            page = self.send(operation, {**body, **token})
            yield from page.get(key) or ()
            if not page.get("nextPageToken"):
                return
            token = {"pageToken": page["nextPageToken"]}

    def ask(self, operation: str, url: str, body: bytes, headers: Mapping[str, str]) -> Raw:
        """One prediction, sent once: one that timed out may have been made.

        Raises:
            ProviderError: It was refused; AnswerError with all that came is its cause.
        """
        with translated(operation):
            answer = self._session(url).post(
                url, data=body, headers=dict(headers), timeout=(CONNECT_S, LONGEST_ANSWER_S)
            )
            if not answer.ok:
                raise _refusal(answer)
        return Raw(status=answer.status_code, body=answer.content, headers=dict(answer.headers))

    def stored(
        self, operation: str, verb: str, path: str, query: Mapping[str, str], content: bytes | bytearray | None = None
    ) -> Raw:
        """Ask Cloud Storage about *path*, the bucket first, by its XML API.

        Raises:
            ProviderError: Its refusal.
        """
        return self.patiently(lambda: self.stored_once(operation, verb, path, query, content))

    def stored_once(
        self, operation: str, verb: str, path: str, query: Mapping[str, str], content: bytes | bytearray | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Raw:  # fmt: skip
        """As `stored`, not tried again, and with headers of its own."""
        host = self.host("storage")
        with translated(operation):
            answer = self._session(host).request(
                verb, f"{host}/{quote(path)}", params=dict(query), data=content, headers=headers,
                timeout=(CONNECT_S, self._patience.answer_s),
            )  # fmt: skip
            if not answer.ok:
                raise AnswerError(answer.status_code, _json(answer), words(answer.text))
        return Raw(status=answer.status_code, body=answer.content, headers=answer.headers)

    def patiently(self, send: Callable[[], Answer]) -> Answer:
        """What *send* gives, which is called again while what it raises may pass."""
        return self._patience.asked(send, lambda error: error.retryable, self.sleep)

    def _answered(self, operation: str, sent: Sent) -> dict[str, Any]:
        host = self.host(sent.service)
        with translated(operation):
            answer = self._session(host).request(
                sent.verb,
                host + sent.path,
                params=dict(sent.query),
                json=sent.json,
                timeout=(CONNECT_S, self._patience.answer_s),
            )
            if not answer.ok:
                raise _refusal(answer)
            found: dict[str, Any] = _json(answer) or {}
        return found

    def once(self, key: str, make: Callable[[], Any]) -> Any:
        """What *make* gave the first time that this was asked for."""
        with self._lock:
            if key not in self._made:
                with translated(f"sign in for {key}"):
                    self._made[key] = make()
            return self._made[key]

    def _session(self, url: str) -> Any:
        """A session of this thread for that address: they are not made for several at once."""
        credentials = self._asking(url)
        if not hasattr(self._local, "sessions"):
            self._local.sessions = {}
        made = self._local.sessions
        if credentials not in made:
            with late(*UNUSED):
                from google.auth.transport.requests import AuthorizedSession

            session = AuthorizedSession(credentials)  # type: ignore[no-untyped-call]  # google-auth has no annotations here
            session.headers["user-agent"] = "cloudml"
            made[credentials] = session
        return made[credentials]

    def _asking(self, url: str) -> Any:
        if self._credentials is not None:
            return self._credentials
        return self.once("nobody", _nobody) if url.startswith("http://") else self.once("credentials", self._found)

    def _found(self) -> Any:
        with late(*UNUSED):
            import google.auth

        found, _ = google.auth.default(scopes=[SCOPE], quota_project_id=self.settings.quota_project)
        return found

    def _storage(self, root: str) -> Storage:
        from cloudml.clouds.parts import Root
        from cloudml.storage import Storage
        from cloudml_gcp.parts import Uploads
        from cloudml_gcp.wire.copies import Copies

        host, place = self.host("storage"), Root.of(root)
        options: dict[str, Any] = {"uploads": Uploads(self, place), "copies": Copies(self, place)}
        if host != HOSTS["storage"]:
            options |= {"base_url": host, "client_options": {"allow_http": host.startswith("http://")}}
        credentials = self.credentials("storage")
        if type(credentials).__name__ == "AnonymousCredentials":
            nobody = {"gcs_base_url": host, "disable_oauth": True} | dict.fromkeys(KEY, "")
            return Storage(root, service_account_key=json.dumps(nobody), **options)
        return Storage(root, credential_provider=Tokens(credentials), **options)


class Tokens:
    """Tokens for obstore, out of credentials of google-auth.

    Each is given as one that ends now, so that obstore keeps none: google-auth knows best whether one is still good,
    and makes a new one when any service has refused it.
    """

    def __init__(self, credentials: Any) -> None:
        self._credentials = credentials
        self._lock = threading.Lock()

    def __call__(self) -> dict[str, Any]:
        from datetime import UTC, datetime

        with late(*UNUSED):
            from google.auth.transport.requests import Request

        with self._lock:
            if not self._credentials.valid:
                self._credentials.refresh(Request())
            return {"token": self._credentials.token, "expires_at": datetime.now(UTC)}


def _nobody() -> Any:
    with late(*UNUSED):
        from google.auth.credentials import AnonymousCredentials

    return AnonymousCredentials()  # type: ignore[no-untyped-call]  # google-auth has no annotations here


def _refusal(answer: Any) -> AnswerError:
    return AnswerError(answer.status_code, _json(answer), answer.text[:4000])


def _json(answer: Any) -> Any:
    try:
        return answer.json() if answer.content else None
    except ValueError:
        return None


def native(settings: GcpSettings) -> Any:
    """The official SDK, set up for a target: the module ``google.cloud.aiplatform`` after its `init`."""
    from google.cloud import aiplatform

    aiplatform.init(
        project=settings.project_id,
        location=settings.region,
        staging_bucket=f"gs://{settings.bucket}",
        service_account=settings.service_account,
        encryption_spec_key_name=settings.kms_key,
        network=settings.network,
    )
    return aiplatform
