from __future__ import annotations

import json
import re

import pytest

from cloudml_aws import permissions
from cloudml_aws.checking import closed, context, encryption, example, located, principal, trusted
from cloudml_aws.clients import service_model
from cloudml_aws.permissions import CALLER, EXECUTION, SCHEDULER, values
from cloudml_aws.places import Places
from cloudml_aws.quotas import Wanted
from cloudml_aws.settings import AwsSettings

ROLE = "arn:aws:iam::111122223333:role/cloudml"
SETTINGS = AwsSettings(region="eu-west-1", bucket="acme-ml", role_arn=ROLE)
PLACES = Places("acme-ml", "cloudml/flights")
NAMED = values(SETTINGS, PLACES)
MODELS = {"tag": "resourcegroupstaggingapi", "servicequotas": "service-quotas"}
OTHERWISE = {"sagemaker:InvokeEndpoint", "iam:PassRole"}
"""Actions that are not called as an operation of their service is."""
LARGEST = 6144
"""Characters of a managed policy, spaces left out."""


def every() -> list[tuple[str, permissions.Permission]]:
    tables = {"caller": CALLER, "execution": EXECUTION, "scheduler": SCHEDULER}
    return [(name, one) for name, table in tables.items() for one in table]


@pytest.mark.parametrize(("table", "one"), every())
def test_every_action_is_an_operation_of_its_service(table: str, one: permissions.Permission) -> None:
    for action in one.actions:
        service, _, name = action.partition(":")
        if service not in {"s3", "ec2", "kms", "ecr"} and action not in OTHERWISE:
            assert name in service_model(MODELS.get(service, service)).operation_names, action


def test_no_action_is_a_pattern_and_none_stands_twice_with_the_same_resource() -> None:
    for table in (CALLER, EXECUTION, SCHEDULER):
        found = [(action, resource) for one in table for action in one.actions for resource in one.resources]
        assert not [action for action, _ in found if "*" in action]
        assert len(found) == len({*found})


def test_actions_that_can_be_bound_to_a_resource_are() -> None:
    free = {action for _, one in every() for action in one.actions if one.resources == ("*",)}
    assert {action for action in free if not action.startswith("ec2:Describe")} == {
        "sagemaker:ListTrainingJobs", "sagemaker:ListProcessingJobs", "sagemaker:ListModelPackageGroups",
        "sagemaker:ListModelPackages", "sagemaker:ListModels", "sagemaker:ListEndpointConfigs",
        "sagemaker:ListEndpoints", "tag:GetResources", "cloudwatch:PutMetricData", "ecr:GetAuthorizationToken",
        "application-autoscaling:DescribeScalableTargets", "application-autoscaling:DescribeScalingPolicies",
    }  # fmt: skip


@pytest.mark.parametrize("table", [CALLER, EXECUTION, SCHEDULER])
def test_a_policy_fits_into_what_a_managed_policy_may_hold(table) -> None:
    settings = SETTINGS.model_copy(update={"subnets": ("subnet-1",), "kms_key": "arn:aws:kms:eu-west-1:1:key/x"})
    document = permissions.policy(permissions.needed(table, settings), values(settings, PLACES))
    text = json.dumps(document, separators=(",", ":"))
    assert len(text) <= LARGEST
    assert not re.search(r"\{[a-z_]+\}", text)


@pytest.mark.parametrize("table", [CALLER, EXECUTION])
def test_what_only_some_targets_need_is_left_out_of_the_others(table) -> None:
    needed = {action for one in permissions.needed(table, SETTINGS) for action in one.actions}
    assert not [action for action in needed if action.startswith(("ec2:", "kms:"))]


def test_with_a_key_of_one_s_own_the_caller_reads_outputs_under_it_and_lets_endpoints_use_it() -> None:
    own = SETTINGS.model_copy(update={"kms_key": "arn:aws:kms:eu-west-1:1:key/x"})
    needed = {action for one in permissions.needed(CALLER, own) for action in one.actions}
    assert {"kms:Decrypt", "kms:CreateGrant"} <= needed


def test_whoever_scales_an_endpoint_may_let_autoscaling_make_its_own_role_and_no_other() -> None:
    (one,) = (one for one in CALLER if "iam:CreateServiceLinkedRole" in one.actions)
    (resource,) = one.resources
    assert resource.format_map(values(SETTINGS, PLACES)) == (
        "arn:aws:iam::111122223333:role/aws-service-role/sagemaker.application-autoscaling.amazonaws.com/"
        "AWSServiceRoleForApplicationAutoScaling_SageMakerEndpoint"
    )
    assert permissions.condition(one, NAMED) == {
        "StringLike": {"iam:AWSServiceName": "sagemaker.application-autoscaling.amazonaws.com"}
    }


def test_the_scheduler_has_a_role_of_its_own_or_that_of_jobs() -> None:
    own = SETTINGS.model_copy(update={"scheduler_role_arn": f"{ROLE}-scheduler"})
    assert values(SETTINGS, PLACES)["scheduler_role"] == ROLE
    assert values(own, PLACES)["scheduler_role"] == f"{ROLE}-scheduler"


@pytest.mark.parametrize(
    ("operation", "actions"),
    [
        ("sagemaker:CreateEndpoint", ("sagemaker:CreateEndpoint",)),
        ("s3:HeadObject", ("s3:GetObject",)),
        ("sagemaker-runtime:InvokeEndpoint", ("sagemaker:InvokeEndpoint",)),
        ("sts:GetCallerIdentity", ()),
    ],
)
def test_an_operation_asks_for_the_action_that_iam_knows(operation: str, actions: tuple[str, ...]) -> None:
    assert permissions.actions_of(operation) == actions


def test_the_policies_of_a_session_are_those_of_its_role_with_the_role_s_path() -> None:
    role = {"Arn": "arn:aws:iam::111122223333:role/teams/ml"}
    session = "arn:aws:sts::111122223333:assumed-role/ml/somebody"
    assert principal(session, lambda name: role if name == "ml" else {}) == role["Arn"]
    assert principal("arn:aws:iam::111122223333:user/ann", None) == "arn:aws:iam::111122223333:user/ann"
    assert principal("arn:aws:iam::111122223333:root", None) == ""


@pytest.mark.parametrize(
    ("document", "services"),
    [
        ({"Statement": [{"Effect": "Allow", "Principal": {"Service": "sagemaker.amazonaws.com"}}]}, 1),
        ({"Statement": {"Effect": "Allow", "Principal": {"Service": ["sagemaker.amazonaws.com", "x"]}}}, 2),
        ('{"Statement": [{"Effect": "Deny", "Principal": {"Service": "sagemaker.amazonaws.com"}}]}', 0),
        ({"Statement": [{"Effect": "Allow", "Principal": "*"}]}, 0),
        ({}, 0),
    ],
)
def test_a_trust_policy_says_which_services_may_come_in(document, services: int) -> None:
    assert len(trusted(document)) == services


def test_a_question_to_the_simulator_names_resources_and_the_facts_of_a_condition() -> None:
    passing = next(one for one in CALLER if one.noun == "roles")
    assert context(passing, NAMED) == [
        {"ContextKeyName": "iam:PassedToService", "ContextKeyValues": ["sagemaker.amazonaws.com"],
         "ContextKeyType": "string"},
    ]  # fmt: skip
    assert example("arn:aws:ecr:eu-west-1:*:repository/*") == "arn:aws:ecr:eu-west-1:000000000000:repository/x"
    assert example("*") == "*"


def test_a_question_to_the_simulator_says_what_a_condition_of_truth_and_one_of_a_prefix_ask_for() -> None:
    grants = next(one for one in CALLER if "kms:CreateGrant" in one.actions)
    (fact,) = context(grants, NAMED)
    assert (fact["ContextKeyType"], fact["ContextKeyValues"]) == ("boolean", ["true"])
    lists = next(one for one in CALLER if "s3:ListBucket" in one.actions)
    (fact,) = context(lists, NAMED)
    assert (fact["ContextKeyName"], fact["ContextKeyValues"]) == ("s3:prefix", ["cloudml/flights/"])


@pytest.mark.parametrize(
    ("said", "region"), [({}, "us-east-1"), ({"LocationConstraint": "EU"}, "eu-west-1"),
                         ({"LocationConstraint": "eu-north-1"}, "eu-north-1")],
)  # fmt: skip
def test_a_bucket_lies_where_it_says_in_words_that_are_as_old_as_it(said, region: str) -> None:
    assert located(said) == region


def test_what_a_bucket_says_of_itself_is_told_in_words() -> None:
    rule = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms"}}
    assert encryption({"ServerSideEncryptionConfiguration": {"Rules": [rule]}}) == "aws:kms"
    assert closed({"PublicAccessBlockConfiguration": {"BlockPublicAcls": True}}) == "blocked"
    assert closed({"PublicAccessBlockConfiguration": {"BlockPublicAcls": False}}).startswith("partly blocked")


def test_a_machine_has_a_quota_for_each_use() -> None:
    assert Wanted("ml.m5.large", "spot").quota == "ml.m5.large for spot training job usage"
