"""Every error that cloudml raises on purpose.

    CloudMLError(message, *, hint="")
    ├─ SpecError                 the file or object is wrong; knows .path ("jobs.train.disk") and .where (file, line)
    │  └─ UnsupportedError       right, but not on this provider; knows .capability, .support
    ├─ SettingsError             region, role, bucket: missing or contradictory; says where each value came from
    ├─ ProviderNotFoundError     no such provider, or its extra is not installed (also an ImportError)
    ├─ GateError                 a model's requirement is not met; knows .value and .threshold
    ├─ ProviderError             the provider said no; knows .operation, .code, .request_id; cause chained
    │  ├─ AuthenticationError    who are you
    │  ├─ PermissionDeniedError  not you
    │  ├─ NotFoundError
    │  ├─ AlreadyExistsError
    │  ├─ ConflictError          not in this state
    │  ├─ QuotaExceededError
    │  ├─ InvalidRequestError    our lowering let through what the provider refuses
    │  ├─ ThrottledError         retryable
    │  └─ UnavailableError       retryable: 5xx, network
    ├─ RunFailedError            the request was fine, the work was not; knows .status
    └─ WaitTimeoutError          our patience ended, the work goes on (also a TimeoutError)

A caller who wants all of them writes ``except cloudml.CloudMLError``. Each class names the exit code that the command
line gives it (`exit_code`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    from cloudml.capabilities import Capability, Support


class CloudMLError(Exception):
    """Base of every error that cloudml raises on purpose.

    Attributes:
        hint: What the user can do about it; empty when there is nothing to advise.
    """

    exit_code: ClassVar[int] = 1

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class SpecError(CloudMLError):
    """What was asked for is wrong.

    Attributes:
        path: Where in the project, dotted: ``jobs.train.machine.memory``; empty for the file as a whole.
        where: ``file:line`` when it was read from a file.
        problems: Every problem that was found, this one included, when there are several.
    """

    exit_code = 2

    def __init__(self, message: str, *, hint: str = "", path: str = "", where: str = "") -> None:
        super().__init__(message, hint=hint)
        self.path = path
        self.where = where
        self.problems: tuple[SpecError, ...] = (self,)


class UnsupportedError(SpecError):
    """Right, but this provider cannot do it; raised before anything is sent."""

    exit_code = 5

    def __init__(
        self,
        message: str,
        *,
        hint: str = "",
        path: str = "",
        capability: Capability | None = None,
        support: Support | None = None,
    ) -> None:
        super().__init__(message, hint=hint, path=path)
        self.capability = capability
        self.support = support


class SettingsError(CloudMLError):
    """A target's settings are missing or contradictory."""

    exit_code = 2


class ProviderNotFoundError(CloudMLError, ImportError):
    """No such provider, or what it needs is not installed."""

    exit_code = 2


class GateError(CloudMLError):
    """A model's requirement is not met: nothing was registered or deployed.

    Attributes:
        path: The requirement, ``models.delay.require.jobs.evaluate.auc``.
        value: What was measured; None when the metric was never reported.
        threshold: What was asked, ``>= 0.70``.
    """

    exit_code = 3

    def __init__(self, message: str, *, path: str, value: float | None, threshold: str, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.path = path
        self.value = value
        self.threshold = threshold


class ProviderError(CloudMLError):
    """The provider said no.

    Attributes:
        operation: The native operation, ``sagemaker:CreateTrainingJob``.
        code: The provider's own code for the error.
        request_id: What the provider's support asks for.
    """

    retryable: ClassVar[bool] = False

    def __init__(
        self, message: str, *, hint: str = "", operation: str = "", code: str = "", request_id: str = ""
    ) -> None:
        super().__init__(message, hint=hint)
        self.operation = operation
        self.code = code
        self.request_id = request_id


class AuthenticationError(ProviderError):
    """Who are you."""

    exit_code = 4


class PermissionDeniedError(ProviderError):
    """Not you."""

    exit_code = 4


class NotFoundError(ProviderError):
    """The named thing does not exist there."""


class AlreadyExistsError(ProviderError):
    """A thing of that name exists already."""


class ConflictError(ProviderError):
    """Not in this state."""


class QuotaExceededError(ProviderError):
    """The account's quota is used up; not retried."""


class InvalidRequestError(ProviderError):
    """The request was sent and refused: bad rows for an endpoint, or a fault of the adapter."""


class ThrottledError(ProviderError):
    """Too many requests; worth another try."""

    retryable = True


class UnavailableError(ProviderError):
    """The service or the network is down; worth another try."""

    retryable = True


class RunFailedError(CloudMLError):
    """The request was fine, the work was not.

    Attributes:
        status: The status of what failed, with its last log lines.
    """

    def __init__(self, message: str, *, hint: str = "", status: Any = None) -> None:
        super().__init__(message, hint=hint)
        self.status = status


class WaitTimeoutError(CloudMLError, TimeoutError):
    """Our patience ended; the work goes on."""
