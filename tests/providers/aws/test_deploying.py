"""Models and endpoints through boto3, on the double."""

from __future__ import annotations

import json
import threading
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest
from deploying import PLACES, endpoint, model, settings

from cloudml.errors import (
    AlreadyExistsError,
    CloudMLError,
    ConflictError,
    InvalidRequestError,
    NotFoundError,
    PermissionDeniedError,
    ProviderError,
    UnavailableError,
)
from cloudml.status import State
from cloudml_aws.clients import Clients
from cloudml_aws.double import KEY, SECRET, double
from cloudml_aws.endpoints import AwsEndpoints
from cloudml_aws.models import AwsModels

if TYPE_CHECKING:
    from pathlib import Path

PREDICT = """
import json

class Predictor:
    def __init__(self, model):
        self.mean = json.loads((model / "model.json").read_text())["mean"]

    def predict(self, instances):
        return [row["x"] - self.mean for row in instances]
"""
JSON = "application/json"
NAME = "flights-delay"
SCALED = {"min": 1, "max": 3}
MADE = ("model", "model-package", "model-package-group", "endpoint", "endpoint-config")


@dataclass
class There:
    """An account with a bucket, and our two services over it."""

    aws: Any
    root: Path
    models: AwsModels
    endpoints: AwsEndpoints
    clients: Clients
    versions: dict[str, str] = field(default_factory=dict)

    def version(self, digit: str = "a", *, code: str = PREDICT, **changes: Any):
        """A model that a job left, whose mean is the digit's number; not registered."""
        folder = self.root / digit
        folder.mkdir(exist_ok=True)
        (folder / "predict.py").write_text(code)
        artifact = f"jobs/train-{digit}/output/model"
        self.clients.storage(PLACES.root).write(f"{artifact}/model.json", json.dumps({"mean": int(digit, 16)}).encode())
        given = {"digest": digit * 64, "predictor": "predict.py:Predictor", "artifact": PLACES.uri(artifact), **changes}
        return model(folder, **given)

    def registered(self, digit: str = "a", **changes: Any) -> str:
        return self.models.create(self.version(digit, **changes)).name

    def wanted(self, digit: str = "a", *, name: str = "", **changes: Any):
        """An endpoint for the version of that digit, registered when it is not."""
        if not name and digit not in self.versions:
            self.versions[digit] = self.registered(digit)
        return endpoint(digest=digit * 64, model_name=name or self.versions[digit], **changes)

    def settled(self):
        """The endpoint's status once it is over."""
        while not (status := self.endpoints.get(NAME)).state.over:
            self.aws.clock.sleep(20)
        return status

    def deployed(self, resource):
        """The endpoint, all the way."""
        (self.endpoints.update if self.made("endpoint") else self.endpoints.create)(resource)
        while (status := self.settled()).state is State.UNFINISHED:
            self.endpoints.update(resource)
        return status

    def ask(self, x: float = 20) -> float:
        body = json.dumps({"instances": [{"x": x}]}).encode()
        answer = self.endpoints.invoke(NAME, body, content_type=JSON, accept=JSON)
        return json.loads(answer.body)["predictions"][0]

    def smoke(self) -> None:
        self.endpoints.invoke(NAME, b'{"instances": []}', content_type=JSON, accept=JSON)

    def made(self, kind: str) -> int:
        return len(list(self.aws.world.table(kind)))

    def scaling(self) -> list[dict[str, Any]]:
        asked = {"ServiceNamespace": "sagemaker"}
        return self.clients.send("application-autoscaling:DescribeScalableTargets", asked)["ScalableTargets"]

    def asked(self, *operations: str) -> list[str]:
        return [one.operation for one in self.aws.requests if one.operation in operations]


@pytest.fixture
def there(tmp_path):
    with double(bucket="acme-ml") as aws:
        clients = Clients(settings(), endpoint=aws.url, credentials=(KEY, SECRET), sleep=aws.clock.sleep)
        yield There(aws, tmp_path, AwsModels(clients, PLACES), AwsEndpoints(clients, PLACES), clients)


def test_a_version_is_registered_once_with_its_numbers_and_lineage(there) -> None:
    resource = there.version()
    status = there.models.create(resource)
    assert (status.state, status.version, status.metrics) == (State.READY, "v1", {"jobs.evaluate.auc": 0.7431})
    with pytest.raises(AlreadyExistsError):
        there.models.create(resource)
    (listed,) = there.models.list("flights")
    assert (listed.name, listed.hash, listed.metrics) == (status.name, status.hash, status.metrics)
    assert list(there.models.list("flight")) == []
    assert [there.made(kind) for kind in MADE[:3]] == [1, 1, 1]


def test_a_list_asks_nothing_for_each_version(there) -> None:
    for digit in "abc":
        there.registered(digit)
    before = len(there.aws.requests)
    assert [one.version for one in there.models.list("flights")] == ["v1", "v2", "v3"]
    asked = [one.operation for one in there.aws.requests[before:] if one.service == "sagemaker"]
    assert asked == ["ListModels", "ListModelPackageGroups", "ListModelPackages"]


def test_without_the_jobs_output_nothing_is_registered(there) -> None:
    resource = there.version(artifact=PLACES.uri("jobs/nobody/output/model"))
    with pytest.raises(NotFoundError, match="nobody"):
        there.models.create(resource)
    assert [there.made(kind) for kind in MADE[:3]] == [0, 0, 0]


@pytest.mark.parametrize("operation", ["CreateModelPackageGroup", "CreateModelPackage", "CreateModel"])
def test_interrupted_anywhere_the_next_call_goes_on_and_makes_one_version(there, operation: str) -> None:
    there.aws.faults.refuse(f"sagemaker:{operation}", "AccessDeniedException", f"not authorized: {operation}")
    resource = there.version()
    with pytest.raises(PermissionDeniedError, match=operation):
        there.models.create(resource)
    (begun,) = there.models.list("flights")
    assert (begun.state, begun.resource) == (State.FAILED, "models.delay")
    assert there.models.create(resource).version == "v1"
    assert [there.made(kind) for kind in MADE[:3]] == [1, 1, 1]
    there.models.delete(begun.name)
    assert [there.made(kind) for kind in MADE[:3]] == [0, 0, 0]


@pytest.mark.parametrize("operation", ["CreateModelPackageGroup", "CreateModelPackage", "CreateModel"])
def test_what_was_interrupted_and_is_not_wanted_any_more_is_removed(there, operation: str) -> None:
    there.aws.faults.refuse(f"sagemaker:{operation}", "AccessDeniedException", "no")
    with pytest.raises(PermissionDeniedError):
        there.models.create(there.version())
    for begun in there.models.list("flights"):
        there.models.delete(begun.name)
    assert list(there.models.list("flights")) == []
    assert list(there.clients.storage(PLACES.root).list("models")) == []
    assert there.made("model-package") == there.made("model") == 0


@pytest.mark.parametrize("operation", ["CreateModelPackageGroup", "CreateModelPackage", "CreateModel"])
def test_an_answer_that_was_lost_makes_no_second_version(there, operation: str) -> None:
    there.aws.faults.happen("lose", f"sagemaker:{operation}")
    with suppress(AlreadyExistsError):  # `up` looks again, and finds it
        there.models.create(there.version())
    (status,) = there.models.list("flights")
    assert (status.state, status.version) == (State.READY, "v1")


def test_two_who_register_at_once_make_one_version(there) -> None:
    resource = there.version()
    outcomes: list[str] = []

    def register() -> None:
        try:
            outcomes.append(there.models.create(resource).version)
        except AlreadyExistsError:
            outcomes.append("there")

    threads = [threading.Thread(target=register) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert outcomes.count("v1") == 1
    assert [there.made(kind) for kind in MADE[:3]] == [1, 1, 1]


def test_a_version_that_was_rejected_by_hand_is_shown_and_not_made_again(there) -> None:
    resource = there.version()
    name = there.models.create(resource).name
    arn = there.models.get(name).native["ModelPackageArn"]
    said = {"ModelApprovalStatus": "Rejected", "ApprovalDescription": "biased"}
    there.clients.send("sagemaker:UpdateModelPackage", {"ModelPackageArn": arn, **said})
    status = there.models.get(name)
    assert (status.state, status.reason) == (State.FAILED, "it was rejected in the registry: biased")
    with pytest.raises(ConflictError, match="biased"):
        there.models.create(resource)


def test_a_version_removed_by_hand_is_made_again(there) -> None:
    resource = there.version()
    name = there.models.create(resource).name
    arn = there.models.get(name).native["ModelPackageArn"]
    there.clients.send("sagemaker:DeleteModelPackage", {"ModelPackageName": arn})
    assert there.models.get(name).state is State.FAILED
    there.models.create(resource)
    assert there.models.get(name).state is State.READY


def test_the_group_goes_with_its_last_version(there) -> None:
    first, second = there.registered("a"), there.registered("b")
    there.models.delete(first)
    assert there.made("model-package-group") == 1
    there.models.delete(second)
    there.models.delete(second)
    assert [there.made(kind) for kind in MADE[:3]] == [0, 0, 0]
    assert list(there.clients.storage(PLACES.root).list("models")) == []
    with pytest.raises(NotFoundError):
        there.models.get(second)


def test_what_was_just_made_may_be_unseen_for_a_while(there) -> None:
    there.aws.faults.domain("stale", "model/*", seconds=4, times=None)
    assert there.models.create(there.version()).state is State.READY
    there.aws.faults.domain("stale", "endpoint*", seconds=4, times=None)
    assert there.deployed(there.wanted("b")).state is State.READY


def test_an_endpoint_answers_and_nothing_more_is_to_be_sent(there) -> None:
    resource = there.wanted()
    assert there.endpoints.create(resource).state is State.CREATING
    status = there.settled()
    assert (status.state, status.hash, status.model) == (State.READY, "a" * 64, there.versions["a"])
    assert (status.instances, there.ask(20)) == (1, 10)
    with pytest.raises(AlreadyExistsError):
        there.endpoints.create(resource)
    assert [one.name for one in there.endpoints.list("flights")] == [NAME]
    assert list(there.endpoints.list("flight")) == []


def test_an_update_moves_it_and_the_old_configuration_goes_once_the_new_one_answers(there) -> None:
    there.deployed(there.wanted("a"))
    status = there.deployed(there.wanted("b"))
    assert (status.hash, there.ask(20)) == ("b" * 64, 9)
    assert there.made("endpoint-config") == 2
    there.smoke()
    assert there.made("endpoint-config") == 1


def test_two_instances_or_more_are_moved_by_a_canary(there) -> None:
    there.deployed(there.wanted("a", instances=2))
    there.endpoints.update(there.wanted("b", instances=2))
    answers = {there.ask(20) for _ in range(3)}
    status = there.settled()
    assert (status.hash, status.instances, there.ask(20)) == ("b" * 64, 2, 9)
    assert answers <= {10, 9}
    policy = status.native["endpoint"]["LastDeploymentConfig"]["BlueGreenUpdatePolicy"]
    assert policy["TrafficRoutingConfiguration"]["Type"] == "CANARY"


def test_a_model_that_cannot_load_leaves_the_old_one_answering_and_says_why(there) -> None:
    there.deployed(there.wanted("a"))
    there.versions["b"] = there.registered("b", code="raise ImportError('no module named hope')\n")
    status = there.deployed(there.wanted("b"))
    assert (status.state, status.hash) == (State.READY, "a" * 64)
    assert "ping health check" in status.reason
    assert "no module named hope" in status.reason
    assert there.ask(20) == 10
    assert there.deployed(there.wanted("c")).hash == "c" * 64


def test_an_endpoint_that_cannot_start_has_failed_and_an_update_revives_it(there) -> None:
    there.versions["b"] = there.registered("b", code="raise ImportError('no module named hope')\n")
    status = there.deployed(there.wanted("b"))
    assert (status.state, status.hash) == (State.FAILED, "b" * 64)
    assert "no module named hope" in status.reason
    assert there.deployed(there.wanted("a")).state is State.READY
    assert there.ask(20) == 10


def test_creating_in_the_place_of_one_that_failed_makes_it_anew(there) -> None:
    there.aws.faults.domain("capacity", NAME)
    resource = there.wanted()
    assert there.deployed(resource).state is State.FAILED
    there.endpoints.create(resource)
    assert there.settled().state is State.READY


def test_a_roll_back_that_was_not_brought_about_by_the_model_shows_its_reason(there) -> None:
    there.deployed(there.wanted("a"))
    there.aws.faults.domain("capacity", NAME)
    status = there.deployed(there.wanted("b"))
    assert (status.state, status.hash) == (State.READY, "a" * 64)
    assert "apacity" in status.reason


def test_a_roll_back_that_failed_is_seen_and_the_next_update_mends_it(there) -> None:
    there.deployed(there.wanted("a"))
    there.aws.faults.domain("capacity", NAME)
    there.aws.faults.domain("rollback-failed", NAME)
    assert there.deployed(there.wanted("b")).state is State.FAILED
    assert there.deployed(there.wanted("b")).state is State.READY
    assert there.ask(20) == 9


def test_scaling_is_registered_once_in_service_kept_over_an_update_and_removed_with_it(there) -> None:
    there.endpoints.create(there.wanted("a", instances=SCALED))
    status = there.settled()
    assert (status.state, status.reason) == (State.UNFINISHED, "autoscaling is not registered")
    assert there.scaling() == []
    assert there.deployed(there.wanted("a", instances=SCALED)).state is State.READY
    there.clients.send(
        "sagemaker:UpdateEndpointWeightsAndCapacities",
        {"EndpointName": NAME, "DesiredWeightsAndCapacities": [{"VariantName": "main", "DesiredInstanceCount": 3}]},
    )
    there.settled()
    status = there.deployed(there.wanted("b", instances=SCALED))
    assert (status.state, status.instances, len(there.scaling())) == (State.READY, 3, 1)
    there.endpoints.delete(NAME)
    assert there.scaling() == []


def test_other_bounds_are_registered_after_the_update(there) -> None:
    there.deployed(there.wanted("a", instances=SCALED))
    there.deployed(there.wanted("b", instances={"min": 2, "max": 5}))
    (found,) = there.scaling()
    assert (found["MinCapacity"], found["MaxCapacity"]) == (2, 5)


def test_a_fixed_number_ends_the_scaling_and_another_machine_takes_it_off_for_the_while(there) -> None:
    there.deployed(there.wanted("a", instances=SCALED))
    there.endpoints.update(there.wanted("b", instances=SCALED, machine={"exact": {"aws": "ml.m5.xlarge"}}))
    assert there.scaling() == []
    there.settled()
    assert there.deployed(there.wanted("c")).state is State.READY
    assert there.scaling() == []


def test_what_is_captured_lies_below_the_projects_folder_and_goes_with_the_endpoint(there) -> None:
    storage = there.clients.storage(PLACES.root)
    there.deployed(there.wanted("a", capture=1.0))
    there.ask(20)
    lines = [line for one in storage.list(f"capture/{NAME}") for line in storage.read(one.path).splitlines()]
    (captured,) = [json.loads(line)["captureData"] for line in lines]
    assert json.loads(captured["endpointInput"]["data"]) == {"instances": [{"x": 20}]}
    assert captured["endpointOutput"]["encoding"] == "JSON"
    there.deployed(there.wanted("b"))
    there.ask(30)
    assert sum(len(storage.read(one.path).splitlines()) for one in storage.list(f"capture/{NAME}")) == len(lines)
    there.endpoints.delete(NAME)
    assert list(storage.list("capture")) == []


def test_deleting_leaves_nothing_and_is_no_error_twice(there) -> None:
    there.deployed(there.wanted("a", instances=SCALED))
    there.deployed(there.wanted("b"))
    there.endpoints.delete(NAME)
    there.endpoints.delete(NAME)
    assert there.made("endpoint") == there.made("endpoint-config") == 0
    with pytest.raises(NotFoundError):
        there.ask()


def test_one_that_is_being_created_is_deleted_once_it_lets_itself_be(there) -> None:
    there.endpoints.create(there.wanted())
    there.endpoints.delete(NAME)
    assert there.made("endpoint") == 0


def test_killed_between_configuration_and_endpoint_it_is_listed_and_goes_on_or_goes(there) -> None:
    there.aws.faults.refuse("sagemaker:CreateEndpoint", "AccessDeniedException", "no")
    resource = there.wanted()
    with pytest.raises(PermissionDeniedError):
        there.endpoints.create(resource)
    (begun,) = there.endpoints.list("flights")
    assert (begun.name, begun.state, begun.resource) == (NAME, State.FAILED, "endpoints.delay")
    assert there.deployed(resource).state is State.READY
    there.aws.faults.refuse("sagemaker:UpdateEndpoint", "AccessDeniedException", "no")
    with pytest.raises(PermissionDeniedError):
        there.endpoints.update(there.wanted("b"))
    there.endpoints.delete(begun.name)
    assert there.made("endpoint-config") == 0


def test_two_who_make_it_at_once_make_one(there) -> None:
    resource = there.wanted()
    outcomes: list[bool] = []

    def make() -> None:
        try:
            there.endpoints.create(resource)
            outcomes.append(True)
        except AlreadyExistsError:
            outcomes.append(False)

    threads = [threading.Thread(target=make) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == [False, False, True]
    assert there.made("endpoint") == there.made("endpoint-config") == 1


def test_an_answer_that_was_lost_is_found_by_the_next_look(there) -> None:
    there.aws.faults.happen("lose", "sagemaker:CreateEndpoint")
    resource = there.wanted()
    with pytest.raises(AlreadyExistsError):
        there.endpoints.create(resource)
    assert there.settled().hash == "a" * 64


def test_throttling_and_failures_of_the_service_are_tried_again(there) -> None:
    there.aws.faults.refuse("sagemaker:DescribeEndpoint", "ThrottlingException", "Rate exceeded")
    there.aws.faults.refuse("sagemaker:CreateEndpointConfig", "InternalFailure", "oops", status=500)
    assert there.deployed(there.wanted()).state is State.READY


@pytest.mark.parametrize(
    ("code", "kind"),
    [("ServiceUnavailable", UnavailableError), ("ModelNotReadyException", UnavailableError)],
)
def test_a_prediction_is_asked_for_once(there, code: str, kind: type[CloudMLError]) -> None:
    there.deployed(there.wanted())
    fault = there.aws.faults.refuse("sagemaker-runtime:InvokeEndpoint", code, "not now", status=503)
    with pytest.raises(kind, match="not now") as caught:
        there.ask()
    assert f"endpoint logs {NAME}" in caught.value.hint
    assert fault.seen == 1


def test_a_bad_row_is_refused_in_the_models_words_and_a_model_that_fails_is_unavailable(there) -> None:
    there.deployed(there.wanted())
    with pytest.raises(InvalidRequestError, match=r"row 1\b.*`x`"):
        there.endpoints.invoke(NAME, b'{"instances": [{"x": 1}, {"y": 1}]}', content_type=JSON, accept=JSON)
    failing = PREDICT.replace('row["x"] - self.mean', '__import__("os").listdir("/nowhere")')
    there.versions["b"] = there.registered("b", code=failing)
    there.deployed(there.wanted("b"))
    with pytest.raises(UnavailableError, match="500"):
        there.ask()


def test_one_who_may_only_predict_is_answered_and_removes_nothing(there) -> None:
    there.deployed(there.wanted("a"))
    there.deployed(there.wanted("b"))
    there.aws.faults.refuse("sagemaker:*", "AccessDeniedException", "not authorized", times=None)
    there.smoke()
    assert there.ask(20) == 9
    with pytest.raises(ProviderError, match="not authorized"):
        there.endpoints.get(NAME)
