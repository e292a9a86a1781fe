from __future__ import annotations

from collections import Counter

import pytest
from checked import grouped, project, wrong
from watching import PLACES, SETTINGS

from cloudml.specs import ProjectSpec
from cloudml_aws.checking import findings
from cloudml_aws.clients import Clients
from cloudml_aws.double import KEY, SECRET, double
from cloudml_aws.quotas import Wanted, of_project

MACHINES = (Wanted("ml.m5.large", "training"), Wanted("ml.m5.large", "spot", 4), Wanted("ml.m5.large", "endpoint", 2))


@pytest.fixture
def aws():
    with double(region=SETTINGS.region, bucket=SETTINGS.bucket, role_arn=SETTINGS.role_arn) as aws:
        yield aws


def found(aws, settings=SETTINGS, key: str = KEY, wanted=MACHINES) -> dict[str, list]:
    """What is found, by group."""
    clients = Clients(settings, endpoint=aws.url, credentials=(key, SECRET), sleep=aws.clock.sleep)
    return grouped(findings(clients, PLACES, wanted))


def test_a_target_that_has_all_it_needs_has_nothing_wrong(aws) -> None:
    groups = found(aws)
    assert list(groups) == ["credentials", "permissions", "roles", "bucket", "quota"]
    assert wrong(groups) == []
    assert {one.subject for one in groups["permissions"]} == {
        "bucket", "jobs", "models", "endpoints", "monitors", "logs", "project", "pass-role",
    }  # fmt: skip


@pytest.mark.parametrize("key", ["ASIAEXPIRED1", "AKIAUNKNOWN1"])
def test_who_is_not_signed_in_is_told_so_and_nothing_more_is_asked(aws, key: str) -> None:
    groups = found(aws, key=key)
    assert list(groups) == ["credentials"]
    assert wrong(groups) == [("credentials", "identity")]
    assert "sign in" in groups["credentials"][0].hint
    assert Counter(one.name for one in aws.requests) == {"sts:GetCallerIdentity": 1}


def test_another_account_than_the_role_s_is_told(aws) -> None:
    elsewhere = SETTINGS.model_copy(update={"role_arn": "arn:aws:iam::999999999999:role/cloudml"})
    assert ("credentials", "account") in wrong(found(aws, elsewhere))


@pytest.mark.parametrize(
    ("action", "subject"),
    [
        ("sagemaker:CreateTrainingJob", "jobs"),
        ("sagemaker:UpdateEndpoint", "endpoints"),
        ("scheduler:CreateSchedule", "monitors"),
        ("logs:GetLogEvents", "logs"),
    ],
)
def test_an_action_that_is_not_allowed_is_named_where_it_is_needed(aws, action: str, subject: str) -> None:
    aws.faults.refuse(action, "AccessDeniedException", status=403, times=None)
    groups = found(aws)
    denied = [one for one in groups["permissions"] if one.ok is False]
    assert [one.subject for one in denied] == [subject]
    assert denied[0].text == f"denied: {action}"
    assert "aws-permissions.md" in denied[0].hint


def test_a_role_that_may_not_be_handed_on_is_told_apart(aws) -> None:
    aws.faults.refuse("iam:PassRole", "AccessDenied", status=403, times=None)
    assert ("permissions", "pass-role") in wrong(found(aws))


def test_what_may_not_be_looked_at_is_no_failure(aws) -> None:
    for operation in ("iam:SimulatePrincipalPolicy", "iam:GetRole", "service-quotas:ListServiceQuotas"):
        aws.faults.refuse(operation, "AccessDenied", status=403, times=None)
    groups = found(aws)
    assert wrong(groups) == []
    unseen = [one for one in (*groups["permissions"], *groups["roles"], *groups["quota"]) if one.ok is None]
    assert len(unseen) == len([*groups["permissions"], *groups["roles"], *groups["quota"]])
    assert all("allow" in one.hint for one in unseen)


def test_a_bucket_that_is_not_there_or_takes_nothing_is_told(aws) -> None:
    missing = SETTINGS.model_copy(update={"bucket": "somebody-else"})
    clients = Clients(missing, endpoint=aws.url, credentials=(KEY, SECRET), sleep=aws.clock.sleep)
    places = type(PLACES)("somebody-else", PLACES.prefix)
    told = [one for one in findings(clients, places) if one.group == "bucket"]
    assert [(one.subject, one.ok, one.text) for one in told] == [("somebody-else", False, "there is no such bucket")]
    aws.faults.refuse("s3:PutObject", "AccessDenied", status=403, times=None)
    assert ("bucket", "objects") in wrong(found(aws))


def test_the_probe_leaves_nothing_in_the_bucket(aws) -> None:
    found(aws)
    clients = Clients(SETTINGS, endpoint=aws.url, credentials=(KEY, SECRET))
    assert list(clients.storage(PLACES.root).list()) == []


def test_a_quota_that_is_too_small_is_named_for_its_use(aws) -> None:
    aws.faults.domain("quota", "ml.m5.large for spot training job usage", value=3, times=None)
    groups = found(aws)
    assert wrong(groups) == [("quota", "ml.m5.large for spot training job usage")]
    assert [one.text for one in groups["quota"] if one.ok is False] == ["3, and 4 needed"]


def test_the_machines_of_a_project_are_those_that_it_would_use_at_once() -> None:
    names = {"small": "ml.m5.xlarge", "other": "ml.c5.xlarge", "large": "ml.m5.2xlarge", "served": "ml.m5.large"}
    spec = ProjectSpec.model_validate(project("aws", names))
    wanted = list(of_project(spec))
    assert wanted[:4] == [
        Wanted("ml.m5.xlarge", "processing"), Wanted("ml.c5.xlarge", "spot"), Wanted("ml.m5.2xlarge", "spot", 3),
        Wanted("ml.m5.large", "endpoint", 4),
    ]  # fmt: skip
    assert wanted[4].use == "processing"
