from __future__ import annotations

import json
from pathlib import Path

import pytest
from deploying import PLACES, identity, model, settings
from hypothesis import given
from hypothesis import strategies as st

from cloudml.specs import ModelSpec
from cloudml.status import State
from cloudml_aws import models, requests, serving, versions
from cloudml_aws.clients import service_model
from cloudml_aws.names import native

SAGEMAKER = service_model("sagemaker")
GOLDEN = Path(__file__).parent / "golden" / "model.json"
HANDLERS = "def model_fn(d):\n    return d\n\n\ndef predict_fn(data, model):\n    return data\n"
SUMMARY = {
    "ModelPackageArn": "arn:aws:sagemaker:eu-west-1:111122223333:model-package/flights-delay/3",
    "ModelPackageVersion": 3,
    "ModelPackageStatus": "Completed",
    "ModelApprovalStatus": "Approved",
    "ModelPackageDescription": versions.described(model()),
}


def problems(calls) -> list[str]:
    ours = [call for call in calls if call.operation.startswith("sagemaker:")]
    return [said for call in ours for said in requests.problems(SAGEMAKER, call.operation.partition(":")[2], call.body)]


def lowered(resource, **changes):
    return models.lower(resource, PLACES, settings(**changes))


def test_the_requests_are_those_of_the_golden() -> None:
    shown = [{"operation": call.operation, "body": call.body} for call in lowered(model())]
    assert shown == json.loads(GOLDEN.read_text("utf-8"))


def test_the_service_takes_every_request() -> None:
    closed = {"subnets": ("subnet-1",), "security_groups": ("sg-1",), "network_isolation": True}
    assert problems(lowered(model())) == []
    assert problems(lowered(model(), **closed)) == []
    body = lowered(model(), **closed)[-1].body
    assert body["VpcConfig"] == {"Subnets": ["subnet-1"], "SecurityGroupIds": ["sg-1"]}
    assert body["EnableNetworkIsolation"] is True


REFERENCES = st.from_regex(r"jobs\.[a-z][a-z0-9_-]{0,60}\.[A-Za-z][A-Za-z0-9_/.-]{0,60}", fullmatch=True)


@given(
    metrics=st.dictionaries(REFERENCES, st.floats(allow_nan=False, allow_infinity=False), max_size=60),
    lineage=st.dictionaries(REFERENCES, st.text("0123456789abcdef", min_size=64, max_size=64), max_size=60),
    label=st.from_regex(r"[a-z][a-z0-9_-]{0,90}", fullmatch=True),
)
def test_the_service_takes_it_whatever_it_is_called_and_made_from(metrics, lineage, label) -> None:
    resource = model(metrics=metrics, lineage=lineage, identity=identity(f"models.{label}"))
    assert problems(lowered(resource)) == []
    said = versions.facts(versions.described(resource))
    assert (said["resource"], said["name"]) == (f"models.{label}", native(resource.identity))
    assert said.get("metrics", metrics) == metrics


def test_lineage_and_the_gates_numbers_stand_in_the_metadata() -> None:
    said = versions.metadata(model())
    assert said["hash/jobs.train"] == "1" * 64
    assert versions.measured(said) == {"jobs.evaluate.auc": 0.7431}
    assert said["job"] == "flights-train-1"


def test_the_states_are_those_of_the_service_model() -> None:
    assert set(models.STATES) == set(SAGEMAKER.shape_for("ModelPackageStatus").metadata["enum"])
    assert set(models.JUDGED) == set(SAGEMAKER.shape_for("ModelApprovalStatus").metadata["enum"])


@pytest.mark.parametrize("state", sorted(models.STATES))
def test_every_state_is_lifted(state: str) -> None:
    status = models.lift({**SUMMARY, "ModelPackageStatus": state}, "s3://x/", served=True)
    assert status.state is models.STATES[state]
    assert (status.name, status.version, status.metrics) == (
        "flights-delay-3fa9c1d2e4", "v3", {"jobs.evaluate.auc": 0.7431},
    )  # fmt: skip


def test_a_state_that_is_not_known_is_never_over() -> None:
    status = models.lift({**SUMMARY, "ModelPackageStatus": "Thinking"}, "", served=True)
    assert status.state is State.UNKNOWN
    assert not status.state.over


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (
            {"ModelApprovalStatus": "Rejected", "ApprovalDescription": "biased"},
            "it was rejected in the registry: biased",
        ),
        ({"ModelApprovalStatus": "PendingManualApproval"}, "it awaits approval in the registry"),
        ({"ModelApprovalStatus": "Doubtful"}, "its approval status is Doubtful"),
    ],
)
def test_a_version_that_a_person_has_not_approved_is_not_good(change, reason: str) -> None:
    status = models.lift({**SUMMARY, **change}, "", served=True)
    assert (status.state, status.reason) == (State.FAILED, reason)


def test_a_version_without_its_sagemaker_model_was_interrupted() -> None:
    status = models.lift(SUMMARY, "", served=False)
    assert (status.state, status.reason) == (State.FAILED, models.INTERRUPTED)


def test_a_version_of_somebody_else_belongs_to_no_project() -> None:
    for description in ("", "my best model", '{"cloudml": 3}', "[]"):
        status = models.lift({**SUMMARY, "ModelPackageDescription": description}, "", served=True)
        assert (status.project, status.name) == ("", "")


@pytest.mark.parametrize(
    ("predictor", "text", "own"),
    [
        ("answers.py", HANDLERS, True),
        ("answers.py", HANDLERS.replace("predict_fn", "transform_fn"), True),
        ("answers.py", "def model_fn(d):\n    return d\n", False),
        ("answers.py", "class Predictor:\n    pass\n", False),
        ("answers.py:Predictor", HANDLERS, False),
        ("below/answers.py", HANDLERS, False),
    ],
)
def test_a_script_with_handlers_of_its_own_travels_untouched(tmp_path, predictor: str, text: str, own: bool) -> None:
    path = tmp_path / "project" / predictor.partition(":")[0]
    path.parent.mkdir(parents=True)
    path.write_text(text)
    resource = model(tmp_path / "project", predictor=predictor)
    assert serving.own_handlers(resource) is own
    code = tmp_path / "code"
    code.mkdir()
    serving.lay_out(resource, code)
    assert (code / "inference.py").exists() is not own
    program = lowered(resource)[-1].body["PrimaryContainer"]["Environment"]["SAGEMAKER_PROGRAM"]
    assert (code / program).is_file()
    assert [note.path for note in models.notes(resource, settings()) if note.path.endswith("predictor")] == (
        ["models.delay.predictor"] if own else []
    )


def test_requirements_lie_where_the_toolkits_look_and_are_doubted_without_a_network(tmp_path) -> None:
    spec = ModelSpec(name="delay", source="jobs.train.model", requirements="requirements.txt")
    resource = model(spec=spec, requirements="pyyaml\n")
    serving.lay_out(resource, tmp_path)
    assert (tmp_path / "requirements.txt").read_text() == "pyyaml\n"
    assert [note.path for note in models.notes(resource, settings(network_isolation=True))][-1:] == [
        "models.delay.requirements"
    ]
