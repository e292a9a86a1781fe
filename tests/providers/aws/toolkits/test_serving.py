"""What lies in a model's `code` folder, under the toolkits that SageMaker's images serve with."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import pytest
from scores import FEATURES, PREDICT, ROWS, fitted, laid_out
from toolkit import serving

from cloudml.runtime import adapters
from cloudml.runtime.answering import answer
from cloudml_aws import invoking
from cloudml_aws.serving import environment, lay_out

if TYPE_CHECKING:
    from pathlib import Path

HANDLERS = """
import json
import joblib

def model_fn(model_dir):
    return joblib.load(model_dir + "/model.joblib")

def input_fn(body, content_type):
    return json.loads(body)["rows"]

def predict_fn(data, model):
    return model.predict_proba(data)[:, 1]

def output_fn(prediction, accept):
    return json.dumps({"scores": prediction.tolist()})
"""
TOOLKITS = ("containers", "inference")


def served(toolkit: str, base: Path, predictor: str | None, **files: str):
    resource = laid_out(base, predictor, lay_out, **files)
    return serving(toolkit, base, environment(resource))


@pytest.fixture(scope="module", params=TOOLKITS)
def predicting(request, tmp_path_factory):
    """A predictor's server, and the same model in this process."""
    base = tmp_path_factory.mktemp(request.param)
    with served(request.param, base, "predict.py:Predictor", predict=PREDICT, features=FEATURES) as server:
        here = adapters.load(base / "model", "predict.py:Predictor", base / "project")
        yield server, here


def test_a_predictor_gives_the_same_predictions_bit_for_bit(predicting) -> None:
    server, here = predicting
    body = json.dumps({"instances": ROWS}).encode()
    status, answered, kind = server.ask(body)
    assert (status, kind.partition(";")[0]) == (200, "application/json")
    assert answered == answer(here, body, "application/json", "application/json").body


@pytest.mark.parametrize(
    ("body", "kind", "accept"),
    [
        (b"a,b\n1,2\n3,4.5\n", "text/csv", "text/csv"),
        (b"a,b\n1,2\n3,4.5\n", "text/csv; charset=utf-8", "application/json"),
        (b'{"a": 1, "b": 2}\n{"a": 3, "b": 4.5}\n', "application/jsonlines", "application/jsonlines"),
        (b'{"a": 1, "b": 2}\n', "application/jsonlines", "*/*"),
        (b"a,b\n1,2\n", "text/csv", "*/*"),
        (b'[{"a": 1, "b": 2}]', "application/json; charset=UTF-8", "application/json"),
        (b'{"instances": []}', "application/json", "application/json"),
    ],
)
def test_other_formats_are_answered_as_locally(predicting, body: bytes, kind: str, accept: str) -> None:
    server, here = predicting
    status, answered, written = server.ask(body, kind, accept)
    expected = answer(here, body, kind, accept)
    assert (status, answered) == (200, expected.body)
    assert written.partition(";")[0] == expected.content_type.partition(";")[0]


@pytest.mark.parametrize(
    ("body", "kind", "status", "words"),
    [
        (b'{"instances": [{"a": 1, "b": 2}, {"a": 1}]}', "application/json", 400, ["row 1", "`b`"]),
        (b"{", "application/json", 400, ["not JSON"]),
        (b"<a/>", "text/xml", 415, ["text/xml"]),
    ],
)
def test_a_refusal_has_its_status_and_says_what_is_wrong(predicting, body, kind, status, words) -> None:
    server, _ = predicting
    got, answered, _ = server.ask(body, kind)
    message, request = invoking.said(answered.decode())
    assert got == status
    assert all(word in message for word in words)
    assert request
    assert server.predictions(ROWS[:1])


@pytest.mark.parametrize("toolkit", TOOLKITS)
def test_a_bare_model_gives_the_same_predictions_bit_for_bit(toolkit: str, tmp_path: Path) -> None:
    rows = np.random.default_rng(3).normal(size=(20, 3)).tolist()
    with served(toolkit, tmp_path, None) as server:
        assert server.predictions(rows) == fitted().predict(rows).tolist()


@pytest.mark.parametrize("toolkit", TOOLKITS)
def test_a_script_with_handlers_of_its_own_is_called_by_the_toolkit_itself(toolkit: str, tmp_path: Path) -> None:
    rows = [[1.0, 2.0, 3.0], [0.25, -1.0, 0.5]]
    with served(toolkit, tmp_path, "answers.py", answers=HANDLERS) as server:
        assert (tmp_path / "model" / "code" / "answers.py").read_text() == HANDLERS
        status, body, _ = server.ask(json.dumps({"rows": rows}).encode())
    assert (status, json.loads(body)) == (200, {"scores": fitted().predict_proba(rows)[:, 1].tolist()})
