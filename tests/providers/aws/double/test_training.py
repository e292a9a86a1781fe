"""Training jobs on the double, driven by boto3."""

from __future__ import annotations

import io
import json
import tarfile

import pytest
from botocore.exceptions import ClientError

BUCKET = "cloudml-double"
GROUP = "/aws/sagemaker/TrainingJobs"
LOOK = """
import json, os
print(sorted(os.listdir("/opt/ml")))
print(json.dumps(json.load(open("/opt/ml/input/config/hyperparameters.json")), sort_keys=True))
print(json.load(open("/opt/ml/input/config/inputdataconfig.json"))["train"]["TrainingInputMode"])
print(json.load(open("/opt/ml/input/config/resourceconfig.json"))["hosts"])
print(sorted(os.listdir("/opt/ml/input/data/train")))
print(os.environ["TRAINING_JOB_NAME"], os.environ["AWS_REGION"], os.environ["GIVEN"])
"""

ASK = """
import os, urllib.request
scope = os.environ["AWS_ACCESS_KEY_ID"] + "/20260101/eu-west-1/s3/aws4_request"
signed = f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=0"
place = os.environ["AWS_ENDPOINT_URL"] + "/cloudml-double/from/inside"
urllib.request.urlopen(urllib.request.Request(place, b"1", {"Authorization": signed}, method="PUT"))
"""


def channel(name, uri, **said):
    source = {"S3DataType": "S3Prefix", "S3Uri": uri, **said}
    return {"ChannelName": name, "DataSource": {"S3DataSource": source}}


def test_the_folder_of_a_job_is_as_sagemaker_lays_it_out(cloud):
    cloud.put("data/a.csv", b"1")
    cloud.put("data/deep/b.csv", b"2")
    cloud.train(
        LOOK,
        channels=[channel("train", f"s3://{BUCKET}/data/")],
        HyperParameters={"rate": "0.1", "name": '"x y"'},
        Environment={"GIVEN": "yes"},
    )
    assert cloud.trained()["TrainingJobStatus"] == "Completed"
    assert cloud.printed(GROUP, "job/") == [
        "['checkpoints', 'code', 'input', 'model', 'output']",
        '{"name": "\\"x y\\"", "rate": "0.1"}',
        "File",
        "['algo-1']",
        "['a.csv', 'deep']",
        "job eu-west-1 yes",
    ]


def test_what_a_container_asks_is_told_from_what_its_caller_asks(cloud):
    cloud.put("from/outside", b"1")
    cloud.train(ASK)
    assert cloud.trained()["TrainingJobStatus"] == "Completed"
    puts = {one.parameters["Key"]: one.inside for one in cloud.aws.requests if one.operation == "PutObject"}
    assert (puts["from/outside"], puts["from/inside"]) == (False, True)


def test_outputs_land_uncompressed_where_aws_puts_them(cloud):
    cloud.train(
        "import os\nopen('/opt/ml/model/m', 'w').write('1')\n"
        "os.makedirs('/opt/ml/output/data/x')\nopen('/opt/ml/output/data/x/y', 'w').write('2')"
    )
    job = cloud.trained()
    assert job["ModelArtifacts"]["S3ModelArtifacts"] == f"s3://{BUCKET}/out/job/output/model/"
    assert cloud.get("out/job/output/model/m") == b"1"
    assert cloud.get("out/job/output/data/x/y") == b"2"


def test_or_as_archives(cloud):
    cloud.train(
        "open('/opt/ml/model/m', 'w').write('1')\nopen('/opt/ml/output/data/d', 'w').write('2')",
        OutputDataConfig={"S3OutputPath": f"s3://{BUCKET}/out/"},
    )
    assert cloud.trained()["ModelArtifacts"]["S3ModelArtifacts"] == f"s3://{BUCKET}/out/job/output/model.tar.gz"
    for name, inside in (("model", "m"), ("output", "d")):
        with tarfile.open(fileobj=io.BytesIO(cloud.get(f"out/job/output/{name}.tar.gz"))) as archive:
            assert archive.getnames() == [inside]


def test_the_steps_are_those_of_sagemaker_and_take_their_time(cloud):
    cloud.train("print(1)")
    job = cloud.sagemaker.describe_training_job(TrainingJobName="job")
    assert (job["TrainingJobStatus"], job["SecondaryStatus"]) == ("InProgress", "Starting")
    job = cloud.trained()
    steps = [one["Status"] for one in job["SecondaryStatusTransitions"]]
    assert steps == ["Starting", "Downloading", "Training", "Uploading", "Completed"]
    times = [one["StartTime"] for one in job["SecondaryStatusTransitions"]]
    assert times == sorted(times)
    assert (times[1] - times[0]).total_seconds() >= 40
    assert job["TrainingStartTime"] <= job["TrainingEndTime"]
    assert job["BillableTimeInSeconds"] >= 1


def test_metrics_are_read_from_the_lines_by_their_definitions(cloud):
    cloud.train(
        "for loss in (3, 2, 1.5): print(f'loss={loss}')",
        AlgorithmSpecification={"MetricDefinitions": [{"Name": "loss", "Regex": "loss=([0-9.]+)"}]},
    )
    found = cloud.trained()["FinalMetricDataList"]
    assert [(one["MetricName"], one["Value"]) for one in found] == [("loss", 1.5)]


def test_lines_are_in_the_log_while_the_job_runs(cloud):
    cloud.train("import sys, signal\nprint('one', flush=True)\nsignal.pause()")
    look = lambda: cloud.logs.describe_log_groups()["logGroups"]  # noqa: E731
    cloud.until(look, bool)
    streams = cloud.logs.describe_log_streams(logGroupName=GROUP, logStreamNamePrefix="job/")["logStreams"]
    assert streams[0]["logStreamName"].startswith("job/algo-1-")
    events = cloud.logs.get_log_events(
        logGroupName=GROUP, logStreamName=streams[0]["logStreamName"], startFromHead=True
    )
    assert [event["message"] for event in events["events"]] == ["one"]
    assert cloud.sagemaker.describe_training_job(TrainingJobName="job")["SecondaryStatus"] == "Training"


@pytest.mark.parametrize(
    ("left", "reason"),
    [
        ("open('/opt/ml/output/failure', 'w').write('no rows')", "AlgorithmError: no rows, exit code: 3"),
        ("", "AlgorithmError: Please use an API compatible training image, exit code: 3"),
    ],
)
def test_a_script_that_fails_fails_the_job_with_what_it_left(cloud, left, reason):
    cloud.train(f"import sys\nopen('/opt/ml/output/data/partial', 'w').write('1')\n{left}\nsys.exit(3)")
    job = cloud.trained()
    assert (job["TrainingJobStatus"], job["SecondaryStatus"], job["FailureReason"]) == ("Failed", "Failed", reason)
    assert cloud.get("out/job/output/data/partial") == b"1"


def test_several_nodes_are_several_containers_that_know_each_other(cloud):
    for name in "abcd":
        cloud.put(f"data/{name}", name.encode())
    cloud.train(
        "import json, os\nfacts = json.load(open('/opt/ml/input/config/resourceconfig.json'))\n"
        "print(facts['current_host'], facts['hosts'], sorted(os.listdir('/opt/ml/input/data/train')))\n"
        "open('/opt/ml/model/' + facts['current_host'], 'w').write('x')",
        channels=[channel("train", f"s3://{BUCKET}/data/", S3DataDistributionType="ShardedByS3Key")],
        ResourceConfig={"InstanceType": "ml.m5.large", "InstanceCount": 2, "VolumeSizeInGB": 10},
    )
    assert cloud.trained()["TrainingJobStatus"] == "Completed"
    assert sorted(cloud.printed(GROUP)) == [
        "algo-1 ['algo-1', 'algo-2'] ['a', 'c']",
        "algo-2 ['algo-1', 'algo-2'] ['b', 'd']",
    ]
    assert cloud.keys("out/job/output/model/") == ["out/job/output/model/algo-1", "out/job/output/model/algo-2"]


def test_one_node_that_fails_takes_the_others_with_it(cloud):
    cloud.train(
        "import json, signal, sys\nfacts = json.load(open('/opt/ml/input/config/resourceconfig.json'))\n"
        "sys.exit(4) if facts['current_host'] == 'algo-2' else signal.pause()",
        ResourceConfig={"InstanceType": "ml.m5.large", "InstanceCount": 2, "VolumeSizeInGB": 10},
    )
    assert cloud.trained()["FailureReason"].endswith("exit code: 4")


def test_a_manifest_names_the_objects(cloud):
    cloud.put("data/a", b"1")
    cloud.put("data/b", b"2")
    cloud.put("manifest", json.dumps([{"prefix": f"s3://{BUCKET}/data/"}, "b"]).encode())
    source = channel("train", f"s3://{BUCKET}/manifest", S3DataType="ManifestFile")
    cloud.train("import os; print(os.listdir('/opt/ml/input/data/train'))", channels=[source])
    cloud.trained()
    assert cloud.printed(GROUP) == ["['b']"]


def test_stopping_sends_sigterm_and_keeps_what_is_there(cloud):
    cloud.train(
        "import signal, sys\n"
        "def end(*_):\n    open('/opt/ml/model/half', 'w').write('1')\n    sys.exit(0)\n"
        "signal.signal(signal.SIGTERM, end)\nprint('up', flush=True)\nwhile True: signal.pause()"
    )
    cloud.until(lambda: cloud.logs.describe_log_groups()["logGroups"], bool)
    cloud.sagemaker.stop_training_job(TrainingJobName="job")
    assert cloud.sagemaker.describe_training_job(TrainingJobName="job")["TrainingJobStatus"] == "Stopping"
    job = cloud.trained()
    assert (job["TrainingJobStatus"], job["SecondaryStatus"]) == ("Stopped", "Stopped")
    assert cloud.get("out/job/output/model/half") == b"1"


def test_a_script_that_does_not_stop_is_killed(cloud):
    cloud.train(
        "import signal\nsignal.signal(signal.SIGTERM, lambda *_: print('no', flush=True))\nprint('up', flush=True)\n"
        "while True: signal.pause()"
    )
    cloud.until(lambda: cloud.logs.describe_log_groups()["logGroups"], bool)
    cloud.sagemaker.stop_training_job(TrainingJobName="job")
    assert cloud.trained()["TrainingJobStatus"] == "Stopped"
    assert "no" in cloud.printed(GROUP)


def test_a_job_can_be_stopped_before_it_runs(cloud):
    cloud.train("print('never')")
    cloud.sagemaker.stop_training_job(TrainingJobName="job")
    assert cloud.trained()["SecondaryStatus"] == "Stopped"
    with pytest.raises(ClientError, match="is in status Stopped"):
        cloud.sagemaker.stop_training_job(TrainingJobName="job")


def test_a_job_that_hangs_beyond_its_time_is_stopped(cloud):
    cloud.train("import signal; signal.pause()", StoppingCondition={"MaxRuntimeInSeconds": 60})
    job = cloud.trained()
    assert (job["TrainingJobStatus"], job["SecondaryStatus"]) == ("Stopped", "MaxRuntimeExceeded")


def test_a_job_that_works_is_not_cut_off_by_a_clock_that_runs_ahead(cloud):
    cloud.train(
        "import time\nend = time.monotonic() + 1.5\nwhile time.monotonic() < end: pass\nprint('done')",
        StoppingCondition={"MaxRuntimeInSeconds": 60},
    )
    assert cloud.trained()["TrainingJobStatus"] == "Completed"


def test_a_name_is_taken_until_the_job_is_deleted(cloud):
    cloud.train("print(1)")
    with pytest.raises(cloud.sagemaker.exceptions.ResourceInUse, match="already exists"):
        cloud.train("print(2)")
    with pytest.raises(cloud.sagemaker.exceptions.ResourceInUse):
        cloud.sagemaker.delete_training_job(TrainingJobName="job")
    cloud.trained()
    cloud.sagemaker.delete_training_job(TrainingJobName="job")
    with pytest.raises(ClientError, match=r"Requested resource not found\."):
        cloud.sagemaker.describe_training_job(TrainingJobName="job")
    cloud.train("print(2)")
    assert cloud.trained()["TrainingJobStatus"] == "Completed"


@pytest.mark.parametrize(
    ("said", "words"),
    [
        (
            {"TrainingJobName": "bad_name"},
            "'trainingJobName' failed to satisfy constraint: Member must satisfy regular",
        ),
        ({"EnableManagedSpotTraining": True}, "Invalid MaxWaitTimeInSeconds. It must be present"),
        (
            {"StoppingCondition": {"MaxRuntimeInSeconds": 60, "MaxWaitTimeInSeconds": 60}},
            "only supported when EnableManagedSpotTraining",
        ),
        (
            {"ResourceConfig": {"InstanceType": "ml.none", "InstanceCount": 1, "VolumeSizeInGB": 1}},
            "'resourceConfig.instanceType' failed to satisfy constraint: Member must satisfy enum value set",
        ),
        ({"HyperParameters": {"a": "x" * 2501}}, "length less than or equal to 2500"),
        ({"channels": [channel("train", f"s3://{BUCKET}/nothing/")]}, "No S3 objects found under S3 URL"),
    ],
)
def test_what_aws_refuses_is_refused_in_its_words(cloud, said, words):
    with pytest.raises(ClientError, match="ValidationException") as caught:
        cloud.train("print(1)", **said)
    assert words in str(caught.value)


def test_jobs_are_listed_in_pages_by_name_and_status(cloud):
    for index in range(3):
        cloud.train("import sys; sys.exit(1)" if index else "print(1)", name=f"job-{index}")
        cloud.aws.clock.advance(1)
    for index in range(3):
        cloud.trained(f"job-{index}")
    pages = cloud.sagemaker.get_paginator("list_training_jobs").paginate(MaxResults=2)
    names = [one["TrainingJobName"] for page in pages for one in page["TrainingJobSummaries"]]
    assert names == ["job-2", "job-1", "job-0"]
    failed = cloud.sagemaker.list_training_jobs(StatusEquals="Failed", NameContains="2")["TrainingJobSummaries"]
    assert [one["TrainingJobName"] for one in failed] == ["job-2"]


def test_an_image_without_an_entrypoint_runs_the_script_as_the_toolkit_would(cloud):
    cloud.train(
        "import os, sys\nprint(sys.argv[1:])\nprint(os.environ['SM_HP_RATE'], os.environ['SM_CHANNEL_CODE'])\n"
        "open(os.environ['SM_MODEL_DIR'] + '/m', 'w').write('1')",
        AlgorithmSpecification={"ContainerEntrypoint": None},
        HyperParameters={
            "sagemaker_program": '"main.py"',
            "sagemaker_submit_directory": '"/opt/ml/input/data/code"',
            "rate": "0.1",
            "fast": "true",
        },
    )
    assert cloud.trained()["TrainingJobStatus"] == "Completed"
    assert cloud.printed(GROUP) == ["['--fast', 'True', '--rate', '0.1']", "0.1 /opt/ml/input/data/code"]
    assert cloud.get("out/job/output/model/m") == b"1"


def test_and_hides_its_exit_code_as_the_toolkit_does(cloud):
    cloud.train(
        "import sys; sys.exit(9)",
        AlgorithmSpecification={"ContainerEntrypoint": None},
        HyperParameters={"sagemaker_program": "main.py", "sagemaker_submit_directory": "/opt/ml/input/data/code"},
    )
    reason = cloud.trained()["FailureReason"]
    assert reason.startswith("AlgorithmError: ExecuteUserScriptError:\nExitCode 9")
    assert reason.endswith("exit code: 1")
