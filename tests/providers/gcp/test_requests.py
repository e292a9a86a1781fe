"""Requests that the service would refuse are refused here, with the path of what is wrong."""

from __future__ import annotations

import pytest

from cloudml_gcp import requests

POOL = {
    "machineSpec": {"machineType": "e2-standard-4"},
    "replicaCount": "1",
    "containerSpec": {"imageUri": "us-docker.pkg.dev/a/b/c"},
}


def job(**changes):
    return {
        "parent": "projects/p/locations/l",
        "customJob": {"displayName": "j", "jobSpec": {"workerPoolSpecs": [POOL]}} | changes,
    }


def found(rpc: str, body) -> str:
    return "; ".join(requests.problems(rpc, body))


def test_a_good_request_has_no_problems() -> None:
    assert not found("CreateCustomJob", job())


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"displayName": ""}, "`customJob.displayName` is missing"),
        ({"state": "JOB_STATE_RUNNING"}, "`customJob.state` is for the service to say"),
        ({"lables": {}}, "is `labels` meant"),
        ({"labels": {"A": "b"}}, "labels are small letters"),
        ({"labels": "a"}, "must be an object"),
        ({"displayName": "x" * 129}, "more than 128"),
        ({"jobSpec": "text"}, "`customJob.jobSpec` is 'text', and must be an object"),
        ({"jobSpec": {"workerPoolSpecs": ["text"]}}, "workerPoolSpecs[0]` is 'text', and must be an object"),
        (
            {"jobSpec": {"workerPoolSpecs": [{**POOL, "diskSpec": {"bootDiskSizeGb": 2**31}}]}},
            "bootDiskSizeGb` is 2147483648, and must be a whole number that fits int32",
        ),
        ({"jobSpec": {"workerPoolSpecs": []}}, "`customJob.jobSpec.workerPoolSpecs` is missing"),
        ({"jobSpec": {"workerPoolSpecs": [{**POOL, "replicaCount": "2"}]}}, "replicaCount` must be 1"),
        ({"jobSpec": {"workerPoolSpecs": [{**POOL, "machineSpec": {}}]}}, "machineType` is missing"),
        (
            {"jobSpec": {"workerPoolSpecs": [{**POOL, "machineSpec": {"machineType": "n1", "acceleratorCount": 1}}]}},
            "or neither",
        ),
        (
            {"jobSpec": {"workerPoolSpecs": [POOL], "scheduling": {"strategy": "SPOTS"}}},
            "is `SPOT` meant",
        ),
        ({"jobSpec": {"workerPoolSpecs": [POOL], "scheduling": {"timeout": "1h"}}}, "seconds, such as"),
    ],
)
def test_a_bad_job_is_told_where_it_is_bad(changes: dict, said: str) -> None:
    assert said in found("CreateCustomJob", job(**changes))


def test_an_update_names_only_what_can_be_changed() -> None:
    body = {"endpoint": {"name": "projects/p/locations/l/endpoints/e", "trafficSplit": {"1": 100}}}
    assert not found("UpdateEndpoint", {**body, "updateMask": "trafficSplit"})
    assert "`dedicatedEndpointDns`, which cannot be changed" in found(
        "UpdateEndpoint", {**body, "updateMask": "dedicatedEndpointDns"}
    )


def test_traffic_adds_up_to_a_hundred() -> None:
    body = {"endpoint": {"name": "e", "trafficSplit": {"1": 90}}, "updateMask": "trafficSplit"}
    assert "must add up to 100" in found("UpdateEndpoint", body)


def test_an_alias_is_given_to_a_version() -> None:
    assert "must name a version" in found("MergeVersionAliases", {"name": "models/x", "versionAliases": ["default"]})
