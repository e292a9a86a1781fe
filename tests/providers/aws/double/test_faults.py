"""Whatever can go wrong at AWS goes wrong on demand, and boto3 shows it as AWS's own."""

from __future__ import annotations

import json

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError, ConnectionClosedError, EndpointConnectionError, ReadTimeoutError

BUCKET = "cloudml-double"
GONE = (ConnectionClosedError, EndpointConnectionError)
RESUMES = """
import os, signal, sys
signal.signal(signal.SIGTERM, lambda *_: (print("SIGTERM", flush=True), sys.exit(0)))
place = "/opt/ml/checkpoints/epoch"
done = int(open(place).read()) if os.path.exists(place) else 0
print("from", done, flush=True)
open(place, "w").write("2")
print("epoch 2", flush=True)
if done == 0:
    while True: signal.pause()
open("/opt/ml/model/m", "w").write("whole")
"""


def spot(**said):
    return {
        "EnableManagedSpotTraining": True,
        "StoppingCondition": {"MaxRuntimeInSeconds": 3600, "MaxWaitTimeInSeconds": 7200},
        "CheckpointConfig": {"S3Uri": f"s3://{BUCKET}/checkpoints/run", "LocalPath": "/opt/ml/checkpoints"},
        **said,
    }


def test_throttling_is_answered_and_passes(cloud):
    fault = cloud.aws.faults.refuse("sagemaker:ListModels", "ThrottlingException", "Rate exceeded")
    with pytest.raises(ClientError, match=r"\(ThrottlingException\).*Rate exceeded"):
        cloud.sagemaker.list_models()
    assert cloud.sagemaker.list_models()["Models"] == []
    assert fault.struck == 1


def test_boto3_tries_again_by_its_own_rules(cloud):
    cloud.aws.faults.refuse("sagemaker:ListModels", "InternalFailure", status=500, times=2)
    patient = cloud.session.client(
        "sagemaker",
        endpoint_url=cloud.aws.url,
        config=Config(retries={"mode": "standard", "total_max_attempts": 3}),
    )
    assert patient.list_models()["Models"] == []
    assert [seen.name for seen in cloud.aws.requests] == ["sagemaker:ListModels"] * 3


def test_s3_fails_in_its_own_protocol(cloud):
    cloud.aws.faults.refuse("s3:PutObject", "SlowDown", "Please reduce your request rate.", status=503)
    with pytest.raises(ClientError, match=r"\(SlowDown\).*reduce your request rate"):
        cloud.put("a", b"1")
    cloud.put("a", b"1")


def test_a_connection_is_dropped_before_the_work(cloud):
    cloud.aws.faults.happen("drop", "sagemaker:CreateModelPackageGroup")
    with pytest.raises(GONE):
        cloud.sagemaker.create_model_package_group(ModelPackageGroupName="group")
    assert not cloud.sagemaker.list_model_package_groups()["ModelPackageGroupSummaryList"]


def test_an_answer_is_lost_after_the_work(cloud):
    cloud.aws.faults.happen("lose", "sagemaker:CreateModelPackageGroup")
    with pytest.raises(GONE):
        cloud.sagemaker.create_model_package_group(ModelPackageGroupName="group")
    assert len(cloud.sagemaker.list_model_package_groups()["ModelPackageGroupSummaryList"]) == 1


def test_an_answer_does_not_come_in_time_after_the_work(cloud):
    cloud.aws.faults.happen("hold", "s3:PutObject")
    hasty = cloud.session.client(
        "s3", endpoint_url=cloud.aws.url, config=Config(read_timeout=0.3, retries={"total_max_attempts": 1})
    )
    with pytest.raises(ReadTimeoutError):
        hasty.put_object(Bucket=BUCKET, Key="a", Body=b"1")
    assert cloud.get("a") == b"1"


def test_an_answer_takes_time_on_the_clock(cloud):
    cloud.aws.faults.happen("delay", "sagemaker:ListModels", seconds=300)
    before = cloud.aws.clock.seconds()
    cloud.sagemaker.list_models()
    assert cloud.aws.clock.seconds() - before >= 300


def test_no_capacity_fails_a_training_job(cloud):
    cloud.aws.faults.domain("capacity", "job")
    cloud.train("print(1)")
    job = cloud.trained()
    assert job["TrainingJobStatus"] == "Failed"
    assert job["FailureReason"].startswith("CapacityError: Unable to provision requested ML compute capacity")


def test_a_spot_job_waits_for_capacity_and_then_runs(cloud):
    cloud.aws.faults.domain("capacity", "job", times=2)
    cloud.train("print(1)", **spot())
    job = cloud.trained()
    assert job["TrainingJobStatus"] == "Completed"
    assert "Pending" in [one["Status"] for one in job["SecondaryStatusTransitions"]]


def test_and_gives_up_when_it_has_waited_too_long(cloud):
    cloud.aws.faults.domain("capacity", "job", times=None)
    cloud.train("print(1)", **spot())
    job = cloud.trained()
    assert (job["TrainingJobStatus"], job["SecondaryStatus"]) == ("Stopped", "MaxWaitTimeExceeded")


def test_a_spot_machine_is_taken_away_and_the_job_goes_on_from_its_checkpoint(cloud):
    cloud.aws.faults.domain("spot", "job", line="epoch 2")
    cloud.train(RESUMES, **spot())
    job = cloud.trained()
    assert job["TrainingJobStatus"] == "Completed", job.get("FailureReason")
    steps = [one["Status"] for one in job["SecondaryStatusTransitions"]]
    assert steps == [
        "Starting", "Downloading", "Training", "Interrupted", "Restarting", "Downloading", "Training", "Uploading",
        "Completed",
    ]  # fmt: skip
    lines = cloud.printed("/aws/sagemaker/TrainingJobs", "job/")
    assert lines == ["from 0", "epoch 2", "SIGTERM", "from 2", "epoch 2"]
    assert cloud.get("checkpoints/run/epoch") == b"2"
    assert cloud.get("out/job/output/model/m") == b"whole"


def test_no_capacity_fails_processing_and_endpoints_too(cloud):
    cloud.aws.faults.domain("capacity", "*", times=2)
    cloud.process("print(1)")
    assert cloud.processed()["FailureReason"].startswith("CapacityError: ")
    assert "InsufficientInstanceCapacity" in cloud.endpoint()["FailureReason"]


def test_an_action_is_denied_and_the_simulation_knows_it(cloud):
    cloud.aws.faults.refuse("sagemaker:Create*", "AccessDeniedException", "is not authorized to perform", times=None)
    with pytest.raises(ClientError, match=r"\(AccessDeniedException\)"):
        cloud.sagemaker.create_model_package_group(ModelPackageGroupName="group")
    who = cloud.sts.get_caller_identity()
    assert who["Account"] == "111122223333"
    found = cloud.iam.simulate_principal_policy(
        PolicySourceArn=who["Arn"], ActionNames=["sagemaker:CreateModel", "sagemaker:DeleteModel"]
    )["EvaluationResults"]
    decisions = {one["EvalActionName"]: one["EvalDecision"] for one in found}
    assert decisions == {"sagemaker:CreateModel": "implicitDeny", "sagemaker:DeleteModel": "allowed"}


@pytest.mark.parametrize(("service", "operation", "code"), [
    ("sagemaker", "list_models", "ExpiredTokenException"),
    ("s3", "list_buckets", "ExpiredToken"),
    ("sts", "get_caller_identity", "ExpiredToken"),
])  # fmt: skip
def test_a_session_that_is_over_is_refused(cloud, service, operation, code):
    session = boto3.Session("ASIAEXPIRED", "secret", "token", region_name="eu-west-1")
    client = session.client(service, endpoint_url=cloud.aws.url)
    with pytest.raises(ClientError) as caught:
        getattr(client, operation)()
    assert caught.value.response["Error"]["Code"] == code


def test_a_key_of_nobody_is_refused(cloud):
    session = boto3.Session("AKIAUNKNOWN", "secret", region_name="eu-west-1")
    with pytest.raises(ClientError, match="UnrecognizedClientException"):
        session.client("sagemaker", endpoint_url=cloud.aws.url).list_models()


def test_describe_does_not_see_what_was_just_made(cloud):
    cloud.aws.faults.domain("stale", "model-package-group/group")
    cloud.sagemaker.create_model_package_group(ModelPackageGroupName="group")
    with pytest.raises(ClientError, match="does not exist"):
        cloud.sagemaker.describe_model_package_group(ModelPackageGroupName="group")
    cloud.sagemaker.describe_model_package_group(ModelPackageGroupName="group")


def test_tags_and_lists_lag_behind(cloud):
    cloud.aws.faults.domain("lag", times=None, seconds=60)
    cloud.sagemaker.create_model_package_group(ModelPackageGroupName="group", Tags=[{"Key": "k", "Value": "v"}])
    look = lambda: (  # noqa: E731
        len(cloud.tagging.get_resources()["ResourceTagMappingList"]),
        len(cloud.sagemaker.list_model_package_groups()["ModelPackageGroupSummaryList"]),
    )
    assert look() == (0, 0)
    cloud.aws.clock.advance(61)
    assert look() == (1, 1)


def test_quotas_are_what_they_are_told_to_be(cloud):
    cloud.aws.faults.domain("quota", "ml.m5.large for training*", value=0, times=None)
    pages = cloud.quotas.get_paginator("list_service_quotas").paginate(ServiceCode="sagemaker")
    found = {one["QuotaName"]: one["Value"] for page in pages for one in page["Quotas"]}
    assert found["ml.m5.large for training job usage"] == 0
    assert found["ml.m5.large for endpoint usage"] > 0
    first = cloud.quotas.list_service_quotas(ServiceCode="sagemaker", MaxResults=1)["Quotas"][0]
    same = cloud.quotas.get_service_quota(ServiceCode="sagemaker", QuotaCode=first["QuotaCode"])["Quota"]
    assert same["QuotaName"] == first["QuotaName"]


def test_every_request_is_written_down(cloud):
    cloud.put("a/b", b"1")
    cloud.sagemaker.list_models(NameContains="x")
    put, listed = cloud.aws.requests
    assert (put.name, put.parameters["Key"]) == ("s3:PutObject", "a/b")
    assert (listed.name, json.dumps(listed.parameters)) == ("sagemaker:ListModels", '{"NameContains": "x"}')
