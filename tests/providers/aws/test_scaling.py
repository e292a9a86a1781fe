from __future__ import annotations

import pytest
from deploying import endpoint, settings

from cloudml.errors import UnsupportedError
from cloudml_aws import requests, scaling
from cloudml_aws.clients import service_model

FOUND = {"MinCapacity": 1, "MaxCapacity": 4}
POLICY = {"PolicyName": "cloudml", "TargetTrackingScalingPolicyConfiguration": {"TargetValue": 500.0}}


def test_a_range_is_registered_and_followed_and_the_service_takes_both_requests() -> None:
    calls = scaling.lower(
        "flights-delay", endpoint(instances={"min": 1, "max": 4}), settings(invocations_per_instance=500)
    )
    for call in calls:
        service, _, operation = call.operation.partition(":")
        assert list(requests.problems(service_model(service), operation, call.body)) == []
    register, policy = (call.body for call in calls)
    assert (register["MinCapacity"], register["MaxCapacity"]) == (1, 4)
    assert register["ResourceId"] == policy["ResourceId"] == "endpoint/flights-delay/variant/main"
    assert policy["TargetTrackingScalingPolicyConfiguration"]["TargetValue"] == 500


def test_a_fixed_number_asks_for_nothing() -> None:
    assert scaling.lower("flights-delay", endpoint(instances=3), settings()) == ()
    assert scaling.wanted(endpoint(instances=3), settings()) == ""


@pytest.mark.parametrize(
    ("found", "policies", "missing"),
    [
        (None, [], scaling.NOT_REGISTERED),
        ({**FOUND, "MaxCapacity": 3}, [POLICY], scaling.NOT_REGISTERED),
        (FOUND, [], scaling.NO_POLICY),
        (FOUND, [{**POLICY, "PolicyName": "somebody-elses"}], scaling.NO_POLICY),
        (
            FOUND,
            [{"PolicyName": "cloudml", "TargetTrackingScalingPolicyConfiguration": {"TargetValue": 9.0}}],
            scaling.NO_POLICY,
        ),
        (FOUND, [POLICY], ""),
    ],
)
def test_what_is_missing_is_told_and_differs_at_each_step(found, policies, missing: str) -> None:
    asked = scaling.wanted(endpoint(instances={"min": 1, "max": 4}), settings(invocations_per_instance=500))
    assert scaling.missing(asked, found, policies) == missing


def test_nothing_is_missing_where_nothing_was_asked() -> None:
    assert scaling.missing("", None, []) == ""


def test_a_machine_that_cannot_be_scaled_is_refused_for_a_range_only() -> None:
    scaling.refuse_burstable(endpoint(), "ml.t2.medium")
    with pytest.raises(UnsupportedError, match=r"ml\.t2\.medium") as caught:
        scaling.refuse_burstable(endpoint(instances={"min": 1, "max": 2}), "ml.t2.medium")
    assert caught.value.path == "endpoints.delay.instances"
