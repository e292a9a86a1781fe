"""Processing jobs on the double, driven by boto3."""

from __future__ import annotations

import pytest
from botocore.exceptions import ClientError

BUCKET = "cloudml-double"
GROUP = "/aws/sagemaker/ProcessingJobs"


def test_inputs_and_outputs_lie_where_the_request_says(cloud):
    cloud.put("data/a.csv", b"1")
    cloud.process(
        "import json, os\nprint(os.listdir('/opt/ml/processing/input/table'))\n"
        "print(json.load(open('/opt/ml/config/resourceconfig.json'))['hosts'])\n"
        "print(json.load(open('/opt/ml/config/processingjobconfig.json'))['ProcessingJobName'])\n"
        "os.makedirs('/opt/ml/processing/output/deep')\nopen('/opt/ml/processing/output/deep/r', 'w').write('9')",
        inputs={"table": f"s3://{BUCKET}/data/"},
    )
    assert cloud.processed()["ProcessingJobStatus"] == "Completed"
    assert cloud.printed(GROUP, "job/algo-1-") == ["['a.csv']", "['algo-1']", "job"]
    assert cloud.get("out/job/deep/r") == b"9"


def test_a_continuous_output_is_there_while_the_job_runs(cloud):
    cloud.process(
        "import signal\nopen('/opt/ml/processing/output/r', 'w').write('9')\nsignal.pause()", mode="Continuous"
    )
    cloud.until(lambda: cloud.keys("out/job/"), bool)
    assert cloud.sagemaker.describe_processing_job(ProcessingJobName="job")["ProcessingJobStatus"] == "InProgress"


def test_an_input_without_objects_fails_the_job(cloud):
    cloud.process("print('never')", inputs={"table": f"s3://{BUCKET}/nothing/"})
    job = cloud.processed()
    assert job["ProcessingJobStatus"] == "Failed"
    assert job["FailureReason"].startswith("ClientError: Data download failed:No S3 objects found")


def test_what_a_script_leaves_as_its_message_is_shown(cloud):
    cloud.process("import sys\nopen('/opt/ml/output/message', 'w').write('3 columns drift')\nsys.exit(3)")
    job = cloud.processed()
    assert (job["ProcessingJobStatus"], job["ExitMessage"]) == ("Failed", "3 columns drift")
    assert job["FailureReason"] == "AlgorithmError: 3 columns drift, exit code: 3"


def test_a_job_that_succeeds_has_a_message_too(cloud):
    cloud.process("open('/opt/ml/output/message', 'w').write('all good')")
    job = cloud.processed()
    assert (job["ProcessingJobStatus"], job["ExitMessage"]) == ("Completed", "all good")


def test_a_job_is_stopped_and_deleted(cloud):
    cloud.process("import signal\nprint('up', flush=True)\nsignal.pause()")
    cloud.until(lambda: cloud.logs.describe_log_groups()["logGroups"], bool)
    with pytest.raises(cloud.sagemaker.exceptions.ResourceInUse):
        cloud.process("print(1)")
    cloud.sagemaker.stop_processing_job(ProcessingJobName="job")
    assert cloud.processed()["ProcessingJobStatus"] == "Stopped"
    cloud.sagemaker.delete_processing_job(ProcessingJobName="job")
    with pytest.raises(ClientError, match="Could not find requested job with name: job"):
        cloud.sagemaker.describe_processing_job(ProcessingJobName="job")


def test_a_job_without_a_network_has_no_credentials(cloud):
    look = "import os; print('AWS_ACCESS_KEY_ID' in os.environ)"
    cloud.process(look, name="alone", NetworkConfig={"EnableNetworkIsolation": True})
    cloud.processed("alone")
    cloud.process(look, name="open")
    cloud.processed("open")
    assert cloud.printed(GROUP, "alone/") == ["False"]
    assert cloud.printed(GROUP, "open/") == ["True"]


def test_a_script_reaches_the_bucket_with_its_own_client(cloud):
    cloud.put("data/a", b"seen")
    cloud.process(f"import boto3; print(boto3.client('s3').get_object(Bucket='{BUCKET}', Key='data/a')['Body'].read())")
    cloud.processed()
    assert cloud.printed(GROUP) == ["b'seen'"]


def test_a_folder_outside_of_processing_is_refused(cloud):
    place = {"S3Uri": f"s3://{BUCKET}/o", "LocalPath": "/tmp/o", "S3UploadMode": "EndOfJob"}
    outputs = {"Outputs": [{"OutputName": "o", "S3Output": place}]}
    with pytest.raises(ClientError, match="must start with /opt/ml/processing"):
        cloud.process("", ProcessingOutputConfig=outputs)


def test_jobs_are_listed(cloud):
    cloud.process("print(1)", name="job-1")
    cloud.process("print(1)", name="job-2")
    found = cloud.sagemaker.list_processing_jobs(SortBy="Name", SortOrder="Ascending")["ProcessingJobSummaries"]
    assert [one["ProcessingJobName"] for one in found] == ["job-1", "job-2"]
    cloud.processed("job-1")
    cloud.processed("job-2")
    assert not cloud.sagemaker.list_processing_jobs(StatusEquals="InProgress")["ProcessingJobSummaries"]
