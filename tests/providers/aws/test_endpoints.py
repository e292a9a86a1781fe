from __future__ import annotations

import json
from pathlib import Path

import pytest
from deploying import HASH, PLACES, endpoint, identity, settings
from hypothesis import given
from hypothesis import strategies as st

from cloudml.errors import UnsupportedError
from cloudml.plan import Call
from cloudml.status import State
from cloudml_aws import endpoints, requests, rollout
from cloudml_aws.clients import service_model
from cloudml_aws.live import Live
from cloudml_aws.names import LONGEST

SAGEMAKER = service_model("sagemaker")
GOLDEN = Path(__file__).parent / "golden" / "endpoint.json"
FULL = {"capture": 0.25, "instances": {"min": 2, "max": 5}}
TAGS = {"cloudml-project": "flights", "cloudml-resource": "endpoints.delay", "cloudml-hash": HASH}
ENDPOINT = {
    "EndpointName": "flights-delay",
    "EndpointConfigName": "flights-delay-3fa9c1d2e4",
    "EndpointStatus": "InService",
    "ProductionVariants": [{"VariantName": "main", "CurrentInstanceCount": 2}],
}
CONFIG = {
    "ProductionVariants": [{"VariantName": "main", "ModelName": "flights-delay-1", "InstanceType": "ml.m5.large"}]
}


def lowered(resource, **changes) -> tuple[Call, ...]:
    return endpoints.lower(resource, PLACES, settings(**changes))


def problems(calls) -> list[str]:
    return [
        said
        for call in calls
        for service, _, operation in [call.operation.partition(":")]
        for said in requests.problems(service_model(service), operation, call.body)
    ]


def lifted(change: dict | None = None, **live):
    given = {"endpoint": {**ENDPOINT, **(change or {})}, "config": CONFIG, "tags": TAGS, **live}
    return endpoints.lift(Live(**given), "runtime.sagemaker.eu-west-1.amazonaws.com")


def test_the_requests_are_those_of_the_golden() -> None:
    shown = [{"operation": call.operation, "body": call.body} for call in lowered(endpoint(**FULL))]
    assert shown == json.loads(GOLDEN.read_text("utf-8"))


@given(
    minimum=st.integers(1, 1000),
    more=st.integers(0, 50),
    capture=st.floats(0, 1),
    label=st.from_regex(r"[a-z][a-z0-9_-]{0,90}", fullmatch=True),
    kms=st.sampled_from([None, "1234abcd-12ab-34cd-56ef-1234567890ab"]),
)
def test_the_service_takes_every_request(minimum, more, capture, label, kms) -> None:
    scale = {"min": minimum, "max": min(1000, minimum + more)}
    resource = endpoint(instances=scale, capture=capture)
    resource = type(resource)(spec=resource.spec, identity=identity(f"endpoints.{label}"), model="m" * 80)
    calls = lowered(resource, kms_key=kms)
    updates = [Call(endpoints.UPDATE, rollout.lower(calls[1].body, keep_count=keep)) for keep in (True, False)]
    assert problems((*calls, *updates)) == []
    assert len(endpoints.config_name(resource)) <= LONGEST


def test_an_update_keeps_the_number_that_the_traffic_made_and_nothing_else_of_the_old_configuration() -> None:
    created = lowered(endpoint(**FULL))[1].body
    body = rollout.lower(created, keep_count=True)
    assert body["RetainAllVariantProperties"] is True
    assert {one["VariantPropertyType"] for one in body["ExcludeRetainedVariantProperties"]} == {
        "DesiredWeight", "DataCaptureConfig",
    }  # fmt: skip
    assert body["DeploymentConfig"] == created["DeploymentConfig"]
    assert "Tags" not in body
    assert rollout.lower(created, keep_count=False)["RetainAllVariantProperties"] is False


@pytest.mark.parametrize(
    ("instances", "way"), [(1, "ALL_AT_ONCE"), (2, "CANARY"), ({"min": 1, "max": 4}, "ALL_AT_ONCE")]
)
def test_a_canary_needs_two_instances(instances, way: str) -> None:
    policy = lowered(endpoint(instances=instances))[1].body["DeploymentConfig"]["BlueGreenUpdatePolicy"]
    assert policy["TrafficRoutingConfiguration"]["Type"] == way


@pytest.mark.parametrize(
    ("share", "percent", "noted"), [(1.0, 100, False), (0.25, 25, False), (0.001, 1, True), (0.333, 33, True)]
)
def test_a_share_is_captured_in_whole_percents_and_a_note_says_where_that_differs(share, percent, noted) -> None:
    resource = endpoint(capture=share)
    assert lowered(resource)[0].body["DataCaptureConfig"]["InitialSamplingPercentage"] == percent
    assert ("endpoints.delay.capture" in {note.path for note in endpoints.notes(resource)}) is noted


def test_the_target_s_key_and_tags_are_on_all_that_can_carry_them() -> None:
    config, made = lowered(endpoint(capture=0.25), kms_key="alias/ml", tags={"team": "ml"})
    assert config.body["KmsKeyId"] == config.body["DataCaptureConfig"]["KmsKeyId"] == "alias/ml"
    for call in (config, made):
        assert {"Key": "team", "Value": "ml"} in call.body["Tags"]


def test_nothing_is_captured_where_nothing_was_asked() -> None:
    assert "DataCaptureConfig" not in lowered(endpoint())[0].body


def test_captured_payloads_are_text() -> None:
    header = lowered(endpoint(capture=1.0))[0].body["DataCaptureConfig"]["CaptureContentTypeHeader"]
    assert "application/json" in header["JsonContentTypes"]
    assert "text/csv" in header["CsvContentTypes"]


def test_own_words_go_to_the_request_that_knows_them() -> None:
    rollback = {"AutoRollbackConfiguration": {"Alarms": [{"AlarmName": "errors"}]}}
    said = {"DeploymentConfig": rollback, "ExecutionRoleArn": "arn:aws:iam::111122223333:role/other"}
    config, made = lowered(endpoint(aws=said))
    assert config.body["ExecutionRoleArn"].endswith("other")
    assert made.body["DeploymentConfig"]["AutoRollbackConfiguration"] == rollback["AutoRollbackConfiguration"]
    assert made.body["DeploymentConfig"]["BlueGreenUpdatePolicy"]
    assert problems((config, made)) == []


def test_own_words_may_replace_what_is_only_proposed() -> None:
    rolling = {
        "RollingUpdatePolicy": {
            "MaximumBatchSize": {"Type": "CAPACITY_PERCENT", "Value": 25},
            "WaitIntervalInSeconds": 60,
        }
    }
    variant = {"ContainerStartupHealthCheckTimeoutInSeconds": 3000, "EnableSSMAccess": True}
    config, made = lowered(endpoint(aws={"DeploymentConfig": rolling, "ProductionVariants": [variant]}))
    assert made.body["DeploymentConfig"] == rolling
    found = config.body["ProductionVariants"][0]
    assert (found["ContainerStartupHealthCheckTimeoutInSeconds"], found["EnableSSMAccess"]) == (3000, True)
    assert found["InstanceType"] == "ml.m5.large"
    assert problems((config, made)) == []


@pytest.mark.parametrize(
    ("block", "path"),
    [
        ({"EndpointConfigName": "mine"}, "EndpointConfigName"),
        ({"ProductionVariants": [{"InstanceType": "ml.m5.4xlarge"}]}, "ProductionVariants.InstanceType"),
        ({"ProductionVariants": [{}, {}]}, "ProductionVariants"),
        ({"DeploymentConfig": 3}, "DeploymentConfig"),
    ],
)
def test_own_words_do_not_touch_what_cloudml_sets(block: dict, path: str) -> None:
    with pytest.raises(UnsupportedError) as caught:
        lowered(endpoint(aws=block))
    assert caught.value.path == f"endpoints.delay.aws.{path}"


def test_a_machine_with_a_disk_of_its_own_takes_no_volume_and_a_note_says_so() -> None:
    resource = endpoint(machine={"exact": {"aws": "ml.g5.xlarge"}, "disk": "100GiB"})
    variant = lowered(resource, kms_key="key")[0].body
    assert "VolumeSizeInGB" not in variant["ProductionVariants"][0]
    assert "KmsKeyId" not in variant
    assert "endpoints.delay.machine.disk" in {note.path for note in endpoints.notes(resource)}
    assert lowered(endpoint(machine={"disk": "100GiB"}))[0].body["ProductionVariants"][0]["VolumeSizeInGB"] == 100


def test_the_states_are_those_of_the_service_model() -> None:
    assert set(endpoints.STATES) == set(SAGEMAKER.shape_for("EndpointStatus").metadata["enum"])


@pytest.mark.parametrize("state", sorted(endpoints.STATES))
def test_every_state_is_lifted(state: str) -> None:
    status = lifted({"EndpointStatus": state})
    assert status.state is endpoints.STATES[state]
    assert (status.hash, status.model, status.instances) == (HASH, "flights-delay-1", 2)
    assert bool(status.reason) is (state in endpoints.REASONS)


def test_a_state_that_is_not_known_is_never_over() -> None:
    assert lifted({"EndpointStatus": "Dreaming"}).state is State.UNKNOWN


def test_in_service_is_not_up_while_a_deployment_is_pending() -> None:
    assert lifted({"PendingDeploymentSummary": {"EndpointConfigName": "next"}}).state is State.UPDATING


def test_in_service_is_unfinished_while_its_scaling_is_not_as_asked() -> None:
    status = lifted(scaling="autoscaling is not registered")
    assert (status.state, status.reason) == (State.UNFINISHED, "autoscaling is not registered")


def test_a_roll_back_shows_the_old_hash_and_why_in_the_containers_own_words() -> None:
    status = lifted({"FailureReason": "The primary container did not pass the ping health check."}, tail=("no hope",))
    assert (status.state, status.hash) == (State.READY, HASH)
    assert "ping health check" in status.reason
    assert "no hope" in status.reason


def test_the_address_is_that_of_the_region() -> None:
    assert lifted().url == "https://runtime.sagemaker.eu-west-1.amazonaws.com/endpoints/flights-delay/invocations"
    china = settings(region="cn-north-1", role_arn="arn:aws-cn:iam::111122223333:role/cloudml")
    assert endpoints.host(china) == "runtime.sagemaker.cn-north-1.amazonaws.com.cn"
