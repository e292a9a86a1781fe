"""What a user sees of each fault of Azure, and that the next `up` reaches what was asked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from faulty import (
    Told,
    answer,
    are_not_seen,
    are_told,
    change,
    converges,
    is_stopped,
    lay_out,
    project,
    resumes,
)
from large import sent_in_parts
from sample import SETTINGS

from cloudml.errors import (
    AuthenticationError,
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
from cloudml_azure.requests import ROUTES

if TYPE_CHECKING:
    from collections.abc import Callable

    from cloudml.doubles.faults import Faults


@dataclass
class There:
    """A project and the double that it meets."""

    azure: Double
    session: Session
    clients: Clients

    def made(self) -> dict[str, int]:
        """How many there are of each kind; of endpoints also the deployment."""
        return {kind: len(list(self.azure.world.resources.all(kind))) for kind in ONE_OF_EACH}


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


ONE_OF_EACH = {"jobs": 1, "models": 1, "onlineEndpoints": 2, "schedules": 1}


def refused(operation: str, code: str, **said: Any) -> Callable[[Faults], Any]:
    return lambda faults: faults.refuse(operation, code, **{"times": None, **said})


def domain(name: str, *about: str, **said: Any) -> Callable[[Faults], Any]:
    return lambda faults: faults.domain(name, *about, **{"times": None, **said})


LOGS, AGAIN = "`cloudml job logs train` shows all it printed", "run `cloudml up` again"
OF_JOBS: dict[str, tuple[Callable[[Faults], Any], Told]] = {
    "throttled for long": (
        refused("ml:Jobs_CreateOrUpdate", "TooManyRequests", message="Rate exceeded", status=429),
        Told(ThrottledError, 1, "Rate exceeded", "try again"),
    ),
    "an expired session": (
        refused("ml:*", "ExpiredAuthenticationToken", message="the token is expired", status=401),
        Told(AuthenticationError, 4, "the token is expired", "sign in (`az login`)"),
    ),
    "quota of a job": (
        domain("quota", "faulty-train-*"), Told(RunFailedError, 1, "ask for more cores of that family", LOGS),
    ),
    "an image that cannot be built": (
        domain("image-build", "faulty-train-*"), Told(RunFailedError, 1, "its build log is in the studio", LOGS),
    ),
}  # fmt: skip
OF_MODELS_AND_ENDPOINTS: dict[str, tuple[Callable[[Faults], Any], Told]] = {
    "down for long": (
        refused("ml:ModelVersions_CreateOrUpdate", "InternalServerError", status=500),
        Told(UnavailableError, 1, "ModelVersions_CreateOrUpdate", "try again"),
    ),
    "an action is denied": (
        refused("ml:OnlineEndpoints_CreateOrUpdate", "AuthorizationFailed"),
        Told(PermissionDeniedError, 4, "Microsoft.MachineLearningServices/workspaces/onlineEndpoints/write", "grant"),
    ),
    "an endpoint name that is taken": (
        domain("taken"), Told(ConflictError, 1, "already in use", "call yours otherwise in the file"),
    ),
    "an operation that fails after it was accepted": (
        domain("operation", "onlineEndpoints/faulty-two-*", code="InternalServerError"),
        Told(RunFailedError, 1, "InternalServerError", AGAIN),
    ),
    "quota of an endpoint": (
        domain("quota", "faulty-two-*"), Told(RunFailedError, 1, "OutOfQuota", AGAIN),
    ),
    "no machine is free": (
        domain("capacity", "faulty-two-*"), Told(RunFailedError, 1, "has no such machine free now", AGAIN),
    ),
}  # fmt: skip


@pytest.mark.parametrize("seen", [OF_JOBS, OF_MODELS_AND_ENDPOINTS], ids=["jobs", "the rest"])
def test_each_fault_is_told_with_what_to_do_and_the_next_up_goes_on(there, seen) -> None:
    are_told(there.session, there.azure.faults, seen)


def each(kind: str, *operations: str) -> Callable[[Faults], list[Any]]:
    return lambda faults: [faults.happen(kind, f"ml:{operation}_CreateOrUpdate") for operation in operations]


MAKING = ("Jobs", "ModelVersions", "OnlineEndpoints", "OnlineDeployments")
PASSING: dict[str, tuple[Callable[[Faults], Any], ...]] = {
    "throttled, and the storage is slow": (
        refused("ml:*", "TooManyRequests", status=429, times=2),
        refused("blob:PutBlob", "ServerBusy", status=503, times=2),
    ),
    "down and busy, and nothing is seen at once": (
        refused("ml:OnlineEndpoints_Get", "ServiceUnavailable", status=503, times=2),
        domain("stale", "onlineEndpoints/faulty-two-*", times=1),
        domain("busy", times=1),
        domain("deeper", times=1),
    ),
    "dropped before the work": (each("drop", *MAKING),),
    "done, and the answers were lost": (each("lose", *MAKING, "Schedules"),),
    "done, and the answers did not come in time": (each("hold", *MAKING, "Schedules"),),
}


@pytest.mark.parametrize("name", PASSING)
def test_faults_that_pass_are_not_seen_and_nothing_is_made_twice(there, name: str) -> None:
    are_not_seen(there.session, there.azure.faults, PASSING[name])
    assert there.made() == ONE_OF_EACH


def test_a_list_that_lags_lacks_nothing(there) -> None:
    lagging = there.azure.faults.domain("lag", "jobs/*", times=None, seconds=45)
    there.session.up()
    assert {one.resource for one in there.session.provider.jobs.list("faulty")} == {"jobs.train"}
    assert lagging.struck


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
    for asset in ("Data", "Code", "Environment"):  # made, and not known to be: the one that is there is looked at
        there.azure.faults.happen("lose", f"ml:{asset}Versions_CreateOrUpdate")
        there.azure.faults.refuse(f"ml:{asset}Versions_CreateOrUpdate", "ResourceAlreadyExists", status=409)
    there.session.up()
    there.session.provider.logs.read("jobs", next(iter(there.session.provider.jobs.list("faulty"))).name, "")
    there.session.provider.logs.read("endpoints", "faulty-two", "")
    change(there.session)
    is_stopped(there.session)
    there.session.up()
    context = Context(root=there.session.root, project="faulty")
    sent_in_parts(there.clients.storage("az://cloudml/cloudml/faulty/parts"), there.session.root)
    found = list(findings(there.clients, plugin.places(there.clients.settings, context)))
    there.session.down()
    assert {one.group for one in found} >= {"credentials", "workspace", "permissions", "storage", "identity"}
    assert [one for one in found if one.ok is False] == []
    asked = {one.name for one in there.azure.requests if not one.inside}
    used = {action for name in asked for action in permissions.actions_of(name)}
    granted = permissions.granted_to_caller(there.clients.settings)
    assert used - {*permissions.CHECKING} - granted == set()
    assert granted - used == permissions.IMPLIED


def test_an_operation_asks_for_the_action_that_the_double_knows_it_by() -> None:
    known = {f"{one.service}:{one.operation}": (one.action,) for one in TABLE if one.action}
    ours = {name: action for name, action in known.items() if name.partition(":")[2] in ROUTES}
    assert len(ours) > len(ROUTES) * 3 / 4
    assert {name: permissions.actions_of(name) for name in ours} == ours
