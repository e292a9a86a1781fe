"""Endpoints on the double: they really answer, change their model without a failed request, and fall back."""

from __future__ import annotations

import base64
import json
import threading
from collections import Counter

import pytest
from botocore.exceptions import ClientError

BUCKET = "cloudml-double"
BROKEN = b"""
def model_fn(folder):
    raise RuntimeError("the weights are of another version")

def transform_fn(model, body, content_type, accept):
    return "", accept
"""
STRICT = b"""
import json

def model_fn(folder):
    return 1

def transform_fn(model, body, content_type, accept):
    rows = json.loads(body)["instances"]
    if any(not isinstance(row, int) for row in rows):
        raise TypeError("rows are whole numbers")
    return json.dumps({"predictions": rows}), "application/json"
"""


def answered(answer):
    return json.loads(answer["Body"].read())["predictions"]


def canary(wait=60):
    routing = {
        "Type": "CANARY",
        "WaitIntervalInSeconds": wait,
        "CanarySize": {"Type": "CAPACITY_PERCENT", "Value": 50},
    }
    return {
        "BlueGreenUpdatePolicy": {"TrafficRoutingConfiguration": routing, "TerminationWaitInSeconds": 0},
        "AutoRollbackConfiguration": {"Alarms": [{"AlarmName": "errors"}]},
    }


def second(cloud, factor="5", name="two"):
    """A configuration with another model under the same variant."""
    cloud.model("other", environment={"FACTOR": factor})
    cloud.config(name, ("main", "other"))


def test_an_endpoint_loads_the_model_and_answers(cloud):
    now = cloud.endpoint()
    assert now["EndpointStatus"] == "InService"
    assert now["ProductionVariants"][0]["CurrentInstanceCount"] == 2
    assert now["ProductionVariants"][0]["DeployedImages"][0]["SpecifiedImage"] == "image"
    answer = cloud.ask()
    assert (answered(answer), answer["ContentType"]) == ([2.0, 4.0], "application/json")
    assert answer["InvokedProductionVariant"] == "main"
    lines = cloud.printed("/aws/sagemaker/Endpoints/endpoint", "main/")
    assert any("loading in /opt/ml/model" in line for line in lines)


def test_it_is_being_created_for_a_while_and_does_not_answer_then(cloud):
    cloud.model()
    cloud.config("one", ("main", "model"))
    cloud.sagemaker.create_endpoint(EndpointName="endpoint", EndpointConfigName="one")
    assert cloud.sagemaker.describe_endpoint(EndpointName="endpoint")["EndpointStatus"] == "Creating"
    with pytest.raises(ClientError, match="is not in service") as caught:
        cloud.ask()
    assert caught.value.response["Error"]["Code"] == "ValidationError"
    with pytest.raises(ClientError, match="Cannot update in-progress endpoint"):
        cloud.sagemaker.delete_endpoint(EndpointName="endpoint")


def test_a_model_as_an_archive_is_unpacked(cloud):
    import io
    import tarfile

    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name, content in (("code/inference.py", STRICT), ("weights.json", b"2")):
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    cloud.put("model.tar.gz", buffer.getvalue())
    cloud.sagemaker.create_model(
        ModelName="packed",
        ExecutionRoleArn="arn:aws:iam::111122223333:role/cloudml",
        PrimaryContainer={"Image": "image", "ModelDataUrl": f"s3://{BUCKET}/model.tar.gz"},
    )
    cloud.config("packed", ("main", "packed"))
    cloud.sagemaker.create_endpoint(EndpointName="endpoint", EndpointConfigName="packed")
    assert cloud.settled()["EndpointStatus"] == "InService"
    assert answered(cloud.ask()) == [1, 2]


def test_a_model_that_cannot_load_fails_the_endpoint_and_its_log_says_why(cloud):
    cloud.model("broken", code=BROKEN)
    cloud.config("broken", ("main", "broken"))
    cloud.sagemaker.create_endpoint(EndpointName="endpoint", EndpointConfigName="broken")
    now = cloud.settled()
    assert now["EndpointStatus"] == "Failed"
    assert "did not pass the ping health check" in now["FailureReason"]
    lines = cloud.printed("/aws/sagemaker/Endpoints/endpoint")
    assert any("the weights are of another version" in line for line in lines)
    second(cloud)
    with pytest.raises(ClientError, match="can only be deleted"):
        cloud.sagemaker.update_endpoint(EndpointName="endpoint", EndpointConfigName="two")
    cloud.sagemaker.delete_endpoint(EndpointName="endpoint")


def test_an_error_of_the_model_comes_back_with_its_status_and_text(cloud):
    cloud.model("strict", code=STRICT)
    cloud.config("strict", ("main", "strict"))
    cloud.sagemaker.create_endpoint(EndpointName="endpoint", EndpointConfigName="strict")
    cloud.settled()
    with pytest.raises(cloud.runtime.exceptions.ModelError) as caught:
        cloud.ask(b'{"instances": ["x"]}')
    answer = caught.value.response
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 424
    assert answer["OriginalStatusCode"] == 500
    assert "error" in answer["OriginalMessage"]
    assert "log-stream:main/" in answer["LogStreamArn"]
    assert any("rows are whole numbers" in line for line in cloud.printed("/aws/sagemaker/Endpoints/endpoint"))


def test_an_unknown_endpoint_is_a_validation_error_of_the_runtime(cloud):
    with pytest.raises(ClientError, match="Endpoint none of account 111122223333 not found") as caught:
        cloud.ask(name="none")
    assert caught.value.response["Error"]["Code"] == "ValidationError"


def test_requests_are_shared_out_by_weight_or_go_where_they_are_told(cloud):
    cloud.model("model")
    cloud.model("other", environment={"FACTOR": "5"})
    cloud.config("both", ("a", "model", 3.0), ("b", "other", 1.0))
    cloud.sagemaker.create_endpoint(EndpointName="endpoint", EndpointConfigName="both")
    cloud.settled()
    count = Counter(cloud.ask()["InvokedProductionVariant"] for _ in range(60))
    assert count["a"] > count["b"] > 0
    assert answered(cloud.ask(TargetVariant="b")) == [10.0, 20.0]
    with pytest.raises(ClientError, match="Variant c was not found"):
        cloud.ask(TargetVariant="c")
    cloud.sagemaker.update_endpoint_weights_and_capacities(
        EndpointName="endpoint", DesiredWeightsAndCapacities=[{"VariantName": "a", "DesiredWeight": 0}]
    )
    assert cloud.settled()["EndpointStatus"] == "InService"
    assert {cloud.ask()["InvokedProductionVariant"] for _ in range(20)} == {"b"}


def test_an_update_changes_the_model_without_a_failed_request(cloud):
    cloud.endpoint()
    second(cloud)
    seen, over, failures = Counter(), threading.Event(), []

    def ask():
        client = cloud.client("sagemaker-runtime")
        while not over.is_set():
            try:
                answer = client.invoke_endpoint(
                    EndpointName="endpoint", Body=b'{"instances": [1]}', ContentType="application/json"
                )
                seen[tuple(answered(answer))] += 1
            except ClientError as error:
                failures.append(error)

    asking = threading.Thread(target=ask)
    asking.start()
    cloud.until(lambda: seen, bool, step=0.1)
    cloud.sagemaker.update_endpoint(EndpointName="endpoint", EndpointConfigName="two", DeploymentConfig=canary())
    assert cloud.sagemaker.describe_endpoint(EndpointName="endpoint")["EndpointStatus"] == "Updating"
    now = cloud.settled()
    had = seen[(10.0,)]
    cloud.until(lambda: seen[(10.0,)], lambda count: count > had, step=0.1)
    over.set()
    asking.join()
    assert not failures
    assert set(seen) == {(2.0,), (10.0,)}
    assert (now["EndpointConfigName"], now.get("PendingDeploymentSummary")) == ("two", None)


def test_the_pending_deployment_shows_while_it_lasts(cloud):
    cloud.endpoint()
    second(cloud)
    cloud.sagemaker.update_endpoint(EndpointName="endpoint", EndpointConfigName="two", DeploymentConfig=canary(3600))
    look = lambda: cloud.sagemaker.describe_endpoint(EndpointName="endpoint")  # noqa: E731
    now = cloud.until(look, lambda now: "VariantStatus" in str(now.get("PendingDeploymentSummary")))
    assert now["EndpointConfigName"] == "one"
    assert now["PendingDeploymentSummary"]["EndpointConfigName"] == "two"
    shown = now["PendingDeploymentSummary"]["ProductionVariants"][0]["VariantStatus"][0]["Status"]
    assert shown == "ActivatingTraffic"
    with pytest.raises(ClientError, match="Cannot update in-progress endpoint"):
        cloud.sagemaker.update_endpoint(EndpointName="endpoint", EndpointConfigName="one")
    assert cloud.settled()["EndpointConfigName"] == "two"


def test_an_alarm_brings_the_old_configuration_back(cloud):
    cloud.endpoint()
    second(cloud)
    cloud.aws.faults.domain("rollback", "endpoint", alarm="errors")
    cloud.sagemaker.update_endpoint(EndpointName="endpoint", EndpointConfigName="two", DeploymentConfig=canary())
    look = lambda: cloud.sagemaker.describe_endpoint(EndpointName="endpoint")  # noqa: E731
    cloud.until(look, lambda now: now["EndpointStatus"] == "RollingBack", step=1)
    now = cloud.settled()
    assert (now["EndpointStatus"], now["EndpointConfigName"]) == ("InService", "one")
    assert "errors" in now["FailureReason"]
    assert answered(cloud.ask()) == [2.0, 4.0]


def test_a_rollback_can_fail_too(cloud):
    cloud.endpoint()
    second(cloud)
    cloud.aws.faults.domain("rollback", "endpoint")
    cloud.aws.faults.domain("rollback-failed", "endpoint")
    cloud.sagemaker.update_endpoint(EndpointName="endpoint", EndpointConfigName="two", DeploymentConfig=canary())
    assert cloud.settled()["EndpointStatus"] == "UpdateRollbackFailed"


def test_an_update_to_a_model_that_cannot_load_leaves_the_old_one(cloud):
    cloud.endpoint()
    cloud.model("broken", code=BROKEN)
    cloud.config("two", ("main", "broken"))
    cloud.sagemaker.update_endpoint(EndpointName="endpoint", EndpointConfigName="two")
    now = cloud.settled()
    assert (now["EndpointStatus"], now["EndpointConfigName"]) == ("InService", "one")
    assert "did not pass the ping health check" in now["FailureReason"]
    assert answered(cloud.ask()) == [2.0, 4.0]


def test_an_update_resets_weights_and_counts_unless_they_are_retained(cloud):
    cloud.endpoint()
    second(cloud)
    cloud.sagemaker.update_endpoint_weights_and_capacities(
        EndpointName="endpoint", DesiredWeightsAndCapacities=[{"VariantName": "main", "DesiredInstanceCount": 4}]
    )
    cloud.settled()
    cloud.sagemaker.update_endpoint(EndpointName="endpoint", EndpointConfigName="two", RetainAllVariantProperties=True)
    assert cloud.settled()["ProductionVariants"][0]["DesiredInstanceCount"] == 4
    cloud.sagemaker.update_endpoint(EndpointName="endpoint", EndpointConfigName="one")
    assert cloud.settled()["ProductionVariants"][0]["DesiredInstanceCount"] == 2


def test_deleting_takes_a_while_and_then_nothing_is_left(cloud):
    cloud.endpoint()
    cloud.sagemaker.delete_endpoint(EndpointName="endpoint")
    assert cloud.sagemaker.describe_endpoint(EndpointName="endpoint")["EndpointStatus"] == "Deleting"
    cloud.until(lambda: cloud.sagemaker.list_endpoints()["Endpoints"], lambda found: not found)
    with pytest.raises(ClientError, match='Could not find endpoint "arn:aws:sagemaker:eu-west-1'):
        cloud.sagemaker.describe_endpoint(EndpointName="endpoint")
    assert not [key for key in cloud.aws.world.live if key.startswith("container/")]


def test_names_are_taken_and_what_an_endpoint_is_made_of_must_be_there(cloud):
    cloud.endpoint()
    sagemaker = cloud.sagemaker
    with pytest.raises(ClientError, match="Cannot create already existing endpoint "):
        sagemaker.create_endpoint(EndpointName="endpoint", EndpointConfigName="one")
    with pytest.raises(ClientError, match="Cannot create already existing endpoint configuration"):
        cloud.config("one", ("main", "model"))
    with pytest.raises(ClientError, match="Cannot create already existing model"):
        cloud.model()
    with pytest.raises(ClientError, match='Could not find endpoint configuration "arn'):
        sagemaker.create_endpoint(EndpointName="other", EndpointConfigName="none")
    with pytest.raises(ClientError, match='Could not find model "arn'):
        cloud.config("other", ("main", "none"))
    with pytest.raises(ClientError, match="Could not find model data at"):
        sagemaker.create_model(
            ModelName="empty",
            ExecutionRoleArn="arn:aws:iam::111122223333:role/cloudml",
            PrimaryContainer={"Image": "image", "ModelDataUrl": f"s3://{BUCKET}/none.tar.gz"},
        )


def test_requests_and_answers_are_captured_as_sagemaker_writes_them(cloud):
    cloud.model()
    cloud.config("one", ("main", "model"), DataCaptureConfig=capturing(100))
    cloud.sagemaker.create_endpoint(EndpointName="endpoint", EndpointConfigName="one")
    assert cloud.settled()["DataCaptureConfig"]["CaptureStatus"] == "Started"
    cloud.ask(InferenceId="mine")
    cloud.ask(b'{"instances": [3]}', ContentType="text/plain")
    now = cloud.aws.clock.now()
    (key,) = cloud.keys("capture/")
    assert key.startswith(f"capture/endpoint/main/{now:%Y/%m/%d/%H}/")
    assert key.endswith(".jsonl")
    first, other = map(json.loads, cloud.get(key).splitlines())
    assert first["captureData"]["endpointInput"] == {
        "observedContentType": "application/json",
        "mode": "INPUT",
        "data": '{"instances": [1, 2]}',
        "encoding": "JSON",
    }
    assert json.loads(first["captureData"]["endpointOutput"]["data"]) == {"predictions": [2.0, 4.0]}
    assert first["eventMetadata"]["inferenceId"] == "mine"
    assert {"eventId", "inferenceTime"} <= set(first["eventMetadata"])
    assert other["captureData"]["endpointInput"]["encoding"] == "BASE64"
    assert base64.b64decode(other["captureData"]["endpointInput"]["data"]) == b'{"instances": [3]}'


def test_of_captured_requests_there_are_as_many_as_the_share_says(cloud):
    cloud.model()
    cloud.config("one", ("main", "model"), DataCaptureConfig=capturing(50))
    cloud.sagemaker.create_endpoint(EndpointName="endpoint", EndpointConfigName="one")
    cloud.settled()
    for _ in range(60):
        cloud.ask()
    lines = sum(len(cloud.get(key).splitlines()) for key in cloud.keys("capture/"))
    assert 10 < lines < 50


def capturing(percentage):
    return {
        "EnableCapture": True,
        "InitialSamplingPercentage": percentage,
        "DestinationS3Uri": f"s3://{BUCKET}/capture",
        "CaptureOptions": [{"CaptureMode": "Input"}, {"CaptureMode": "Output"}],
        "CaptureContentTypeHeader": {"JsonContentTypes": ["application/json"], "CsvContentTypes": ["text/csv"]},
    }


def scalable(**said):
    return {
        "ServiceNamespace": "sagemaker",
        "ResourceId": "endpoint/endpoint/variant/main",
        "ScalableDimension": "sagemaker:variant:DesiredInstanceCount",
        **said,
    }


def test_a_variant_is_registered_for_scaling_and_holds_its_endpoint(cloud):
    cloud.model()
    cloud.config("one", ("main", "model"))
    cloud.sagemaker.create_endpoint(EndpointName="endpoint", EndpointConfigName="one")
    with pytest.raises(ClientError, match="ValidationException"):
        cloud.autoscaling.register_scalable_target(**scalable(MinCapacity=1, MaxCapacity=4))
    cloud.settled()
    cloud.autoscaling.register_scalable_target(**scalable(MinCapacity=1, MaxCapacity=4))
    tracking = {
        "TargetValue": 100.0,
        "PredefinedMetricSpecification": {"PredefinedMetricType": "SageMakerVariantInvocationsPerInstance"},
    }
    cloud.autoscaling.put_scaling_policy(
        PolicyName="requests",
        PolicyType="TargetTrackingScaling",
        TargetTrackingScalingPolicyConfiguration=tracking,
        **scalable(),
    )
    (target,) = cloud.autoscaling.describe_scalable_targets(ServiceNamespace="sagemaker")["ScalableTargets"]
    assert (target["MinCapacity"], target["MaxCapacity"]) == (1, 4)
    (policy,) = cloud.autoscaling.describe_scaling_policies(ServiceNamespace="sagemaker")["ScalingPolicies"]
    assert policy["TargetTrackingScalingPolicyConfiguration"] == tracking
    with pytest.raises(ClientError, match="registered as scalable targets"):
        cloud.sagemaker.delete_endpoint(EndpointName="endpoint")
    cloud.autoscaling.deregister_scalable_target(**scalable())
    assert not cloud.autoscaling.describe_scaling_policies(ServiceNamespace="sagemaker")["ScalingPolicies"]
    with pytest.raises(cloud.autoscaling.exceptions.ObjectNotFoundException, match="No scalable target found"):
        cloud.autoscaling.deregister_scalable_target(**scalable())
    cloud.sagemaker.delete_endpoint(EndpointName="endpoint")
