"""Jobs -> requests, held against the service model; nothing is sent here."""

from __future__ import annotations

import json
import re
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from deploying import PLACES, settings
from hypothesis import HealthCheck, given
from hypothesis import settings as limits
from hypothesis import strategies as st
from working import TABLE, job

from cloudml.errors import UnsupportedError
from cloudml.runtime import request as driver
from cloudml_aws import requests
from cloudml_aws.clients import service_model
from cloudml_aws.jobs import lower
from cloudml_aws.kinds.training import metric_definitions

if TYPE_CHECKING:
    from cloudml.plan import Plan

GOLDEN = Path(__file__).parent / "golden"
FULL: dict[str, Any] = {
    "inputs": {"table": TABLE},
    "outputs": ("model", "scores"),
    "parameters": {"max_iter": 200, "rate": 0.1, "flag": True, "text": "a b; $HOME"},
    "metrics": ("auc", "val/loss.mean"),
    "framework": {"name": "sklearn", "version": "1.4"},
    "machine": {"exact": {"aws": "ml.m5.xlarge"}, "disk": "50GiB"},
    "nodes": 2,
    "spot": True,
    "timeout": "2h",
    "environment": {"OMP_NUM_THREADS": "4"},
}
CUT_OFF = {
    "subnets": "subnet-1,subnet-2",
    "security_groups": "sg-1",
    "kms_key": "alias/ml",
    "network_isolation": True,
    "tags": {"team": "ml"},
}


def problems(plan: Plan) -> list[str]:
    call = plan.calls[-1]
    return list(requests.problems(service_model("sagemaker"), call.operation.partition(":")[2], call.body))


def refused(tmp_path: Path, **changes: Any) -> UnsupportedError:
    with pytest.raises(UnsupportedError) as caught:
        lower(job(tmp_path, **changes), PLACES, settings())
    return caught.value


@pytest.mark.parametrize(
    ("name", "changes", "target"),
    [
        ("training", {"outputs": ("model",)}, {}),
        ("training-full", FULL, CUT_OFF),
        ("processing", {"inputs": {"table": TABLE}, "outputs": ("clean",)}, {}),
        ("processing-full", {**FULL, "outputs": ("scores",), "spot": False}, CUT_OFF),
    ],
)
def test_a_request_is_the_one_that_was_looked_at(tmp_path, name: str, changes: dict, target: dict) -> None:
    plan = lower(job(tmp_path, **changes), PLACES, settings(**target))
    shown = {call.operation: call.body for call in plan.calls}
    shown["s3:Upload"] = {**shown["s3:Upload"], "code": "…"}
    file = GOLDEN / f"{name}.json"
    assert json.loads(json.dumps(shown)) == json.loads(file.read_text("utf-8"))
    assert problems(plan) == []


NAMES = st.from_regex(r"[a-z][a-z0-9_]{0,30}", fullmatch=True).filter(lambda name: name != "code")
VARIABLES = st.from_regex(r"[A-Z][A-Z0-9_]{0,20}", fullmatch=True).map(lambda name: f"X{name}")
SPECS = st.fixed_dictionaries(
    {
        "name": st.from_regex(r"[a-z][a-z0-9-]{0,30}", fullmatch=True),
        "inputs": st.dictionaries(NAMES, st.just(TABLE), max_size=9),
        "outputs": st.lists(NAMES | st.just("model"), unique=True, max_size=4),
        "metrics": st.lists(st.from_regex(r"[A-Za-z][A-Za-z0-9_./-]{0,60}", fullmatch=True), unique=True, max_size=60),
        "environment": st.dictionaries(VARIABLES, st.text(max_size=600), max_size=4),
        "parameters": st.dictionaries(st.from_regex(r"[a-z]{1,8}", fullmatch=True), st.text() | st.integers()),
        "nodes": st.integers(1, 20),
        "spot": st.booleans(),
        "timeout": st.timedeltas(timedelta(seconds=1), timedelta(days=9)),
    }
)


@given(said=SPECS, cut_off=st.booleans())
@limits(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_every_request_is_one_that_the_service_takes(tmp_path, said: dict, cut_off: bool) -> None:
    plan = lower(job(tmp_path, **said), PLACES, settings(**(CUT_OFF if cut_off else {})))
    assert problems(plan) == []
    driver.parse(plan.calls[0].body["request"], {})
    assert plan == lower(job(tmp_path, **said), PLACES, settings(**(CUT_OFF if cut_off else {})))


@pytest.mark.parametrize("name", ["auc", "val/loss.mean", "a-b", "top_5"])
@pytest.mark.parametrize("value", ["0.5", "-1e-07", "3", "1e+20"])
def test_a_metric_is_found_in_its_line_and_in_no_other(name: str, value: str) -> None:
    (found,) = metric_definitions((name,))
    match = re.search(found["Regex"], f"cloudml-metric {name}={value}")
    assert match
    assert match[1] == value
    assert not re.search(found["Regex"], f"cloudml-metric x{name}={value}")
    assert not re.search(found["Regex"], f"cloudml-metric {name}x={value}")


def test_a_spot_job_without_a_model_is_a_training_job_and_the_plan_says_so(tmp_path) -> None:
    plan = lower(job(tmp_path, outputs=("clean",), spot=True), PLACES, settings())
    upload, call = plan.calls
    assert call.operation == "sagemaker:CreateTrainingJob"
    assert upload.body["request"]["outputs"] == {"clean": "/opt/ml/output/data/clean"}
    assert upload.body["card"]["outputs"]["clean"].endswith("/output/data/clean")
    assert [note.path for note in plan.notes if "spot" in note.text] == ["jobs.train.spot"]


def test_the_limit_for_waiting_is_said_of_spot_jobs_only_and_is_never_the_shorter(tmp_path) -> None:
    for spot in (False, True):
        plan = lower(job(tmp_path, outputs=("model",), spot=spot, timeout="28d"), PLACES, settings())
        said = plan.calls[1].body["StoppingCondition"]
        assert said["MaxRuntimeInSeconds"] == 28 * 86_400
        assert ("MaxWaitTimeInSeconds" in said) is spot
        assert said.get("MaxWaitTimeInSeconds", 1 << 40) >= said["MaxRuntimeInSeconds"]


def test_sagemaker_would_end_a_job_later_than_its_driver_does(tmp_path) -> None:
    for outputs in (("model",), ("clean",)):
        upload, call = lower(job(tmp_path, outputs=outputs, timeout="90s"), PLACES, settings()).calls
        asked = upload.body["request"]
        assert asked["timeout_s"] == 90
        assert call.body["StoppingCondition"]["MaxRuntimeInSeconds"] > asked["timeout_s"] + asked["grace_s"]


@pytest.mark.parametrize(("outputs", "most"), [(("model",), 19), (("clean",), 9)])
def test_more_inputs_than_sagemaker_takes_are_refused(tmp_path, outputs: tuple, most: int) -> None:
    fine = {f"in_{number}": TABLE for number in range(most)}
    assert problems(lower(job(tmp_path, outputs=outputs, inputs=fine), PLACES, settings())) == []
    error = refused(tmp_path, outputs=outputs, inputs={**fine, "more": TABLE})
    assert error.path == "jobs.train.inputs"
    assert str(most) in error.message


@pytest.mark.parametrize(("outputs", "days"), [(("model",), 28), (("clean",), 9)])
def test_a_longer_timeout_than_sagemaker_allows_is_refused_and_a_long_one_needs_a_quota(
    tmp_path, outputs: tuple, days: int
) -> None:
    error = refused(tmp_path, outputs=outputs, timeout=f"{days * 24 + 1}h")
    assert error.path == "jobs.train.timeout"
    plan = lower(job(tmp_path, outputs=outputs, timeout=f"{days}d"), PLACES, settings())
    assert any(note.path == "jobs.train.timeout" and "quota" in note.text for note in plan.notes)


@pytest.mark.parametrize(("outputs", "longest"), [(("model",), 512), (("clean",), 256)])
def test_a_value_too_long_for_the_container_reaches_the_script_by_its_driver(
    tmp_path, outputs: tuple, longest: int
) -> None:
    values = {"FITS": "x" * longest, "LONG": "x" * (longest + 1)}
    plan = lower(job(tmp_path, outputs=outputs, environment=values), PLACES, settings())
    assert plan.calls[1].body["Environment"] == {"CLOUDML_PROVIDER": "aws", "FITS": values["FITS"]}
    assert plan.calls[0].body["request"]["environment"] == values
    assert any(note.path == "jobs.train.environment" and note.text.endswith("LONG") for note in plan.notes)


def test_more_variables_than_a_request_takes_reach_the_script_by_its_driver(tmp_path) -> None:
    values = {f"V{number}": "x" for number in range(120)}
    plan = lower(job(tmp_path, environment=values), PLACES, settings())
    assert len(plan.calls[1].body["Environment"]) == 100
    assert plan.calls[0].body["request"]["environment"] == values


def test_a_name_that_is_too_long_is_shortened_and_shown(tmp_path) -> None:
    name = "a" * 31
    resource = job(tmp_path, name=name)
    long = type(resource.identity)(project="p" * 31, resource=f"jobs.{name}", hash="0" * 64)
    plan = lower(type(resource)(spec=resource.spec, identity=long, source=resource.source), PLACES, settings())
    native = plan.calls[1].body["ProcessingJobName"]
    assert len(native) <= 63
    assert any(note.path.endswith(".name") and native in note.text for note in plan.notes)


def test_the_service_s_own_words_are_added_and_cannot_replace_ours(tmp_path) -> None:
    plan = lower(job(tmp_path, outputs=("model",), aws={"RetryStrategy": {"MaximumRetryAttempts": 2}}), PLACES,
                 settings())  # fmt: skip
    assert plan.calls[1].body["RetryStrategy"] == {"MaximumRetryAttempts": 2}
    assert refused(tmp_path, outputs=("model",), aws={"RoleArn": "x"}).path == "jobs.train.aws.RoleArn"


def test_packages_behind_a_closed_network_are_pointed_out(tmp_path) -> None:
    resource = job(tmp_path, requirements="requirements.txt", packages="numpy\n")
    notes = lower(resource, PLACES, settings(network_isolation=True)).notes
    assert any(note.path == "jobs.train.requirements" for note in notes)
    assert not any(note.path == "jobs.train.requirements" for note in lower(resource, PLACES, settings()).notes)


def test_metrics_beyond_those_that_sagemaker_follows_are_named(tmp_path) -> None:
    many = tuple(f"m{number}" for number in range(42))
    plan = lower(job(tmp_path, outputs=("model",), metrics=many), PLACES, settings())
    assert len(plan.calls[1].body["AlgorithmSpecification"]["MetricDefinitions"]) == 40
    assert any("m40, m41" in note.text for note in plan.notes)


def test_a_machine_with_disks_of_its_own_takes_no_key_for_them(tmp_path) -> None:
    machine = {"exact": {"aws": "ml.g5.xlarge"}}
    for outputs in (("model",), ("clean",)):
        plan = lower(job(tmp_path, outputs=outputs, machine=machine), PLACES, settings(kms_key="alias/ml"))
        text = json.dumps(plan.calls[1].body)
        assert "VolumeKmsKeyId" not in text
        assert "alias/ml" in text
        assert any(note.path == "jobs.train.machine.disk" for note in plan.notes)
