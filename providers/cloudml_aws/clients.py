"""The wire clients: botocore for the services, obstore for the bucket. The only file that imports an SDK.

botocore is all of boto3 that is needed here; boto3 itself, which takes as long again to import, is for `native`.

Clients are made once and shared by threads; a session is not safe for threads, so it is used under a lock.
"""

from __future__ import annotations

import os
import threading
import time
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from cloudml.clouds.late import late
from cloudml.clouds.patience import Patience
from cloudml.plan import Call
from cloudml_aws import requests
from cloudml_aws.errors import translated

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from cloudml.plan import Plan
    from cloudml.storage import Storage
    from cloudml_aws.settings import AwsSettings


PATIENCE = Patience()
ONCE: Mapping[str, Patience] = {"sagemaker-runtime": Patience(attempts=1, answer_s=70.0)}
"""Services whose requests are sent once: a prediction that timed out may have been made. A container has 60 seconds."""
KEYS_LAST = timedelta(minutes=15)
"""After so long obstore asks again; botocore renews what expires at least ten minutes before."""
UNUSED = (
    "botocore.docs",
    "botocore.docs.bcdoc.restdoc:DocumentStructure",
    "botocore.docs.method:document_model_driven_method",
    "botocore.docs.paginator:document_paginate_method",
    "botocore.docs.waiter:document_wait_method",
    "botocore.monitoring",
    "botocore.retryhandler",
    "configparser",
)
"""What botocore imports, and only who asks for its help, monitors it or has a profile needs: loaded then."""
OURS = frozenset({"s3"})
"""What the plan shows of transfers, which obstore carries out: no request of a service."""


def _unzipped(content: bytes) -> bytes:
    import gzip

    return gzip.decompress(content)


class Documents:
    """Reads the service models for botocore: with the parser of pydantic, which takes half the time of botocore's.

    Of that for SageMaker, 2.6 MB, and of the endpoints, 1.3 MB, it is a tenth of a second.
    """

    ENDINGS: ClassVar[Mapping[str, Callable[[bytes], bytes]]] = {".json": bytes, ".json.gz": _unzipped}

    def exists(self, path: str) -> bool:
        """Whether there is such a document; its path is without the ending."""
        return any(Path(path + ending).is_file() for ending in self.ENDINGS)

    def load_file(self, path: str) -> Any:
        """The document; None where there is none."""
        from pydantic_core import from_json

        for ending, opened in self.ENDINGS.items():
            with suppress(FileNotFoundError), Path(path + ending).open("rb") as file:
                return from_json(opened(file.read()))
        return None


class Services:
    """The services that botocore has documents of; of one it is told without a look into the folders of all others.

    Args:
        all_of_them: Looks into every folder.
        versions: Those of one service.
        none: What *versions* raises where there are none.
    """

    def __init__(
        self, all_of_them: Callable[[], list[str]], versions: Callable[[str], list[str]], none: type[Exception]
    ) -> None:
        self._all, self._versions, self._none = all_of_them, versions, none

    def __contains__(self, service: str) -> bool:
        with suppress(self._none):
            return bool(self._versions(service))
        return False

    def __iter__(self) -> Iterator[str]:
        return iter(self._all())

    def __len__(self) -> int:
        return len(self._all())


@cache
def _loader() -> Any:
    """Reads the service models, which are large: once in a process, whatever number of sessions there is."""
    with late(*UNUSED):
        from botocore.exceptions import DataNotFoundError
        from botocore.loaders import Loader
        from botocore.session import Session

    class Looking(Loader):  # type: ignore[misc]  # botocore has no annotations
        def list_available_services(self, type_name: str) -> Services:
            listed = super().list_available_services
            return Services(
                lambda: listed(type_name), lambda service: self.list_api_versions(service, type_name), DataNotFoundError
            )

    usual = Session(include_builtin_handlers=False).get_component("data_loader")
    return Looking(
        extra_search_paths=list(usual.search_paths), file_loader=Documents(), include_default_search_paths=False
    )


def _moment(value: Any) -> datetime:
    """A time in an answer. botocore asks for the time zone of this machine, which takes as long as the rest of a page.

    Raises:
        ValueError: It is none.
    """
    if isinstance(value, int | float):
        return datetime.fromtimestamp(value, UTC)
    from botocore.utils import parse_timestamp

    found: datetime = parse_timestamp(value)
    return found


@cache
def service_model(service: str) -> Any:
    """The vendor's own description of a service: operations, members, patterns, enums, maxima."""
    from botocore.model import ServiceModel

    return ServiceModel(_loader().load_service_model(service, "service-2"), service_name=service)


def verify(plan: Plan) -> None:
    """Hold every request of a plan against the service models.

    Raises:
        SpecError: A member is unknown or missing, or a value is none that the service takes.
    """
    for call in plan.calls:
        service = call.operation.partition(":")[0]
        if service not in OURS:
            requests.check(call, service_model(service))


class Clients:
    """The clients of one target.

    Args:
        settings: The target.
        endpoint: Where a double or an emulator listens; AWS's own addresses (or AWS_ENDPOINT_URL) when left out.
        credentials: Access key and secret; the usual search when left out.
        sleep: How time passes while something is waited for.
        patience: With the services of the control plane.
    """

    def __init__(
        self,
        settings: AwsSettings,
        *,
        endpoint: str | None = None,
        credentials: tuple[str, str] | None = None,
        sleep: Callable[[float], None] = time.sleep,
        patience: Patience = PATIENCE,
    ) -> None:
        self.settings = settings
        self.sleep = sleep
        self._patience = patience
        self._endpoint = endpoint or os.environ.get("AWS_ENDPOINT_URL")
        self._credentials = credentials
        self._lock = threading.RLock()
        self._made: dict[str, Any] = {}

    def client(self, service: str) -> Any:
        """The client of that service, as boto3 makes it too."""
        return self._once(service, lambda: self._client(service))

    def storage(self, root: str) -> Storage:
        """The storage at an address of the bucket."""
        found: Storage = self._once(root, lambda: self._storage(root))
        return found

    def session(self) -> Any:
        """A session of boto3 over the same credentials, for SDKs that want one."""
        import boto3

        return boto3.Session(botocore_session=self._session(), region_name=self.settings.region)

    def send(self, operation: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """Send one request, ``sagemaker:CreateTrainingJob``, and give back the answer.

        Raises:
            ProviderError: The service's refusal, as `cloudml_aws.errors` has it.
            SpecError: The service model does not allow it; nothing was sent.
        """
        from botocore import xform_name

        service, _, name = operation.partition(":")
        requests.check(Call(operation, body), service_model(service))
        with translated(operation):
            answer: dict[str, Any] = getattr(self.client(service), xform_name(name))(**body)
        return answer

    def pages(self, operation: str, body: Mapping[str, Any], key: str) -> Iterator[dict[str, Any]]:
        """The members of *key* in every page of an answer."""
        from botocore import xform_name

        service, _, name = operation.partition(":")
        paginator = self.client(service).get_paginator(xform_name(name))
        pages = iter(paginator.paginate(**body))
        while True:
            with translated(operation):
                page = next(pages, None)
            if page is None:
                return
            yield from page.get(key) or ()

    def _once(self, key: str, make: Callable[[], Any]) -> Any:
        with self._lock:
            if key not in self._made:
                with translated(f"sign in for {key}"):
                    self._made[key] = make()
            return self._made[key]

    def _session(self) -> Any:
        return self._once("session", self._opened)

    def _opened(self) -> Any:
        with late(*UNUSED):
            from botocore.session import get_session

        session = get_session()
        session.register_component("data_loader", _loader())
        session.get_component("response_parser_factory").set_parser_defaults(timestamp_parser=_moment)
        if self._credentials:
            session.set_credentials(*self._credentials)
        elif self.settings.profile:
            session.set_config_variable("profile", self.settings.profile)
        return session

    def _client(self, service: str) -> Any:
        from botocore.config import Config

        patience = ONCE.get(service, self._patience)
        config = Config(
            retries={"mode": "standard", "total_max_attempts": patience.attempts},
            read_timeout=patience.answer_s,
            user_agent_extra="cloudml",
            s3={"payload_signing_enabled": False},  # what is large has a checksum, which is signed
        )
        where = {"region_name": self.settings.region, "endpoint_url": self._endpoint}
        return self._session().create_client(service, config=config, **where)

    def _storage(self, root: str) -> Storage:
        from cloudml.clouds.parts import Root
        from cloudml.storage import Storage
        from cloudml_aws.parts import Uploads

        options: dict[str, Any] = {"region": self.settings.region}
        if self._endpoint:
            options |= {
                "endpoint": self._endpoint,
                "virtual_hosted_style_request": False,
                "client_options": {"allow_http": self._endpoint.startswith("http://")},
            }
        uploads = Uploads(self, Root.of(root))
        return Storage(
            root, uploads=uploads, part_copies=uploads, credential_provider=Keys(self._session()), **options
        )  # fmt: skip


class Keys:
    """Credentials for obstore, out of a session of botocore.

    Raises:
        NoCredentialsError: The session finds none.
    """

    def __init__(self, session: Any) -> None:
        from botocore.exceptions import NoCredentialsError

        found = session.get_credentials()
        if found is None:
            raise NoCredentialsError
        self._credentials = found

    def __call__(self) -> dict[str, Any]:
        frozen = self._credentials.get_frozen_credentials()
        return {
            "access_key_id": frozen.access_key,
            "secret_access_key": frozen.secret_key,
            "token": frozen.token,
            "expires_at": datetime.now(UTC) + KEYS_LAST,
        }


def native(settings: AwsSettings) -> Any:
    """The official SDK's session for a target: ``sagemaker.core.helper.session_helper.Session`` of SDK v3."""
    from sagemaker.core.helper.session_helper import Session

    clients = Clients(settings)
    return Session(
        boto_session=clients.session(),
        sagemaker_client=clients.client("sagemaker"),
        sagemaker_runtime_client=clients.client("sagemaker-runtime"),
        default_bucket=settings.bucket,
        default_bucket_prefix=settings.prefix,
    )
