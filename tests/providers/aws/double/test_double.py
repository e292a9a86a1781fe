"""Doubles as such: quick to open, apart from each other, gone when they are closed, of use to other programs."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import boto3
import obstore
import pytest
from botocore.exceptions import ClientError
from obstore.exceptions import AlreadyExistsError, PreconditionError
from obstore.store import S3Store

from cloudml_aws.double import BUCKET, KEY, SECRET, double


def client(service, aws):
    return boto3.client(
        service, endpoint_url=aws.url, aws_access_key_id=KEY, aws_secret_access_key=SECRET, region_name="eu-west-1"
    )


def test_two_at_once_do_not_see_each_other_even_with_a_bucket_of_one_name():
    with double() as one, double() as other:
        for aws, text in ((one, b"1"), (other, b"2")):
            client("s3", aws).put_object(Bucket=BUCKET, Key="a", Body=text)
            client("sagemaker", aws).create_model_package_group(ModelPackageGroupName="group")
        assert client("s3", one).get_object(Bucket=BUCKET, Key="a")["Body"].read() == b"1"
        client("s3", other).delete_object(Bucket=BUCKET, Key="a")
        client("sagemaker", other).delete_model_package_group(ModelPackageGroupName="group")
        assert client("s3", one).list_objects_v2(Bucket=BUCKET)["KeyCount"] == 1
        assert client("sagemaker", one).list_model_package_groups()["ModelPackageGroupSummaryList"]
        one.faults.refuse("*", "ThrottlingException", times=None)
        assert client("s3", other).list_objects_v2(Bucket=BUCKET)["KeyCount"] == 0


def test_one_after_another_begin_empty():
    for _ in range(3):
        with double() as aws:
            assert client("s3", aws).list_objects_v2(Bucket=BUCKET)["KeyCount"] == 0
            client("s3", aws).put_object(Bucket=BUCKET, Key="a", Body=b"1")


def test_it_is_in_the_account_and_region_that_were_named():
    role = "arn:aws:iam::999988887777:role/mine"
    with double(region="us-west-2", account="999988887777", role_arn=role, bucket="mine") as aws:
        assert aws.environ["AWS_REGION"] == "us-west-2"
        session = boto3.Session(KEY, SECRET, region_name="us-west-2")
        sagemaker = session.client("sagemaker", endpoint_url=aws.url)
        arn = sagemaker.create_model_package_group(ModelPackageGroupName="G")["ModelPackageGroupArn"]
        assert arn == "arn:aws:sagemaker:us-west-2:999988887777:model-package-group/g"
        assert session.client("sts", endpoint_url=aws.url).get_caller_identity()["Account"] == "999988887777"
        found = session.client("iam", endpoint_url=aws.url).get_role(RoleName="mine")["Role"]["Arn"]
        assert found == role
        aws.provision("other")
        assert len(session.client("s3", endpoint_url=aws.url).list_buckets()["Buckets"]) == 2


def test_closing_ends_what_still_runs(cloud):
    cloud.train("import signal\nprint('up', flush=True)\nsignal.pause()")
    cloud.until(lambda: cloud.logs.describe_log_groups()["logGroups"], bool)
    cloud.endpoint()  # the fixture sees to it that nothing is left


def test_obstore_works_against_it(cloud):
    store = S3Store(
        BUCKET,
        endpoint=cloud.aws.url,
        access_key_id=KEY,
        secret_access_key=SECRET,
        region="eu-west-1",
        virtual_hosted_style_request=False,
        client_options={"allow_http": True},
    )
    store.put("a/b", b"1")
    with pytest.raises(AlreadyExistsError):
        store.put("a/b", b"2", mode="create")
    mark = store.head("a/b")["e_tag"]
    store.put("a/b", b"3", mode={"e_tag": mark})
    with pytest.raises(PreconditionError):
        store.put("a/b", b"4", mode={"e_tag": mark})
    store.copy("a/b", "a/c")
    big = bytes(range(256)) * 4096 * 12
    store.put("big", big, use_multipart=True, chunk_size=5 << 20)
    assert bytes(store.get("big").bytes()) == big
    assert bytes(store.get_range("big", start=254, length=4)) == b"\xfe\xff\x00\x01"
    assert [one["path"] for one in store.list("a").collect()] == ["a/b", "a/c"]
    assert obstore.list_with_delimiter(store)["common_prefixes"] == ["a"]
    store.delete(["a/b", "a/c"])
    with pytest.raises(FileNotFoundError):
        store.head("a/b")
    seen = {request.operation for request in cloud.aws.requests}
    assert {"CreateMultipartUpload", "UploadPart", "CompleteMultipartUpload", "CopyObject", "HeadObject"} <= seen


def test_a_bucket_is_not_overwritten_by_two_who_make_the_same_object(cloud):
    cloud.s3.put_object(Bucket=BUCKET, Key="lock", Body=b"1", IfNoneMatch="*")
    with pytest.raises(cloud.s3.exceptions.ClientError, match="PreconditionFailed"):
        cloud.s3.put_object(Bucket=BUCKET, Key="lock", Body=b"2", IfNoneMatch="*")


def test_nothing_stays_when_the_double_itself_is_killed():
    process, environment = started()
    killed = subprocess.run(
        [sys.executable, "-c", CLIENT.replace("print('ran')", "import signal; signal.pause()")],
        env={**os.environ, **environment}, check=False, stdout=subprocess.PIPE,
    )  # fmt: skip
    assert killed.returncode == -signal.SIGKILL
    pause = threading.Event()
    while not (keepers := below(process.pid)):
        pause.wait(0.02)  # its time passes by itself, until the job runs
    process.kill()
    process.wait(60)
    process.stdout.close()
    for _ in range(3000):
        if not any(Path(f"/proc/{pid}").exists() for pid in keepers):
            return
        pause.wait(0.02)  # the keeper sees the end of its input, and ends all that is below it
    raise AssertionError(keepers)


def below(parent):
    """The processes below one, once there are some below those."""
    found = [int(pid) for one in Path(f"/proc/{parent}/task").glob("*/children") for pid in one.read_text().split()]
    inner = [int(pid) for keeper in found for pid in Path(f"/proc/{keeper}/task/{keeper}/children").read_text().split()]
    return [*found, *inner] if inner else []


def started():
    """The program, and what it printed."""
    process = subprocess.Popen(
        [sys.executable, "-m", "cloudml_aws.double", "--pace", "3600"], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    environment = dict(line.strip().split("=", 1) for line in iter(process.stdout.readline, "\n"))
    return process, environment


CLIENT = """
import boto3, os, sys
sagemaker = boto3.client("sagemaker")
sagemaker.create_model_package_group(ModelPackageGroupName="made")
source = {"S3DataType": "S3Prefix", "S3Uri": "s3://cloudml-double/code/"}
boto3.client("s3").put_object(Bucket="cloudml-double", Key="code/main.py", Body=b"print('ran')")
sagemaker.create_training_job(
    TrainingJobName="job", RoleArn="arn:aws:iam::111122223333:role/cloudml",
    AlgorithmSpecification={"TrainingImage": "image", "TrainingInputMode": "File",
                            "ContainerEntrypoint": ["python3", "/opt/ml/input/data/code/main.py"]},
    InputDataConfig=[{"ChannelName": "code", "DataSource": {"S3DataSource": source}}],
    OutputDataConfig={"S3OutputPath": "s3://cloudml-double/out"},
    ResourceConfig={"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 10},
)
print("made", flush=True)
os.kill(os.getpid(), 9)
"""


def test_the_program_outlives_clients_that_are_killed_and_ends_when_it_is_told():
    process, environment = started()
    try:
        around = {**os.environ, **environment}
        killed = subprocess.run([sys.executable, "-c", CLIENT], env=around, check=False, stdout=subprocess.PIPE)
        assert killed.returncode == -signal.SIGKILL
        session = boto3.Session(
            environment["AWS_ACCESS_KEY_ID"], environment["AWS_SECRET_ACCESS_KEY"], region_name="eu-west-1"
        )
        sagemaker = session.client("sagemaker", endpoint_url=environment["AWS_ENDPOINT_URL"])
        assert sagemaker.list_model_package_groups()["ModelPackageGroupSummaryList"]
        pause = threading.Event()
        for _ in range(2000):
            job = sagemaker.describe_training_job(TrainingJobName="job")
            if job["TrainingJobStatus"] != "InProgress":
                break
            pause.wait(0.02)  # its time passes by itself
        assert job["TrainingJobStatus"] == "Completed"
    finally:
        process.send_signal(signal.SIGTERM)
    assert process.wait(60) == 0
    process.stdout.close()


def test_a_session_can_be_attached_without_a_socket():
    with double() as aws:
        session = boto3.Session("AKIA", "secret", region_name="eu-west-1")
        aws.attach(session)
        session.client("s3").put_object(Bucket=BUCKET, Key="a/b c+d", Body=b"1")
        assert session.client("s3").get_object(Bucket=BUCKET, Key="a/b c+d")["Body"].read() == b"1"
        session.client("s3").upload_file(__file__, BUCKET, "self")
        assert session.resource("s3").Object(BUCKET, "self").get()["Body"].read() == Path(__file__).read_bytes()
        session.client("sagemaker").create_model_package_group(ModelPackageGroupName="group")
        assert client("sagemaker", aws).list_model_package_groups()["ModelPackageGroupSummaryList"]
        session.client("scheduler").create_schedule_group(Name="watch")
        aws.faults.happen("lose", "sagemaker:CreateModelPackageGroup")
        with pytest.raises(ClientError, match="already exists"):  # boto3 has sent it twice
            session.client("sagemaker").create_model_package_group(ModelPackageGroupName="other")
        assert [seen.operation for seen in aws.requests].count("CreateModelPackageGroup") == 3


def test_what_nobody_answers_is_said(cloud):
    cloud.endpoint()
    with pytest.raises(cloud.runtime.exceptions.ClientError, match="The double does not answer InvokeEndpointAsync"):
        cloud.runtime.invoke_endpoint_async(EndpointName="endpoint", InputLocation=f"s3://{BUCKET}/x")


def test_validation_is_that_of_the_service_models(cloud):
    with pytest.raises(cloud.sagemaker.exceptions.ClientError) as caught:
        cloud.sagemaker.create_model_package_group(ModelPackageGroupName="a_b", Tags=[{"Key": "k", "Value": "x" * 257}])
    assert caught.value.response["Error"]["Code"] == "ValidationException"
    message = caught.value.response["Error"]["Message"]
    assert message.startswith("2 validation errors detected: ")
    assert "Value 'a_b' at 'modelPackageGroupName' failed to satisfy constraint" in message
    assert "at 'tags.1.member.value' failed to satisfy constraint: Member must have length less" in message


def test_what_the_double_does_not_answer_itself_is_validated_and_answered_by_moto(cloud):
    with pytest.raises(cloud.sagemaker.exceptions.ClientError, match="'experimentName' failed to satisfy constraint"):
        cloud.sagemaker.create_experiment(ExperimentName="a_b")
    assert cloud.sagemaker.create_experiment(ExperimentName="ab")["ExperimentArn"]


PYTESTER = """
import boto3

def test_it(cloudml_aws):
    sagemaker = boto3.client("sagemaker")
    sagemaker.create_model_package_group(ModelPackageGroupName="group")
    boto3.client("s3").put_object(Bucket="cloudml-double", Key="a", Body=b"1")
    assert [seen.operation for seen in cloudml_aws.requests] == ["CreateModelPackageGroup", "PutObject"]
    cloudml_aws.clock.advance(3600)

def test_nothing_of_it_is_left():
    import os
    assert "AWS_ENDPOINT_URL" not in os.environ
"""


def test_users_have_a_fixture(tmp_path):
    tmp_path.joinpath("test_theirs.py").write_text(PYTESTER)
    around = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(tmp_path)],
        cwd=tmp_path, env=around, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert "2 passed" in done.stdout, done.stdout


def test_the_plugin_loads_nothing_heavy():
    program = "import json, sys, cloudml.testing; print(json.dumps(sorted(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    loaded = {name.partition(".")[0] for name in json.loads(done.stdout)}
    assert not loaded & {"boto3", "botocore", "moto", "pydantic", "numpy", "cloudml_aws"}


def test_no_other_file_knows_moto():
    root = Path(__file__).parents[4]
    for path in [*(root / "cloudml").rglob("*.py"), *(root / "providers").rglob("*.py")]:
        if "double" not in path.parts:
            assert "import moto" not in path.read_text("utf-8")
            assert "from moto" not in path.read_text("utf-8")
