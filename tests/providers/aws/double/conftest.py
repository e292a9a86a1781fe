"""A double, boto3 as it is, and short words for what tests ask again and again."""

from __future__ import annotations

import time

import boto3
import botocore.session
import pytest
from botocore.config import Config
from leftovers import left_over

from cloudml_aws.double import double

ROLE = "arn:aws:iam::111122223333:role/cloudml"
BUCKET = "cloudml-double"
DEADLINE_S = 120.0
OVER = {"Completed", "Failed", "Stopped"}
LOADER = botocore.session.Session().get_component("data_loader")
"""Service models are read once for all tests."""
ONCE = Config(retries={"total_max_attempts": 1})


class Cloud:
    """A double and its clients."""

    def __init__(self, aws):
        self.aws = aws
        native = botocore.session.Session()
        native.register_component("data_loader", LOADER)
        self.session = boto3.Session(
            botocore_session=native,
            aws_access_key_id=aws.environ["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=aws.environ["AWS_SECRET_ACCESS_KEY"],
            region_name="eu-west-1",
        )
        self.made = {}

    def client(self, service, **said):
        return self.session.client(service, endpoint_url=self.aws.url, config=ONCE, **said)

    def __getattr__(self, service):
        if service.startswith("_"):
            raise AttributeError(service)
        if service not in self.made:
            self.made[service] = self.client(NAMES.get(service, service))
        return self.made[service]

    def put(self, key, content):
        self.s3.put_object(Bucket=BUCKET, Key=key, Body=content)

    def get(self, key):
        return self.s3.get_object(Bucket=BUCKET, Key=key)["Body"].read()

    def keys(self, prefix=""):
        return [one["Key"] for one in self.s3.list_objects_v2(Bucket=BUCKET, Prefix=prefix).get("Contents", ())]

    def until(self, look, when, step=10):
        """What *look* gives once *when* is true of it; time passes between two looks."""
        deadline = time.monotonic() + DEADLINE_S
        while not when(found := look()):
            assert time.monotonic() < deadline, f"still {found}"
            self.aws.clock.sleep(step)
        return found

    def train(self, script, name="job", **said):
        """Begin a training job that runs *script*."""
        self.put(f"code/{name}/main.py", script)
        self.sagemaker.create_training_job(**training(name, **said))

    def training_request(self, name, **said):
        return training(name, **said)

    def processing_request(self, name, **said):
        return processing(name, **said)

    def trained(self, name="job"):
        look = lambda: self.sagemaker.describe_training_job(TrainingJobName=name)  # noqa: E731
        return self.until(look, lambda now: now["TrainingJobStatus"] in OVER)

    def process(self, script, name="job", **said):
        self.put(f"code/{name}/main.py", script)
        self.sagemaker.create_processing_job(**processing(name, **said))

    def processed(self, name="job"):
        look = lambda: self.sagemaker.describe_processing_job(ProcessingJobName=name)  # noqa: E731
        return self.until(look, lambda now: now["ProcessingJobStatus"] in OVER)

    def printed(self, group, prefix=""):
        said = {"logStreamNamePrefix": prefix} if prefix else {}
        events = self.logs.filter_log_events(logGroupName=group, **said)["events"]
        return [event["message"] for event in events]

    def model(self, name="model", code=None, environment=None):
        """A model whose code is *code*, uncompressed in the bucket."""
        self.put(f"models/{name}/code/inference.py", code or DOUBLING)
        self.put(f"models/{name}/weights.json", b"2")
        source = {"S3Uri": f"s3://{BUCKET}/models/{name}/", "S3DataType": "S3Prefix", "CompressionType": "None"}
        self.sagemaker.create_model(
            ModelName=name,
            ExecutionRoleArn=ROLE,
            PrimaryContainer={
                "Image": "image",
                "ModelDataSource": {"S3DataSource": source},
                "Environment": {"SAGEMAKER_PROGRAM": "inference.py", **(environment or {})},
            },
        )

    def config(self, name, *variants, **said):
        """A configuration of variants: pairs of name and model, and perhaps a weight."""
        listed = [
            {
                "VariantName": variant,
                "ModelName": model,
                "InstanceType": "ml.m5.large",
                "InitialInstanceCount": 2,
                "InitialVariantWeight": weight[0] if weight else 1.0,
            }
            for variant, model, *weight in variants
        ]
        self.sagemaker.create_endpoint_config(EndpointConfigName=name, ProductionVariants=listed, **said)

    def endpoint(self, name="endpoint", config="one"):
        """Bring an endpoint up, with a model and a configuration unless they are there."""
        if not self.made.get("has-model"):
            self.model()
            self.made["has-model"] = True
            self.config("one", ("main", "model"))
        self.sagemaker.create_endpoint(EndpointName=name, EndpointConfigName=config)
        return self.settled(name)

    def settled(self, name="endpoint"):
        look = lambda: self.sagemaker.describe_endpoint(EndpointName=name)  # noqa: E731
        return self.until(look, lambda now: now["EndpointStatus"] in SETTLED)

    def ask(self, body=b'{"instances": [1, 2]}', name="endpoint", **said):
        return self.runtime.invoke_endpoint(EndpointName=name, Body=body, **{"ContentType": "application/json", **said})


NAMES = {
    "runtime": "sagemaker-runtime",
    "tagging": "resourcegroupstaggingapi",
    "autoscaling": "application-autoscaling",
    "quotas": "service-quotas",
}
SETTLED = {"InService", "Failed", "UpdateRollbackFailed"}
DOUBLING = b"""
import json, os

def model_fn(folder):
    print("loading in", folder)
    return json.load(open(os.path.join(folder, "weights.json"))) * float(os.environ.get("FACTOR", "1"))

def transform_fn(model, body, content_type, accept):
    rows = json.loads(body)["instances"]
    return json.dumps({"predictions": [model * row for row in rows]}), "application/json"
"""


def training(name="job", **said):
    algorithm = {
        "TrainingImage": "image",
        "TrainingInputMode": "File",
        "ContainerEntrypoint": ["python3", "/opt/ml/input/data/code/main.py"],
        **said.pop("AlgorithmSpecification", {}),
    }
    channel = {"S3DataType": "S3Prefix", "S3Uri": f"s3://{BUCKET}/code/{name}/"}
    return {
        "TrainingJobName": name,
        "RoleArn": ROLE,
        "AlgorithmSpecification": {key: value for key, value in algorithm.items() if value is not None},
        "InputDataConfig": [
            {"ChannelName": "code", "DataSource": {"S3DataSource": channel}},
            *said.pop("channels", ()),
        ],
        "OutputDataConfig": {"S3OutputPath": f"s3://{BUCKET}/out", "CompressionType": "NONE"},
        "ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 10},
        "StoppingCondition": {"MaxRuntimeInSeconds": 3600},
        **said,
    }


def processing(name="job", **said):
    code = {"S3Uri": f"s3://{BUCKET}/code/{name}/", "LocalPath": "/opt/ml/processing/input/code"}
    fixed = {"S3DataType": "S3Prefix", "S3InputMode": "File"}
    inputs = [{"InputName": "code", "S3Input": {**code, **fixed}}]
    for key, place in said.pop("inputs", {}).items():
        source = {"S3Uri": place, "LocalPath": f"/opt/ml/processing/input/{key}", **fixed}
        inputs.append({"InputName": key, "S3Input": source})
    output = {"S3Uri": f"s3://{BUCKET}/out/{name}", "LocalPath": "/opt/ml/processing/output"}
    mode = {"S3UploadMode": said.pop("mode", "EndOfJob")}
    return {
        "ProcessingJobName": name,
        "RoleArn": ROLE,
        "AppSpecification": {
            "ImageUri": "image",
            "ContainerEntrypoint": ["python3", "/opt/ml/processing/input/code/main.py"],
        },
        "ProcessingInputs": inputs,
        "ProcessingOutputConfig": {"Outputs": [{"OutputName": "output", "S3Output": {**output, **mode}}]},
        "ProcessingResources": {
            "ClusterConfig": {"InstanceCount": 1, "InstanceType": "ml.m5.large", "VolumeSizeInGB": 10}
        },
        **said,
    }


@pytest.fixture
def cloud():
    """A double; in the end nothing of it is left."""
    with double() as aws:
        folder = aws.world.folder
        yield Cloud(aws)
    assert not left_over()
    assert not folder.exists()
