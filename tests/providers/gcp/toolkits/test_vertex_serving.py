"""Our server in a Vertex AI container answers as Google's own server of custom prediction routines does.

Three containers serve one model: Google's server a class that was written for it, ours the same class unchanged, and
ours a neutral predictor. Bodies are the same but for the blanks between the tokens of JSON, which Google's server
writes and ours does not. Where statuses differ, `DIFFERENCES` says how, and docs/gcp.md has the same table.
"""

from __future__ import annotations

import json
import re
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from scores import FEATURES, ROWS, laid_out
from servers import Routes, free_port, interpreter, running
from vertex_cloud import BUCKET
from vertex_working import PLACES

from cloudml_gcp.double import double
from cloudml_gcp.serving import container, lay_out

if TYPE_CHECKING:
    from collections.abc import Iterator

    from servers import Server

CPR = Path(__file__).with_name("vertex_cpr.py")
DOCS = Path(__file__).parents[4] / "docs" / "gcp.md"
ROUTES = Routes("/v1/endpoints/7/deployedModels/9", "/v1/endpoints/7/deployedModels/9:predict")
THEIRS = """
import joblib
from features import columns

class Predictor:
    def load(self, artifacts_uri):
        self.model = joblib.load(artifacts_uri + "/model.joblib")

    def preprocess(self, request):
        return request["instances"], request.get("parameters") or {}

    def predict(self, asked):
        instances, parameters = asked
        if parameters.get("fail"):
            raise OSError("the disk is gone")
        if parameters.get("echo"):
            return [row["a"] for row in instances]
        return self.model.predict_proba([columns(row) for row in instances])[:, parameters.get("class", 1)].tolist()

    def postprocess(self, predictions):
        return {"predictions": predictions}
"""
NEUTRAL = """
from theirs import Predictor as Theirs

class Predictor:
    def __init__(self, model):
        self.theirs = Theirs()
        self.theirs.load(str(model))

    def predict(self, instances, parameters):
        return self.theirs.predict((instances, parameters))
"""
JSON = "application/json"
SERVERS = ("theirs", "unchanged", "neutral")


def environment(port: int, **more: str) -> dict[str, str]:
    """The variables of a container that concern a server."""
    routes = {"AIP_HTTP_PORT": str(port), "AIP_HEALTH_ROUTE": ROUTES.health, "AIP_PREDICT_ROUTE": ROUTES.predict}
    return {"PATH": "/usr/bin:/bin", "AIP_MODE": "PREDICTION", **routes, **more}


def google(base: Path) -> Any:
    """Google's server, over a folder with the model."""
    said = {
        "HANDLER_MODULE": "google.cloud.aiplatform.prediction.handler",
        "HANDLER_CLASS": "PredictionHandler",
        "PREDICTOR_MODULE": "theirs",
        "PREDICTOR_CLASS": "Predictor",
        "AIP_STORAGE_URI": str(base / "model"),
        "PYTHONPATH": str(base / "project"),
        "VERTEX_CPR_WEB_CONCURRENCY": "1",
    }
    port = free_port()
    return running([interpreter("vertex"), "-u", CPR], environment(port, **said), port, ROUTES, base)


def ours(base: Path, gcp: Any) -> Any:
    """Our server, started by the command that a container of ours has, over what Vertex AI has copied of the model."""
    for file in (path for path in (base / "model").rglob("*") if path.is_file()):
        gcp.world.objects.put(BUCKET, f"{base.name}/{file.relative_to(base / 'model')}", file.read_bytes())
    said = {"AIP_STORAGE_URI": f"gs://{BUCKET}/{base.name}", "STORAGE_EMULATOR_HOST": gcp.url, "TMPDIR": str(base)}
    spec, port = container("image", PLACES), free_port()
    said |= {one["name"]: one["value"] for one in spec["env"]}
    return running([sys.executable, *spec["command"][1:]], environment(port, **said), port, ROUTES, base)


@pytest.fixture(scope="module")
def servers(tmp_path_factory) -> Iterator[dict[str, Server]]:
    """The three of them, by name."""
    files = {"theirs": THEIRS, "neutral": NEUTRAL, "features": FEATURES}
    bases = {name: tmp_path_factory.mktemp(name) for name in SERVERS}
    predictors = {"theirs": None, "unchanged": "theirs.py:Predictor", "neutral": "neutral.py:Predictor"}
    for name, base in bases.items():
        laid_out(base, predictors[name], lay_out, **files)
    with ExitStack() as stack:
        gcp = stack.enter_context(double())
        found = {name: stack.enter_context(ours(bases[name], gcp)) for name in SERVERS[1:]}
        yield {"theirs": stack.enter_context(google(bases["theirs"])), **found}


def without_blanks(body: bytes) -> bytes:
    """The text of JSON without what stands between its tokens."""
    return re.sub(rb'("(?:[^"\\]|\\.)*")|\s+', lambda found: found[1] or b"", body)


def rows(*values: Any, **parameters: Any) -> bytes:
    said = {"parameters": parameters} if parameters else {}
    return json.dumps({"instances": list(values), **said}).encode()


VALUES = [0.1, 0.1 + 0.2, -0.0, 1e22, 5e-324, 2**53 + 1, 10**30, -7, True, None, "", 'a "b"\\\n\t', "é 漢 😀", [], {}]


@pytest.mark.parametrize("name", SERVERS[1:])
@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (rows(*ROWS), JSON),
        (rows(*ROWS), "application/json; charset=utf-8"),
        (rows(*ROWS, **{"class": 0}), JSON),
        (rows({"a": "1.5", "b": 2}), JSON),
        (rows(*({"a": value} for value in VALUES), echo=True), JSON),
        (rows({"a": {"deep": [VALUES, {"er": VALUES}]}}, echo=True), JSON),
    ],
    ids=["rows", "charset", "parameters", "text", "values", "nested"],
)
def test_the_answer_is_the_same_bit_for_bit(servers, name: str, body: bytes, kind: str) -> None:
    status, theirs, _ = servers["theirs"].ask(body, kind)
    assert status == 200
    assert servers[name].ask(body, kind) == (200, without_blanks(theirs), JSON)


@pytest.mark.parametrize("name", SERVERS[1:])
def test_a_body_in_chunks_is_the_same_request(servers, name: str) -> None:
    body = rows(*ROWS)
    found = [
        servers[one].send("POST", ROUTES.predict, iter([body[:100], body[100:]]), {"Content-Type": JSON})
        for one in ("theirs", name)
    ]
    assert [status for status, _, _ in found] == [200, 200]
    assert found[1][1] == without_blanks(found[0][1])


@pytest.mark.parametrize("name", SERVERS[1:])
@pytest.mark.parametrize(("method", "path", "status"), [
    ("GET", ROUTES.health, 200), ("GET", f"{ROUTES.health}?probe=1", 200), ("GET", "/health", 404),
    ("POST", "/predict", 404),
])  # fmt: skip
def test_health_and_what_is_not_there_have_the_same_status(servers, name: str, method, path, status: int) -> None:
    theirs, mine = (servers[one].send(method, path, None)[:2] for one in ("theirs", name))
    assert theirs[0] == mine[0] == status
    assert status == 404 or theirs == mine


A_ROW = {"a": 1, "b": 2}
DIFFERENCES = [
    ("a row without a field", rows(A_ROW, {"a": 1}), {}, (500, 500, 400)),
    ("no `instances`", b'{"rows": []}', {}, (500, 500, 400)),
    ("no rows at all", rows(), {}, (500, 200, 200)),
    ("a key beside `instances` and `parameters`", b'{"instances": [{"a": 1, "b": 2}], "more": 1}', {}, (200, 200, 400)),
    ("a predictor that fails", rows(A_ROW, fail=True), {}, (500, 500, 500)),
    ("what is no JSON", b"{", {}, (400, 400, 400)),
    ("`NaN` in the request", b'{"instances": [{"a": NaN, "b": 2}], "parameters": {"echo": true}}', {}, (200, 400, 400)),
    ("bytes that are not UTF-8", b"\xff", {}, (500, 400, 400)),
    ("rows as CSV", b"a,b\n1,2\n", {"Content-Type": "text/csv"}, (400, 200, 200)),
    ("a content type that nobody knows", b"<a/>", {"Content-Type": "text/xml"}, (400, 415, 415)),
    ("no content type", rows(A_ROW), {"Content-Type": ""}, (400, 200, 200)),
    ("an answer wanted as PNG", rows(A_ROW), {"Accept": "image/png"}, (400, 406, 406)),
    ("GET instead of POST", None, {}, (405, 404, 404)),
]
"""What is asked, and the status that each of the three servers answers with."""


@pytest.mark.parametrize(
    ("body", "headers", "statuses"), [row[1:] for row in DIFFERENCES], ids=[row[0] for row in DIFFERENCES]
)
def test_statuses_are_those_of_the_table(servers, body, headers, statuses) -> None:
    sent = {"Content-Type": JSON, **headers}
    found = [servers[name].send("GET" if body is None else "POST", ROUTES.predict, body, sent) for name in SERVERS]
    assert tuple(status for status, _, _ in found) == statuses
    for status, answered, _ in found[1:]:
        assert status == 200 or json.loads(answered)["error"]["request_id"]


def test_a_number_that_is_not_finite_is_null_here_and_no_json_there(servers) -> None:
    body = b'{"instances": [{"a": 1e400}], "parameters": {"echo": true}}'
    assert [servers[name].ask(body)[1] for name in SERVERS] == [
        b'{"predictions": [Infinity]}', b'{"predictions":[null]}', b'{"predictions":[null]}'
    ]  # fmt: skip


def test_an_exception_is_told_to_the_caller_there_and_to_the_log_alone_here(servers) -> None:
    found = [servers[name].ask(rows(A_ROW, fail=True))[1] for name in SERVERS]
    assert ["the disk is gone" in body.decode() for body in found] == [True, False, False]
    assert "the disk is gone" in servers["neutral"].log.read_text()


def test_the_manual_has_the_table() -> None:
    text = DOCS.read_text("utf-8")
    for what, _, _, (theirs, unchanged, neutral) in DIFFERENCES:
        assert f"| {what} | {theirs} | {unchanged} | {neutral} |" in text
