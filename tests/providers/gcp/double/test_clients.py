"""The official clients of Vertex AI as they are, over REST and over gRPC, see one and the same double."""

from __future__ import annotations

import grpc
import pytest
import vertex_clients as vertex
from google.api import httpbody_pb2
from google.api_core import exceptions
from google.auth.credentials import AnonymousCredentials
from google.protobuf import field_mask_pb2
from vertex_cloud import IMAGE, PARENT, SERVER

POOL = {
    "replica_count": 1,
    "machine_spec": {"machine_type": "n1-standard-4"},
    "container_spec": {"image_uri": IMAGE, "command": ["python3", "-c", "print('official')"]},
}
JOB = {"display_name": "official", "job_spec": {"worker_pool_specs": [POOL]}, "labels": {"made": "officially"}}
RESOURCES = {"machine_spec": {"machine_type": "n1-standard-2"}, "min_replica_count": 1}
CONTAINER = {
    "image_uri": IMAGE,
    "command": ["python3", "-c", SERVER],
    "health_route": "/health",
    "predict_route": "/predict",
}


class Official:
    """The clients of one transport."""

    def __init__(self, cloud, transport):
        self.cloud, self.transport = cloud, transport
        self.channel = grpc.insecure_channel(cloud.gcp.grpc_url) if transport == "grpc" else None

    def client(self, kind):
        if self.channel is not None:
            return kind(transport=kind.get_transport_class("grpc")(channel=self.channel))
        options = {"api_endpoint": self.cloud.gcp.url}
        return kind(credentials=AnonymousCredentials(), transport="rest", client_options=options)

    def done(self, operation):
        """The result of an operation, which is asked for while time passes."""
        self.cloud.until(lambda: operation.done(retry=None), bool)
        return operation.result(timeout=10)

    def close(self):
        if self.channel is not None:
            self.channel.close()


@pytest.fixture(params=["rest", "grpc"])
def official(cloud, request):
    made = Official(cloud, request.param)
    yield made
    made.close()


def test_a_job_is_made_listed_cancelled_and_deleted(official):
    jobs = official.client(vertex.JobServiceClient)
    made = jobs.create_custom_job(parent=PARENT, custom_job=JOB)
    assert made.state == vertex.JobState.JOB_STATE_PENDING
    look = lambda: jobs.get_custom_job(name=made.name).state  # noqa: E731
    assert (
        official.cloud.until(look, lambda state: state > vertex.JobState.JOB_STATE_RUNNING)
        == vertex.JobState.JOB_STATE_SUCCEEDED
    )
    assert official.cloud.printed({"name": made.name}) == ["official"]
    second = jobs.create_custom_job(parent=PARENT, custom_job=JOB)
    jobs.cancel_custom_job(name=second.name)
    official.cloud.until(
        lambda: jobs.get_custom_job(name=second.name).state,
        lambda state: state == vertex.JobState.JOB_STATE_CANCELLED,
    )
    listed = jobs.list_custom_jobs(request={"parent": PARENT, "filter": "labels.made=officially", "page_size": 1})
    assert [one.name for one in listed] == [second.name, made.name]
    official.done(jobs.delete_custom_job(name=made.name))
    with pytest.raises(exceptions.NotFound):
        jobs.get_custom_job(name=made.name)


def test_a_model_is_served(official):
    models, endpoints = (
        official.client(vertex.ModelServiceClient),
        official.client(vertex.EndpointServiceClient),
    )
    uploaded = official.done(
        models.upload_model(parent=PARENT, model={"display_name": "m", "container_spec": CONTAINER})
    )
    assert uploaded.model_version_id == "1"
    endpoint = official.done(
        endpoints.create_endpoint(parent=PARENT, endpoint={"display_name": "e"}, endpoint_id="mine")
    )
    deployed = official.done(
        endpoints.deploy_model(
            endpoint=endpoint.name,
            deployed_model={"model": uploaded.model, "dedicated_resources": RESOURCES},
            traffic_split={"0": 100},
        )
    ).deployed_model
    predictions = official.client(vertex.PredictionServiceClient)
    answer = predictions.predict(endpoint=endpoint.name, instances=[1, 2.5])
    assert (list(answer.predictions), answer.deployed_model_id) == ([2, 5], deployed.id)
    with pytest.raises(exceptions.BadRequest if official.transport == "rest" else exceptions.FailedPrecondition):
        predictions.predict(endpoint=endpoint.name, instances=["bad"])
    seen = endpoints.get_endpoint(name=endpoint.name)
    seen.description = "changed"
    mask = field_mask_pb2.FieldMask(paths=["description"])
    assert endpoints.update_endpoint(endpoint=seen, update_mask=mask).description == "changed"
    official.done(endpoints.undeploy_model(endpoint=endpoint.name, deployed_model_id=deployed.id))
    official.done(endpoints.delete_endpoint(name=endpoint.name))
    official.done(models.delete_model(name=uploaded.model))
    assert not list(models.list_models(parent=PARENT))


def test_what_is_wrong_is_told_with_its_details(official):
    jobs = official.client(vertex.JobServiceClient)
    with pytest.raises(exceptions.BadRequest) as found:
        jobs.create_custom_job(parent=PARENT, custom_job={"display_name": "x"})
    assert "Field: custom_job.job_spec; Message: Required" in found.value.message
    assert "custom_job.job_spec" in str(found.value.details)
    with pytest.raises(exceptions.NotFound):
        jobs.get_custom_job(name=f"{PARENT}/customJobs/1")
    official.cloud.gcp.faults.refuse("aiplatform:GetCustomJob", "UNAVAILABLE", "not now")
    with pytest.raises(exceptions.ServiceUnavailable, match="not now"):
        jobs.get_custom_job(name=f"{PARENT}/customJobs/1")


def test_an_operation_that_fails_raises_what_it_says(official):
    official.cloud.gcp.faults.domain("operation", "CreateEndpoint", code="RESOURCE_EXHAUSTED", message="none left")
    endpoints = official.client(vertex.EndpointServiceClient)
    with pytest.raises(exceptions.GoogleAPICallError, match="none left"):
        official.done(endpoints.create_endpoint(parent=PARENT, endpoint={"display_name": "e"}))


def test_raw_bytes_pass_over_grpc(cloud):
    official = Official(cloud, "grpc")
    endpoint = cloud.served()
    body = httpbody_pb2.HttpBody(content_type="x/y", data=b"raw \xff")
    answer = official.client(vertex.PredictionServiceClient).raw_predict(endpoint=endpoint, http_body=body)
    assert (answer.data, answer.content_type) == (b"\xff war", "text/plain")
    official.close()


def test_answers_are_lost_over_grpc_too(cloud):
    official = Official(cloud, "grpc")
    jobs = official.client(vertex.JobServiceClient)
    for kind, error in (("lose", exceptions.ServiceUnavailable), ("hold", exceptions.DeadlineExceeded)):
        cloud.gcp.faults.happen(kind, "aiplatform:CreateCustomJob")
        with pytest.raises(error):
            jobs.create_custom_job(parent=PARENT, custom_job=JOB, retry=None)
    assert len(list(jobs.list_custom_jobs(parent=PARENT))) == 2
    official.close()
