"""What a user sees of each fault of Azure, and that the next `up` reaches what was asked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from faulty import answer, change, converges, lay_out, project, resumes
from sample import SETTINGS

from cloudml.errors import (
    AuthenticationError,
    CloudMLError,
    ConflictError,
    PermissionDeniedError,
    RunFailedError,
    ThrottledError,
    UnavailableError,
)
from cloudml.seam import Context
from cloudml.session import Session
from cloudml.specs import ProjectSpec
from cloudml.targets import resolve
from cloudml_azure import permissions, plugin
from cloudml_azure.checking import findings
from cloudml_azure.clients import Clients
from cloudml_azure.double import Double, double
from cloudml_azure.double.rehearsal import NAMED
from cloudml_azure.double.services import TABLE

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass
class There:
    """A project and the double that it meets."""

    azure: Double
    session: Session
    clients: Clients


@pytest.fixture
def there(tmp_path):
    lay_out(tmp_path)
    spec = ProjectSpec.model_validate(project("azure"))
    target = resolve(spec, "there", environ={})
    with double(**{name: SETTINGS["azure"][name] for name in NAMED}) as azure:
        clients = Clients(
            target.settings, transport=azure.transport(), credential=azure.credential, blob_endpoint=azure.blob_url,
            sleep=azure.clock.sleep,
        )  # fmt: skip
        provider = plugin.provider(clients, Context(root=tmp_path, project=spec.project))
        yield There(azure, Session(spec, tmp_path, target, provider), clients)


def refused(operation: str, code: str, **said: Any) -> Callable[[Double], Any]:
    return lambda azure: azure.faults.refuse(operation, code, **{"times": None, **said})


def domain(name: str, *about: str, **said: Any) -> Callable[[Double], Any]:
    return lambda azure: azure.faults.domain(name, *about, **said)


SEEN: dict[str, tuple[Callable[[Double], Any], type[CloudMLError], int, str, str]] = {
    "throttled for long": (
        refused("ml:Jobs_CreateOrUpdate", "TooManyRequests", message="Rate exceeded", status=429),
        ThrottledError, 1, "Rate exceeded", "try again",
    ),
    "down for long": (
        refused("ml:ModelVersions_CreateOrUpdate", "InternalServerError", status=500),
        UnavailableError, 1, "ModelVersions_CreateOrUpdate", "try again",
    ),
    "an action is denied": (
        refused("ml:OnlineEndpoints_CreateOrUpdate", "AuthorizationFailed", message="may not perform x", status=403),
        PermissionDeniedError, 4, "may not perform x", "grant",
    ),
    "an expired session": (
        refused("ml:*", "ExpiredAuthenticationToken", message="the token is expired", status=401),
        AuthenticationError, 4, "expired", "sign in",
    ),
    "quota of a job": (domain("quota", "faulty-train-*", times=None), RunFailedError, 1, "quota", ""),
    "quota of an endpoint": (
        domain("quota", "faulty-two-*", times=None), RunFailedError, 1, "OutOfQuota", "",
    ),
    "an image that cannot be built": (
        domain("image-build", "faulty-train-*", times=None), RunFailedError, 1, "build log", "",
    ),
    "no machine is free": (
        domain("capacity", "faulty-two-*", times=None), RunFailedError, 1, "has no such machine free now", "",
    ),
    "an operation that fails after it was accepted": (
        domain("operation", "onlineEndpoints/faulty-two-*", code="InternalServerError", times=None),
        RunFailedError, 1, "InternalServerError", "",
    ),
    "an endpoint name that is taken": (domain("taken", times=None), ConflictError, 1, "already in use", "otherwise"),
}  # fmt: skip


@pytest.mark.parametrize("name", SEEN)
def test_a_fault_is_told_with_what_to_do_and_the_next_up_converges(there, name: str) -> None:
    fault, kind, exit_code, said, hint = SEEN[name]
    fault(there.azure)
    with pytest.raises(kind) as caught:
        there.session.up()
    assert caught.value.exit_code == exit_code
    assert said in caught.value.message
    assert caught.value.hint
    assert hint in caught.value.hint
    there.azure.faults.clear()
    converges(there.session)


PASSING: dict[str, Callable[[Double], Any]] = {
    "throttled twice": refused("ml:*", "TooManyRequests", status=429, times=2),
    "down twice": refused("ml:OnlineEndpoints_Get", "ServiceUnavailable", status=503, times=2),
    "the storage is slow": refused("blob:PutBlob", "ServerBusy", status=503, times=2),
    "dropped before the work": lambda azure: azure.faults.happen("drop", "ml:*_CreateOrUpdate", times=2),
    "a job whose answer was lost": lambda azure: azure.faults.happen("lose", "ml:Jobs_CreateOrUpdate"),
    "a model whose answer was lost": lambda azure: azure.faults.happen("lose", "ml:ModelVersions_CreateOrUpdate"),
    "an endpoint whose answer was lost": lambda azure: azure.faults.happen("lose", "ml:OnlineEndpoints_CreateOrUpdate"),
    "a deployment whose answer was lost": lambda azure: azure.faults.happen(
        "lose", "ml:OnlineDeployments_CreateOrUpdate"
    ),
    "deployed, and the answer did not come in time": lambda azure: azure.faults.happen(
        "hold", "ml:OnlineDeployments_CreateOrUpdate"
    ),
    "lists that lag": domain("lag", "jobs/*", times=None, seconds=45),
    "an endpoint that is not seen yet": domain("stale", "onlineEndpoints/faulty-two-*"),
    "a busy endpoint": domain("busy", times=1),
    "a model that is mounted one folder deeper": domain("deeper", times=1),
}


@pytest.mark.parametrize("name", PASSING)
def test_a_fault_that_passes_is_not_seen(there, name: str) -> None:
    fault = PASSING[name](there.azure)
    up = there.session.up()
    assert {one.resource for one in there.session.provider.jobs.list("faulty")} == {"jobs.train"}
    assert fault.struck
    assert up.metrics["jobs.train.number"] == 2
    there.azure.faults.clear()
    converges(there.session)


def test_a_job_whose_machine_is_taken_away_goes_on_from_its_checkpoints(there) -> None:
    there.azure.faults.domain("spot", line="working on 0")
    resumes(there.session)
    converges(there.session)


def test_a_deployment_that_fails_leaves_the_old_version_and_the_next_up_converges(there) -> None:
    there.session.up()
    change(there.session)
    there.azure.faults.domain("quota", "faulty-two-*", times=None)
    with pytest.raises(RunFailedError, match=r"endpoints\.two.*OutOfQuota"):
        there.session.up()
    assert answer(there.session) == b'{"predictions":[2.0]}'
    there.azure.faults.clear()
    converges(there.session)
    assert answer(there.session) == b'{"predictions":[3.0]}'


def test_a_life_uses_the_permissions_that_are_listed_and_no_other_and_checking_finds_them(there) -> None:
    there.session.up()
    change(there.session)
    there.session.up()
    there.session.provider.logs.read("jobs", next(iter(there.session.provider.jobs.list("faulty"))).name, "")
    there.session.provider.logs.read("endpoints", "faulty-two", "")
    found = list(
        findings(
            there.clients, plugin.places(there.clients.settings, Context(root=there.session.root, project="faulty"))
        )
    )
    there.session.down()
    assert {one.group for one in found} >= {"credentials", "workspace", "permissions", "storage", "identity"}
    assert [one for one in found if one.ok is False] == []
    actions = {f"{one.service}:{one.operation}": one.action for one in TABLE}
    used = {action for one in there.azure.requests if (action := actions.get(one.name))}
    used |= {action for one in there.azure.requests for action in permissions.OPERATIONS.get(one.operation, ())}
    listed = {action for one in permissions.CALLER if one.only_with != permissions.ENTRA for action in one.actions}
    # What a life without trouble does not send, and what the double's data planes ask no role for.
    rare = {f"{permissions.ML}/{kind}/versions/read" for kind in ("data", "codes", "environments")}
    rare |= {f"{permissions.ML}/jobs/cancel/action", f"{permissions.ML}/experiments/runs/read", *permissions.IMPLIED}
    assert used - {*permissions.CHECKING} - listed == set()
    assert listed - used - rare == set()
