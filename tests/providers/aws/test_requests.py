from __future__ import annotations

import json
from pathlib import Path

import pytest

from cloudml.errors import SpecError
from cloudml.plan import Call
from cloudml_aws import requests
from cloudml_aws.clients import Documents, _loader, _moment, service_model

GOOD = {"EndpointName": "delay", "EndpointConfigName": "delay-1", "Tags": [{"Key": "team", "Value": "ml"}]}


def problems(operation: str, body: dict) -> list[str]:
    return list(requests.problems(service_model("sagemaker"), operation, body))


def test_a_good_request_has_no_problems() -> None:
    assert problems("CreateEndpoint", GOOD) == []


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"EndpointName": "not_a_name"}, "match the pattern"),
        ({"EndpointName": None}, "`EndpointName` is missing"),
        ({"EndpointName": 3}, "must be text"),
        ({"EndpointNam": "x"}, "is `EndpointName` meant?"),
        ({"Tags": [{"Key": "k" * 129, "Value": "v"}]}, "`Tags[0].Key`"),
        ({"Tags": [{"Key": "k", "Value": "v"}] * 51}, "length of at most 50"),
        ({"Tags": [{"Key": "ключ", "Value": "v"}, {"Key": "a", "Value": "<"}]}, "`Tags[1].Value`"),
        ({"Tags": {"Key": "k"}}, "must be a list"),
    ],
)
def test_what_the_service_refuses_is_found(change: dict, said: str) -> None:
    (found,) = problems("CreateEndpoint", {**GOOD, **change})[:1]
    assert said in found


def test_values_of_an_enum_are_suggested() -> None:
    variant = {"VariantName": "v", "ModelName": "m", "InstanceType": "ml.m5.xxlarge", "InitialInstanceCount": 1}
    body = {"EndpointConfigName": "c", "ProductionVariants": [variant]}
    (found,) = problems("CreateEndpointConfig", body)
    assert "ProductionVariants[0].InstanceType" in found
    assert "`ml.m5." in found


@pytest.mark.parametrize(("value", "fine"), [(100, True), (0, True), (101, False), (-1, False), (True, False)])
def test_numbers_have_bounds_and_a_truth_is_no_number(value: object, fine: bool) -> None:
    capture = {
        "InitialSamplingPercentage": value,
        "DestinationS3Uri": "s3://bucket/x",
        "CaptureOptions": [{"CaptureMode": "Input"}],
    }
    variant = {"VariantName": "v", "ModelName": "m", "InstanceType": "ml.m5.large", "InitialInstanceCount": 1}
    body = {"EndpointConfigName": "c", "ProductionVariants": [variant], "DataCaptureConfig": capture}
    assert (problems("CreateEndpointConfig", body) == []) is fine


def test_an_error_names_the_operation_and_every_problem() -> None:
    with pytest.raises(SpecError, match="sagemaker:CreateEndpoint") as caught:
        requests.check(Call("sagemaker:CreateEndpoint", {"EndpointName": "_"}), service_model("sagemaker"))
    assert "`EndpointConfigName` is missing" in caught.value.message
    assert caught.value.hint


@pytest.mark.parametrize("document", ["endpoints", "sagemaker/2017-07-24/service-2", "sagemaker/2017-07-24/none"])
def test_the_vendors_documents_are_read_as_the_vendor_reads_them(document: str) -> None:
    import botocore
    from botocore.loaders import JSONFileLoader

    path = str(Path(botocore.__file__).parent / "data" / document)
    ours, theirs = Documents(), JSONFileLoader()
    assert json.dumps(ours.load_file(path)) == json.dumps(theirs.load_file(path))  # also in the same order
    assert ours.exists(path) == theirs.exists(path)


def test_the_service_models_are_found_where_the_vendor_finds_them(monkeypatch, tmp_path) -> None:
    from botocore.session import Session

    own = tmp_path / "own" / "2020-01-01"
    own.mkdir(parents=True)
    (own / "service-2.json").write_text("{}", "utf-8")
    monkeypatch.setenv("AWS_DATA_PATH", str(tmp_path))
    ours, theirs = _loader.__wrapped__(), Session().get_component("data_loader")
    assert isinstance(ours.file_loader, Documents)
    assert ours.search_paths == theirs.search_paths
    known = ours.list_available_services("service-2")
    assert list(known) == theirs.list_available_services("service-2")
    assert len(known) == len(list(known))
    assert "own" in known
    assert "sagemaker" in known
    assert "sagemakers" not in known
    assert ours.load_service_model("own", "service-2") == {}


def test_a_service_model_is_read_without_a_look_at_those_of_other_services(monkeypatch) -> None:
    from botocore.loaders import Loader

    monkeypatch.setattr(Loader, "list_available_services", None)
    assert _loader.__wrapped__().load_service_model("sagemaker", "paginators-1")


@pytest.mark.parametrize(
    "said", [0, 1764374400, 1764374400.123, "1764374400.123", "2025-11-29T00:00:00Z", "Sat, 29 Nov 2025 00:00:00 GMT"]
)
def test_a_time_is_the_one_that_the_vendor_reads(said) -> None:
    from botocore.utils import parse_timestamp

    assert _moment(said) == parse_timestamp(said)
    assert _moment(said).utcoffset() is not None
