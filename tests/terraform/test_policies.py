"""Who may do what: requests that must be allowed and requests that must be refused, by the policies as made."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from grants import TABLES_AWS, as_list, named, statements
from stub_environments import HERE, SIMULATOR
from tools import ACCOUNTS

import cloudml_aws.permissions as aws
from cloudml_aws.checking import example

ACCOUNT, REGION = ACCOUNTS["aws"], "eu-west-1"
BUCKET = f"arn:aws:s3:::churn-prod-{ACCOUNT}-{REGION}"
NODE = str(Path(sys.executable).with_name("node"))
FAST = {"sagemaker:InstanceTypes": ["ml.m5.large"]}
HUGE = {"sagemaker:InstanceTypes": ["ml.p5.48xlarge"]}


KEY = "the platform's key"
"""Stands for its ARN, which is known once it was made."""
KEY_POLICY = {
    "Version": "2012-10-17",
    "Statement": [
        {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}, "Action": "kms:*", "Resource": "*"}
    ],
}
"""A key listens to policies of identities only where its own policy says so, as that of the module does."""


def arn(service: str, rest: str) -> str:
    return f"arn:aws:{service}:{REGION}:{ACCOUNT}:{rest}"


def role(name: str) -> str:
    return f"arn:aws:iam::{ACCOUNT}:role/cloudml/churn-prod-{name}"


SERVICE = "application-autoscaling:service-namespace"
ROWS: tuple[tuple[str, str, str, dict[str, Any], bool], ...] = (
    ("adapter", "s3:PutObject", f"{BUCKET}/cloudml/churn/a", {}, True),
    ("adapter", "s3:PutObject", f"{BUCKET}/other/a", {}, False),
    ("adapter", "s3:GetObject", "arn:aws:s3:::another/cloudml/a", {}, False),
    ("adapter", "s3:ListBucket", BUCKET, {"s3:prefix": "cloudml/churn/datasets/"}, True),
    ("adapter", "s3:ListBucket", BUCKET, {"s3:prefix": ""}, False),
    ("adapter", "s3:ListBucket", BUCKET, {}, False),
    ("adapter", "s3:ListBucketMultipartUploads", BUCKET, {}, True),
    ("adapter", "s3:ListMultipartUploadParts", f"{BUCKET}/cloudml/churn/a", {}, True),
    ("adapter", "s3:ListMultipartUploadParts", f"{BUCKET}/other/a", {}, False),
    ("adapter", "s3:PutBucketPolicy", BUCKET, {}, False),
    ("adapter", "sagemaker:CreateTrainingJob", arn("sagemaker", "training-job/churn-1"), FAST, True),
    ("adapter", "sagemaker:CreateTrainingJob", arn("sagemaker", "training-job/churn-1"), HUGE, False),
    ("adapter", "sagemaker:CreateTrainingJob", arn("sagemaker", "training-job/theirs-1"), FAST, False),
    ("adapter", "sagemaker:CreateEndpointConfig", arn("sagemaker", "endpoint-config/churn-e"), HUGE, False),
    ("adapter", "sagemaker:CreateEndpoint", arn("sagemaker", "endpoint/churn-e"), {}, True),
    ("adapter", "sagemaker:InvokeEndpoint", arn("sagemaker", "endpoint/churn-e"), {}, True),
    ("adapter", "sagemaker:InvokeEndpoint", arn("sagemaker", "endpoint/theirs"), {}, False),
    ("adapter", "sagemaker:CreateModelPackage", arn("sagemaker", "model-package/churn-m/1"), {}, True),
    ("adapter", "sagemaker:CreateNotebookInstance", arn("sagemaker", "notebook-instance/churn-n"), {}, False),
    ("adapter", "iam:PassRole", role("execution"), {"iam:PassedToService": "sagemaker.amazonaws.com"}, True),
    ("adapter", "iam:PassRole", role("execution"), {"iam:PassedToService": "lambda.amazonaws.com"}, False),
    ("adapter", "iam:PassRole", role("scheduler"), {"iam:PassedToService": "scheduler.amazonaws.com"}, True),
    ("adapter", "iam:PassRole", f"arn:aws:iam::{ACCOUNT}:role/Admin",
     {"iam:PassedToService": "sagemaker.amazonaws.com"}, False),
    ("adapter", "iam:CreateRole", role("more"), {}, False),
    ("adapter", "application-autoscaling:RegisterScalableTarget",
     arn("application-autoscaling", "scalable-target/a"), {SERVICE: "sagemaker"}, True),
    ("adapter", "application-autoscaling:RegisterScalableTarget",
     arn("application-autoscaling", "scalable-target/a"), {SERVICE: "ecs"}, False),
    ("adapter", "scheduler:CreateSchedule", arn("scheduler", "schedule/default/churn-drift"), {}, True),
    ("adapter", "scheduler:CreateSchedule", arn("scheduler", "schedule/default/theirs"), {}, False),
    ("adapter", "logs:GetLogEvents", arn("logs", "log-group:/aws/sagemaker/TrainingJobs:log-stream:churn-1/algo-1"),
     {}, True),
    ("adapter", "logs:GetLogEvents", arn("logs", "log-group:/aws/sagemaker/TrainingJobs:log-stream:theirs/algo-1"),
     {}, False),
    ("adapter", "logs:DeleteLogStream", arn("logs", "log-group:/aws/sagemaker/Endpoints/theirs:log-stream:x"),
     {}, False),
    ("adapter", "cloudwatch:DeleteAlarms", arn("cloudwatch", "alarm:theirs"), {}, False),
    ("adapter", "sagemaker:AddTags", arn("sagemaker", "endpoint/theirs"), {}, False),
    ("adapter", "kms:Decrypt", KEY, {"kms:ViaService": "s3.eu-west-1.amazonaws.com"}, True),
    ("adapter", "kms:Decrypt", KEY, {"kms:ViaService": "secretsmanager.eu-west-1.amazonaws.com"}, False),
    ("adapter", "kms:Decrypt", KEY, {}, False),
    ("adapter", "kms:CreateGrant", KEY, {"kms:GrantIsForAWSResource": "true"}, True),
    ("execution", "kms:CreateGrant", KEY, {"kms:GrantIsForAWSResource": "false"}, False),
    ("adapter", "iam:CreateServiceLinkedRole", f"arn:aws:iam::{ACCOUNT}:role/aws-service-role/ecs.amazonaws.com/x",
     {"iam:AWSServiceName": "ecs.amazonaws.com"}, False),
    ("adapter", "logs:DeleteLogGroup", arn("logs", "log-group:/aws/sagemaker/TrainingJobs"), {}, False),
    ("adapter", "ecr:PutImage", arn("ecr", "repository/churn-prod/jobs"), {}, True),
    ("adapter", "ecr:PutImage", arn("ecr", "repository/theirs"), {}, False),
    ("execution", "s3:GetObject", f"{BUCKET}/cloudml/churn/a", {}, True),
    ("execution", "s3:GetObject", f"{BUCKET}/other/a", {}, False),
    ("execution", "sagemaker:CreateTrainingJob", arn("sagemaker", "training-job/churn-1"), FAST, False),
    ("execution", "cloudwatch:PutMetricData", "*", {"cloudwatch:namespace": "/aws/sagemaker/Endpoints"}, True),
    ("execution", "cloudwatch:PutMetricData", "*", {"cloudwatch:namespace": "AWS/EC2"}, False),
    ("execution", "ecr:BatchGetImage", arn("ecr", "repository/churn-prod/jobs"), {}, True),
    ("execution", "ecr:PutImage", arn("ecr", "repository/churn-prod/jobs"), {}, False),
    ("scheduler", "sagemaker:CreateProcessingJob", arn("sagemaker", "processing-job/churn-drift-1"), FAST, True),
    ("scheduler", "sagemaker:CreateProcessingJob", arn("sagemaker", "processing-job/theirs"), FAST, False),
    ("scheduler", "s3:GetObject", f"{BUCKET}/cloudml/churn/a", {}, False),
)  # fmt: skip


def simulated(applied, rows: list[tuple]) -> list[bool]:
    policies = {name: [{"Version": "2012-10-17", "Statement": statements(applied, name)}] for name in TABLES_AWS}
    cases = [
        {
            "principal": role(who),
            "action": action,
            "context": facts,
            "policies": policies[who],
            "resource": applied.profile["encryption"]["key_id"] if resource == KEY else resource,
        }
        | ({"resourcePolicy": KEY_POLICY} if action.startswith("kms:") else {})
        for who, action, resource, facts, _ in rows
    ]
    done = subprocess.run(
        [NODE, "--input-type=module", "-e", (HERE / "simulate" / "simulate.mjs").read_text()],
        cwd=SIMULATOR, input=json.dumps({"account": ACCOUNT, "cases": cases}), capture_output=True, text=True,
        check=True,
    )  # fmt: skip
    said = json.loads(done.stdout)
    odd = [(row[:3], one) for row, one in zip(rows, said, strict=True) if not re.fullmatch("Allowed|.*Denied", one)]
    assert odd == []
    return [one == "Allowed" for one in said]


def test_aws_allows_what_it_must_and_refuses_the_rest(newest) -> None:
    wrong = [
        (row[0], row[1], row[2], "allowed" if said else "refused")
        for row, said in zip(ROWS, simulated(newest("aws"), [*ROWS]), strict=True)
        if said != row[4]
    ]
    assert wrong == []
    assert len(ROWS) >= 30


def test_aws_allows_each_permission_of_the_provider_on_each_of_its_resources(newest) -> None:
    applied = newest("aws")
    names = named(applied, "cloudml/churn")
    rows = [
        (who, action, narrowed(action, example(pattern.format_map(names))), facts(action, one, names), True)
        for who, table in TABLES_AWS.items()
        for one in table
        for action in one.actions
        for pattern in one.resources
    ]
    refused = [row[:3] for row, said in zip(rows, simulated(applied, rows), strict=True) if not said]
    assert refused == []


STREAMS = {"logs:CreateLogStream", "logs:PutLogEvents"}
"""Actions on a stream within a log group."""


def narrowed(action: str, resource: str) -> str:
    """Of a log group a stream is meant."""
    return f"{resource}:log-stream:x" if action in STREAMS else resource


def facts(action: str, permission: aws.Permission, names: dict[str, str]) -> dict[str, Any]:
    """What a request says besides, so that the conditions of the permission and of the module hold."""
    found = {
        key: value.replace("*", "x") for one in aws.condition(permission, names).values() for key, value in one.items()
    }
    return {**found, **(FAST if action.startswith("sagemaker:Create") else {})}


BLOBS = "Microsoft.Storage/storageAccounts/blobServices/containers/blobs"


def azure_allows(condition: str, action: str, *, path: str = "", listed: str | None = None) -> bool:
    """Whether the condition of a role assignment lets a request through; read as Azure's language reads it."""

    def like(value: str | None, pattern: str) -> bool:
        return value is not None and re.fullmatch(re.escape(pattern).replace(r"\*", ".*"), value) is not None

    operation = "Blob.List" if listed is not None else "Blob.Read"
    text = re.sub(r"SubOperationMatches\{('[^']+')\}", rf"({operation!r} == \1)", condition)
    text = re.sub(r"ActionMatches\{('[^']+')\}", rf"({action!r} == \1)", text)
    text = re.sub(r"@Resource\[[^\]]+:path\] StringLike ('[^']+')", r"like(path, \1)", text)
    text = re.sub(r"@Request\[[^\]]+:prefix\] StringLike ('[^']+')", r"like(listed, \1)", text)
    text = text.replace(" AND ", " and ").replace(" OR ", " or ").replace("NOT ", "not ").replace("!", " not ")
    return bool(eval(text, {"like": like, "path": path, "listed": listed}))


@pytest.mark.parametrize("who", ["adapter", "execution"])
@pytest.mark.parametrize(
    ("verb", "path", "listed", "allowed"),
    [
        ("read", "cloudml/churn/a", None, True),
        ("read", "other/a", None, False),
        ("write", "cloudml/churn/a", None, True),
        ("write", "other/a", None, False),
        ("add/action", "other/a", None, False),
        ("delete", "cloudml/churn/a", None, True),
        ("delete", "cloudmlx", None, False),
        ("read", "", "cloudml/churn/", True),
        ("read", "", "other/", False),
        ("read", "", "", False),
    ],
)
def test_azure_lets_nobody_outside_the_prefix(newest, who: str, verb: str, path: str, listed, allowed: bool) -> None:
    conditions = {
        one["values"]["condition"] for one in newest("azure").resources("azurerm_role_assignment")
        if one["name"] == who and one["values"].get("role_definition_name") == "Storage Blob Data Contributor"
    }  # fmt: skip
    assert conditions
    for condition in conditions:
        assert azure_allows(condition, f"{BLOBS}/{verb}", path=path, listed=listed) is allowed


def gcp_allows(expression: str, kind: str, name: str, listed: str = "") -> bool:
    """Whether the condition of a binding lets a request through; read as Google's language reads it."""
    text = re.sub(r'api\.getAttribute\("[^"]+", ""\)', "listed", expression)
    text = text.replace("resource.name", "name").replace("resource.type", "kind")
    text = text.replace("startsWith", "startswith").replace("||", " or ").replace("&&", " and ")
    return bool(eval(text, {"listed": listed, "name": name, "kind": f"storage.googleapis.com/{kind}"}))


@pytest.mark.parametrize(
    ("kind", "rest", "listed", "allowed"),
    [
        ("Object", "/objects/cloudml/churn/a", "", True),
        ("Object", "/objects/other/a", "", False),
        ("Object", "/objects/cloudmlx", "", False),
        ("Bucket", "", "cloudml/churn/", True),
        ("Bucket", "", "other/", False),
        ("Bucket", "", "", False),
    ],
)
def test_gcp_lets_nobody_outside_the_prefix(newest, kind: str, rest: str, listed: str, allowed: bool) -> None:
    bindings = [one for one in newest("gcp").resources("google_storage_bucket_iam_member") if one["name"] == "objects"]
    assert {one["index"] for one in bindings} == {"adapter", "execution"}
    for one in bindings:
        name = f"projects/_/buckets/{one['values']['bucket']}{rest}"
        assert gcp_allows(one["values"]["condition"][0]["expression"], kind, name, listed) is allowed


def test_who_may_take_on_a_role_is_exact(newest) -> None:
    trust = {
        one["name"]: json.loads(one["values"]["assume_role_policy"])["Statement"]
        for one in newest("aws").made("aws_iam_role")
    }
    assert [one["Principal"] for one in trust["execution"]] == [{"Service": "sagemaker.amazonaws.com"}]
    assert [one["Principal"] for one in trust["scheduler"]] == [{"Service": "scheduler.amazonaws.com"}]
    named, federated = trust["adapter"]
    assert named["Principal"] == {"AWS": [f"arn:aws:iam::{ACCOUNT}:role/ml-developers"]}
    subjects = federated["Condition"]["StringEquals"]["token.actions.githubusercontent.com:sub"]
    assert as_list(subjects) == ["repo:example/churn:environment:prod"]
    assert aws.TRUSTED["role_arn"] == "sagemaker.amazonaws.com"
