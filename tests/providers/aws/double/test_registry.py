"""The registry, tags, search and schedules of the double, driven by boto3."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from botocore.exceptions import ClientError

BUCKET = "cloudml-double"
ROLE = "arn:aws:iam::111122223333:role/cloudml"


def package(cloud, group="group", **said):
    source = {"S3Uri": f"s3://{BUCKET}/models/model/", "S3DataType": "S3Prefix", "CompressionType": "None"}
    container = {"Image": "image", "ModelDataSource": {"S3DataSource": source}}
    inference = {
        "Containers": [container],
        "SupportedContentTypes": ["application/json"],
        "SupportedResponseMIMETypes": ["application/json"],
    }
    return cloud.sagemaker.create_model_package(ModelPackageGroupName=group, InferenceSpecification=inference, **said)[
        "ModelPackageArn"
    ]


@pytest.fixture
def group(cloud):
    cloud.sagemaker.create_model_package_group(ModelPackageGroupName="group", Tags=[{"Key": "k", "Value": "v"}])


def test_versions_are_counted_by_the_service(cloud, group):
    arns = [package(cloud, CustomerMetadataProperties={"hash": str(index)}) for index in range(2)]
    assert [arn.rpartition("/")[2] for arn in arns] == ["1", "2"]
    shown = cloud.sagemaker.describe_model_package(ModelPackageName=arns[1])
    assert shown["ModelPackageVersion"] == 2
    assert shown["CustomerMetadataProperties"] == {"hash": "1"}
    assert shown["ModelApprovalStatus"] == "PendingManualApproval"
    assert shown["InferenceSpecification"]["Containers"][0]["ModelDataSource"]["S3DataSource"]["S3DataType"]


def test_one_token_makes_one_version(cloud, group):
    assert package(cloud, ClientToken="t") == package(cloud, ClientToken="t")
    assert package(cloud, ClientToken="u").endswith("/2")


def test_a_list_without_a_group_has_no_versions(cloud, group):
    package(cloud)
    assert not cloud.sagemaker.list_model_packages()["ModelPackageSummaryList"]
    for said in ({"ModelPackageGroupName": "group"}, {"ModelPackageType": "Versioned"}, {"ModelPackageType": "Both"}):
        assert len(cloud.sagemaker.list_model_packages(**said)["ModelPackageSummaryList"]) == 1


def test_approval_and_metadata_are_updated(cloud, group):
    arn = package(cloud, CustomerMetadataProperties={"a": "1", "b": "2"})
    cloud.sagemaker.update_model_package(
        ModelPackageArn=arn,
        ModelApprovalStatus="Approved",
        CustomerMetadataProperties={"a": "3"},
        CustomerMetadataPropertiesToRemove=["b"],
    )
    shown = cloud.sagemaker.describe_model_package(ModelPackageName=arn)
    assert (shown["ModelApprovalStatus"], shown["CustomerMetadataProperties"]) == ("Approved", {"a": "3"})
    many = cloud.sagemaker.batch_describe_model_package(ModelPackageArnList=[arn, arn[:-1] + "9"])
    assert many["ModelPackageSummaries"][arn]["ModelApprovalStatus"] == "Approved"
    assert "does not exist" in many["BatchDescribeModelPackageErrorMap"][arn[:-1] + "9"]["ErrorResponse"]


def test_only_an_approved_version_can_be_deployed(cloud, group):
    cloud.put("models/model/code/inference.py", b"")
    arn = package(cloud)
    said = {"ModelName": "model", "ExecutionRoleArn": ROLE, "PrimaryContainer": {"ModelPackageName": arn}}
    with pytest.raises(ClientError, match="is not approved"):
        cloud.sagemaker.create_model(**said)
    cloud.sagemaker.update_model_package(ModelPackageArn=arn, ModelApprovalStatus="Approved")
    cloud.sagemaker.create_model(**said)


def test_a_group_goes_after_its_versions(cloud, group):
    arn = package(cloud)
    with pytest.raises(cloud.sagemaker.exceptions.ConflictException):
        cloud.sagemaker.delete_model_package_group(ModelPackageGroupName="group")
    cloud.sagemaker.delete_model_package(ModelPackageName=arn)
    cloud.sagemaker.delete_model_package_group(ModelPackageGroupName="group")
    with pytest.raises(ClientError, match="does not exist"):
        cloud.sagemaker.describe_model_package_group(ModelPackageGroupName="group")


def test_tags_are_replaced_and_not_heaped_up(cloud, group):
    arn = cloud.sagemaker.describe_model_package_group(ModelPackageGroupName="group")["ModelPackageGroupArn"]
    cloud.sagemaker.add_tags(ResourceArn=arn, Tags=[{"Key": "k", "Value": "w"}, {"Key": "l", "Value": "x"}])
    assert cloud.sagemaker.list_tags(ResourceArn=arn)["Tags"] == [
        {"Key": "k", "Value": "w"},
        {"Key": "l", "Value": "x"},
    ]
    cloud.sagemaker.delete_tags(ResourceArn=arn, TagKeys=["l"])
    assert cloud.sagemaker.list_tags(ResourceArn=arn)["Tags"] == [{"Key": "k", "Value": "w"}]
    with pytest.raises(ClientError, match="Tags cannot be set for a model package version"):
        package(cloud, Tags=[{"Key": "k", "Value": "v"}])


def test_everything_is_found_by_its_tags(cloud, group):
    tags = [{"Key": "project", "Value": "flights"}, {"Key": "name", "Value": "x"}]
    cloud.train("print(1)", Tags=tags)
    cloud.process("print(1)", Tags=tags)
    cloud.model()
    cloud.config("one", ("main", "model"), Tags=tags)
    cloud.scheduler.create_schedule_group(Name="watch", Tags=tags)

    def find(**said):
        pages = cloud.tagging.get_paginator("get_resources").paginate(ResourcesPerPage=2, **said)
        return [one["ResourceARN"].split(":", 5)[5] for page in pages for one in page["ResourceTagMappingList"]]

    project = {"Key": "project", "Values": ["flights"]}
    assert find(TagFilters=[project]) == [
        "endpoint-config/one",
        "processing-job/job",
        "training-job/job",
        "schedule-group/watch",
    ]
    assert find(TagFilters=[project], ResourceTypeFilters=["sagemaker:training-job"]) == ["training-job/job"]
    assert not find(TagFilters=[project, {"Key": "name", "Values": ["y"]}])
    assert find(TagFilters=[{"Key": "k"}]) == ["model-package-group/group"]
    cloud.trained()
    cloud.processed()


def test_search_evaluates_every_filter(cloud):
    for name, rate in (("a", "1"), ("b", "2")):
        cloud.train("print(1)", name=name, HyperParameters={"rate": rate}, Tags=[{"Key": "k", "Value": "v"}])
    for name in "ab":
        cloud.trained(name)

    def names(*filters, operator="And"):
        expression = {"Filters": [dict(zip(("Name", "Operator", "Value"), one, strict=False)) for one in filters]}
        found = cloud.sagemaker.search(Resource="TrainingJob", SearchExpression={**expression, "Operator": operator})
        return sorted(one["TrainingJob"]["TrainingJobName"] for one in found["Results"])

    assert names(("Tags.k", "Equals", "v")) == ["a", "b"]
    assert names(("Tags.k", "Equals", "v"), ("HyperParameters.rate", "GreaterThan", "1")) == ["b"]
    assert names(("Tags.k", "Equals", "w"), ("TrainingJobName", "Equals", "a"), operator="Or") == ["a"]
    assert names(("Tags.none", "NotExists"), ("TrainingJobStatus", "Equals", "Completed")) == ["a", "b"]


def schedule(expression, request, **said):
    return {
        "Name": "drift",
        "GroupName": "watch",
        "ScheduleExpression": expression,
        "FlexibleTimeWindow": {"Mode": "OFF"},
        "Target": {
            "Arn": "arn:aws:scheduler:::aws-sdk:sagemaker:createProcessingJob",
            "RoleArn": ROLE,
            "Input": json.dumps(request),
        },
        **said,
    }


def test_a_schedule_fires_on_the_clock_and_starts_jobs(cloud):
    cloud.put("code/tick/main.py", b"import os; print(os.environ['AT'])")
    cloud.scheduler.create_schedule_group(Name="watch")
    request = {
        **cloud.processing_request("tick"),
        "ProcessingJobName": "tick-<aws.scheduler.execution-id>",
        "Environment": {"AT": "<aws.scheduler.scheduled-time>"},
    }
    cloud.scheduler.create_schedule(**schedule("cron(0 * * * ? *)", request))
    cloud.aws.clock.advance(2 * 3600)
    jobs = cloud.sagemaker.list_processing_jobs(NameContains="tick-")["ProcessingJobSummaries"]
    assert len(jobs) == 2
    for job in jobs:
        assert cloud.processed(job["ProcessingJobName"])["ProcessingJobStatus"] == "Completed"
    lines = cloud.printed("/aws/sagemaker/ProcessingJobs", "tick-")
    assert all(line.endswith(":00:00Z") for line in lines)
    assert len(set(lines)) == 2
    cloud.scheduler.delete_schedule(Name="drift", GroupName="watch")
    cloud.aws.clock.advance(2 * 3600)
    assert len(cloud.sagemaker.list_processing_jobs(NameContains="tick-")["ProcessingJobSummaries"]) == 2


def test_a_schedule_is_replaced_by_an_update_and_rests_while_disabled(cloud):
    cloud.scheduler.create_schedule_group(Name="watch")
    cloud.scheduler.create_schedule(**schedule("rate(1 hour)", {}, Description="old"))
    cloud.scheduler.update_schedule(**schedule("rate(1 hour)", {}, State="DISABLED"))
    shown = cloud.scheduler.get_schedule(Name="drift", GroupName="watch")
    assert (shown["State"], shown.get("Description")) == ("DISABLED", None)
    cloud.aws.clock.advance(3 * 3600)
    assert not [seen for seen in cloud.aws.requests if seen.operation == "CreateProcessingJob"]
    cloud.scheduler.update_schedule(**schedule("rate(1 hour)", {}))
    cloud.aws.clock.advance(3600)
    assert [seen for seen in cloud.aws.requests if seen.operation == "CreateProcessingJob"]


def test_schedules_are_refused_as_aws_does(cloud):
    with pytest.raises(cloud.scheduler.exceptions.ResourceNotFoundException, match="Schedule group watch"):
        cloud.scheduler.create_schedule(**schedule("rate(1 hour)", {}))
    cloud.scheduler.create_schedule_group(Name="watch")
    cloud.scheduler.create_schedule(**schedule("rate(1 hour)", {}))
    with pytest.raises(cloud.scheduler.exceptions.ConflictException):
        cloud.scheduler.create_schedule(**schedule("rate(1 hour)", {}))
    for wrong in ("rate(1 hours)", "cron(0 * * * *)", "every day", "cron(0 * 1 * 1 *)"):
        with pytest.raises(ClientError, match="Invalid Schedule Expression"):
            cloud.scheduler.update_schedule(**schedule(wrong, {}))
    found = cloud.scheduler.list_schedules(GroupName="watch")["Schedules"]
    assert [one["Name"] for one in found] == ["drift"]
    cloud.scheduler.delete_schedule_group(Name="watch")
    assert not cloud.scheduler.list_schedules()["Schedules"]
    with pytest.raises(cloud.scheduler.exceptions.ResourceNotFoundException):
        cloud.scheduler.get_schedule(Name="drift")


@pytest.mark.parametrize(("expression", "zone", "expected"), [
    ("cron(0 8 ? * MON *)", "UTC", datetime(2026, 3, 2, 8, tzinfo=UTC)),
    ("cron(0 8 ? * 2 *)", "UTC", datetime(2026, 3, 2, 8, tzinfo=UTC)),
    ("cron(30 8 1 * ? *)", "UTC", datetime(2026, 4, 1, 8, 30, tzinfo=UTC)),
    ("cron(0 8 * * ? *)", "Europe/Berlin", datetime(2026, 3, 2, 7, tzinfo=UTC)),
    ("cron(0 8 * * ? 2027)", "UTC", datetime(2027, 1, 1, 8, tzinfo=UTC)),
    ("rate(5 minutes)", "UTC", datetime(2026, 3, 1, 12, 5, tzinfo=UTC)),
    ("at(2026-03-05T10:00:00)", "UTC", datetime(2026, 3, 5, 10, tzinfo=UTC)),
    ("at(2026-01-05T10:00:00)", "UTC", None),
])  # fmt: skip
def test_expressions_give_the_moments_that_aws_gives(expression, zone, expected):
    from cloudml_aws.double.expressions import following

    noon = datetime(2026, 3, 1, 12, tzinfo=UTC)
    assert following(expression, zone, noon)(noon) == expected


def test_tuning_runs_its_trials_and_knows_the_best(cloud):
    cloud.put("code/tuned/main.py", b"import sys; print('loss=' + sys.argv[sys.argv.index('--rate') + 1])")
    definition = cloud.training_request("tuned")
    del definition["TrainingJobName"]
    definition["AlgorithmSpecification"] = {
        "TrainingImage": "image",
        "TrainingInputMode": "File",
        "MetricDefinitions": [{"Name": "loss", "Regex": "loss=([-+0-9.e]+)"}],
    }
    definition["StaticHyperParameters"] = {
        "sagemaker_program": "main.py",
        "sagemaker_submit_directory": "/opt/ml/input/data/code",
    }
    cloud.sagemaker.create_hyper_parameter_tuning_job(
        HyperParameterTuningJobName="search",
        HyperParameterTuningJobConfig={
            "Strategy": "Random",
            "HyperParameterTuningJobObjective": {"Type": "Minimize", "MetricName": "loss"},
            "ResourceLimits": {"MaxNumberOfTrainingJobs": 3, "MaxParallelTrainingJobs": 2},
            "ParameterRanges": {"ContinuousParameterRanges": [{"Name": "rate", "MinValue": "0.1", "MaxValue": "0.9"}]},
        },
        TrainingJobDefinition=definition,
    )
    look = lambda: cloud.sagemaker.describe_hyper_parameter_tuning_job(HyperParameterTuningJobName="search")  # noqa: E731
    job = cloud.until(look, lambda now: now["HyperParameterTuningJobStatus"] != "InProgress")
    assert job["HyperParameterTuningJobStatus"] == "Completed"
    assert job["TrainingJobStatusCounters"]["Completed"] == 3
    found = cloud.sagemaker.list_training_jobs_for_hyper_parameter_tuning_job(HyperParameterTuningJobName="search")
    rates = [float(one["TunedHyperParameters"]["rate"]) for one in found["TrainingJobSummaries"]]
    best = job["BestTrainingJob"]["FinalHyperParameterTuningJobObjectiveMetric"]["Value"]
    assert len(set(rates)) == 3
    assert best == pytest.approx(min(rates))


def test_monitoring_schedules_are_kept(cloud):
    config = {"MonitoringJobDefinitionName": "definition", "MonitoringType": "DataQuality"}
    cloud.sagemaker.create_monitoring_schedule(
        MonitoringScheduleName="watch", MonitoringScheduleConfig=config, Tags=[{"Key": "k", "Value": "v"}]
    )
    with pytest.raises(cloud.sagemaker.exceptions.ResourceInUse):
        cloud.sagemaker.create_monitoring_schedule(MonitoringScheduleName="watch", MonitoringScheduleConfig=config)
    cloud.sagemaker.stop_monitoring_schedule(MonitoringScheduleName="watch")
    shown = cloud.sagemaker.describe_monitoring_schedule(MonitoringScheduleName="watch")
    assert shown["MonitoringScheduleStatus"] == "Stopped"
    cloud.sagemaker.delete_monitoring_schedule(MonitoringScheduleName="watch")
    with pytest.raises(cloud.sagemaker.exceptions.ResourceNotFound):
        cloud.sagemaker.describe_monitoring_schedule(MonitoringScheduleName="watch")
