from __future__ import annotations

import pytest

from cloudml.clouds.words import merge
from cloudml.errors import UnsupportedError

REQUEST = {"ResourceConfig": {"InstanceType": "ml.m5.large"}, "Tags": [{"Key": "a", "Value": "b"}]}


def test_what_is_new_is_added_also_inside_what_is_there() -> None:
    block = {"RetryStrategy": {"MaximumRetryAttempts": 2}, "ResourceConfig": {"KeepAlivePeriodInSeconds": 60}}
    merged = merge("jobs.train.aws", block, REQUEST)
    assert merged["RetryStrategy"] == {"MaximumRetryAttempts": 2}
    assert merged["ResourceConfig"] == {"InstanceType": "ml.m5.large", "KeepAlivePeriodInSeconds": 60}
    assert REQUEST["ResourceConfig"] == {"InstanceType": "ml.m5.large"}


@pytest.mark.parametrize(
    ("block", "path"),
    [
        ({"Tags": []}, "jobs.train.aws.Tags"),
        ({"ResourceConfig": 3}, "jobs.train.aws.ResourceConfig"),
        ({"ResourceConfig": {"InstanceType": "ml.c5.large"}}, "jobs.train.aws.ResourceConfig.InstanceType"),
    ],
)
def test_what_cloudml_sets_is_not_for_users_to_set(block: dict, path: str) -> None:
    with pytest.raises(UnsupportedError) as caught:
        merge("jobs.train.aws", block, REQUEST)
    assert caught.value.path == path
