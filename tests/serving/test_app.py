"""The routes: every form of a request, every refusal, and what the server tells of itself."""

from __future__ import annotations

import asyncio
import json
import logging
import re
from datetime import timedelta

import httpx
import pytest
from asking import error, get, post, together, write

from cloudml.serving.app import create_app
from cloudml.serving.config import Limits, ServerConfig
from cloudml.serving.local import Local
from cloudml.serving.metrics import Metrics
from cloudml.serving.service import Phase, Service

SUM = "def predict(self, instances): return [sum(row) for row in instances]"


@pytest.fixture
def app(iris_folder):
    return create_app(ServerConfig(model=iris_folder, name="iris", version="7"))


@pytest.mark.parametrize("path", ["/invocations", "/predict", "/score"])
def test_every_route_of_predictions_answers(path: str, app, iris) -> None:
    response = post(app, {"instances": iris.records}, path)
    assert (response.status_code, response.json()) == (200, {"predictions": iris.expected})


def test_every_form_of_the_rows_gives_the_same_predictions(app, iris) -> None:
    rows, names, expected = iris.rows, iris.names, iris.expected
    table = "\n".join(",".join(map(str, row)) for row in rows)
    lines = "\n".join(map(json.dumps, rows))
    tensor = {"name": "x", "shape": [len(rows), 4], "datatype": "FP64", "data": rows}
    assert post(app, rows).json() == expected
    assert post(app, {"dataframe_split": {"columns": names, "data": rows}}).json() == {"predictions": expected}
    assert post(app, f"{','.join(names)}\n{table}\n".encode(), content_type="text/csv").text.split() == [
        *map(str, expected)
    ]
    assert post(app, table.encode(), content_type="text/csv", accept="application/json").json() == {
        "predictions": expected
    }
    assert post(app, lines.encode(), content_type="application/jsonlines").text.split() == [*map(str, expected)]
    assert post(app, {"inputs": [tensor]}).json()["outputs"][0]["data"] == expected


def test_the_open_inference_protocol_names_the_model(app, iris) -> None:
    columns = [
        {"name": name, "shape": [len(iris.rows)], "datatype": "FP64", "data": list(values)}
        for name, values in zip(iris.names, zip(*iris.rows, strict=True), strict=True)
    ]
    for path in ("/v2/models/iris/infer", "/v2/models/iris/versions/7/infer"):
        answer = post(app, {"id": "a", "inputs": columns}, path).json()
        assert (answer["model_name"], answer["model_version"], answer["id"]) == ("iris", "7", "a")
        shape = [len(iris.rows)]
        assert answer["outputs"] == [{"name": "predict", "shape": shape, "datatype": "INT64", "data": iris.expected}]
    assert error(post(app, {"instances": [[1]]}, "/v2/models/iris/infer"))["field"] == "inputs"
    assert "iris 7" in error(post(app, {}, "/v2/models/rose/infer"), 404)["message"]
    error(post(app, {}, "/v2/models/iris/versions/8/infer"), 404)


def test_a_server_that_is_ready_says_so_on_every_route_of_health(app) -> None:
    for path in ("/ping", "/health", "/", "/v2/health/live", "/v2/health/ready", "/v2/models/iris/ready"):
        assert get(app, path).status_code == 200, path
    assert get(app, "/v2/health/ready").json() == {"ready": True}
    assert get(app, "/v2/models/iris/ready").json() == {"name": "iris", "ready": True}
    assert get(app, "/v2").json() == {"name": "cloudml", "version": "7", "extensions": []}
    metadata = get(app, "/v2/models/iris").json()
    assert (metadata["name"], metadata["versions"], metadata["platform"]) == ("iris", ["7"], "cloudml_sklearn")


def test_a_server_that_loads_or_drains_lives_but_is_not_ready(iris_folder) -> None:
    config = ServerConfig(model=iris_folder)
    service = Service(config)
    app = create_app(config, service)
    for path in ("/ping", "/health", "/", "/v2/health/ready", "/v2/models/model/ready"):
        assert error(get(app, path), 503)["message"] == "the model is loading"
    assert get(app, "/v2/health/live").status_code == 200
    refused = post(app, [[1, 2, 3, 4]])
    assert (error(refused, 503)["code"], refused.headers["retry-after"]) == ("unavailable", "1")
    service.load()
    service.drain()
    assert error(get(app, "/ping"), 503)["message"] == "the server is stopping"
    answer = post(app, [[1, 2, 3, 4]])
    assert (answer.status_code, answer.headers["connection"]) == (200, "close")


def test_a_model_that_cannot_be_loaded_is_kept_as_the_reason(folder) -> None:
    write(folder / "predict.py", "raise ImportError('no module named hope')")
    service = Service(ServerConfig(model=folder))
    with pytest.raises(ImportError):
        service.load()
    assert (service.phase, str(service.failure)) == (Phase.FAILED, "no module named hope")
    assert error(get(create_app(service.config, service), "/ping"), 503)["message"] == "the model could not be loaded"


def test_routes_are_named_as_vertex_wants_them(iris_folder, iris) -> None:
    app = create_app(ServerConfig(model=iris_folder, predict_route="/v1/e/1:predict", health_route="/v1/e/1"))
    assert post(app, {"instances": iris.rows}, "/v1/e/1:predict").json() == {"predictions": iris.expected}
    assert get(app, "/v1/e/1").status_code == 200


def test_a_bad_row_is_named_and_nothing_else_is_told(app, iris) -> None:
    record = dict.fromkeys(iris.names, 1)
    del record[iris.names[2]]
    refused = error(post(app, {"instances": [iris.records[0], record]}))
    assert (refused["row"], refused["field"]) == (1, iris.names[2])
    text = error(post(app, [[1, 2, 3, 4], [1, 2, "x", 4]]))
    assert (text["row"], text["code"]) == (1, "bad_request")
    assert error(post(app, b"{"))["message"].startswith("not JSON: ")
    assert "text/csv" in error(post(app, b"x", content_type="image/png"), 415)["message"]
    error(post(app, [[1, 2, 3, 4]], accept="text/html"), 406)
    error(post(app, {}, "/nowhere"), 404)
    error(get(app, "/invocations"), 405)


def test_a_failure_of_the_model_is_logged_and_not_told(predictor, caplog) -> None:
    app = predictor("def predict(self, instances): raise RuntimeError('secret')")
    with caplog.at_level(logging.ERROR, "cloudml.serving"):
        refused = error(post(app, [1], x_request_id="mine-1"), 500)
    assert refused["request_id"] == "mine-1"
    assert "secret" not in json.dumps(refused)
    assert "mine-1" in caplog.text
    assert "RuntimeError: secret" in caplog.text


def test_another_number_of_predictions_than_instances_is_a_failure(predictor, caplog) -> None:
    app = predictor("def predict(self, instances): return [1]")
    error(post(app, [1, 2]), 500)
    assert "1 predictions for 2 instances" in caplog.text
    assert post(app, [1]).json() == [1]


def test_what_raises_a_timeout_of_its_own_has_not_run_out_of_time(predictor, caplog) -> None:
    error(post(predictor("def predict(self, instances): raise TimeoutError('database')"), [1]), 500)
    assert "database" in caplog.text


@pytest.mark.parametrize("leave", ["raise StopIteration", "raise SystemExit(1)"])
def test_a_model_cannot_end_the_server(leave: str, predictor, caplog) -> None:
    app = predictor(f"def predict(self, instances):\n    if instances == [0]: {leave}\n    return instances")
    error(post(app, [0]), 500)
    assert post(app, [1]).json() == [1]


def test_a_body_over_the_limit_is_refused_whether_or_not_it_tells_its_size(predictor) -> None:
    app = predictor(SUM, limits=Limits(body_bytes=100))

    async def parts():
        for _ in range(30):
            yield b"[1,2],[3"

    told, untold = together(
        app, ("POST", "/predict", {"content": b" " * 101}), ("POST", "/predict", {"content": parts()})
    )
    for response in (told, untold):
        assert "100 bytes" in error(response, 413)["message"]
        assert response.headers["connection"] == "close"
    assert post(app, b" " * 95 + b"[[1]]").json() == [1]


def asked(app, receive):
    """What the app sends when *receive* brings it the body of a request for predictions."""
    sent = []

    async def send(message):
        sent.append(message)

    scope = {"type": "http", "method": "POST", "path": "/predict", "headers": []}
    asyncio.run(app(scope, receive, send))
    return sent[0]["status"], sent[1]["body"]


def test_a_body_that_comes_in_parts_is_waited_for_but_not_for_ever(predictor) -> None:
    app = predictor(SUM, limits=Limits(time=timedelta(milliseconds=50)))
    parts = [b"[[1", b",2]]"]

    async def coming():
        await asyncio.sleep(0)
        return {"type": "http.request", "body": parts.pop(0), "more_body": bool(parts)}

    assert asked(app, coming) == (200, b"[3]")

    async def never():
        await asyncio.Event().wait()

    status, body = asked(app, never)
    assert (status, json.loads(body)["error"]["code"]) == (408, "slow_body")


def test_a_caller_who_goes_before_the_body_is_there_is_asked_nothing(predictor) -> None:
    async def gone():
        await asyncio.sleep(0)
        return {"type": "http.disconnect"}

    app = predictor(SUM)
    assert asked(app, gone) == (400, b"")
    assert "cloudml_batch_rows_sum 0.0" in get(app, "/metrics").text


def test_requests_without_an_id_get_one_that_no_other_has(predictor) -> None:
    app = predictor(SUM)
    ids = [post(app, [[1]]).headers["x-request-id"] for _ in range(3)]
    assert len(set(ids)) == 3
    assert all(re.fullmatch("[0-9a-f]{32}", one) for one in ids)


def test_the_counts_of_all_workers_are_added_up() -> None:
    metrics = Metrics(["/predict"], workers=2)
    for sheet in metrics.sheets:
        sheet.answered("/predict", 200)
        sheet.answered("/unknown", 418)
        sheet.seconds.observe(0.5)
        sheet.in_flight.add(3)
        sheet.load_seconds.set(7)
    metrics.sheets[0].ended()
    lines = metrics.text().decode().splitlines()
    assert 'cloudml_requests_total{route="/predict",status="200"} 2.0' in lines
    assert 'cloudml_requests_total{route="other",status="400"} 2.0' in lines
    assert "cloudml_request_seconds_sum 1.0" in lines
    assert "cloudml_requests_in_flight 3.0" in lines
    assert "cloudml_model_load_seconds 7.0" in lines


def test_a_model_that_is_too_slow_is_given_up(predictor) -> None:
    app = predictor(
        """
        event = threading.Event()
        def predict(self, instances):
            if instances == ["wait"]: self.event.wait(20)
            if instances == ["go"]: self.event.set()
            return instances
        """,
        limits=Limits(time=timedelta(milliseconds=50), threads=2),
    )
    assert error(post(app, ["wait"]), 504)["code"] == "timeout"
    assert post(app, ["go"]).json() == ["go"]


def test_the_token_is_asked_for_where_predictions_are(iris_folder, iris) -> None:
    app = create_app(ServerConfig(model=iris_folder, token="geheim"))
    for shown in ({}, {"authorization": "Bearer falsch"}, {"authorization": "geheim"}, {"authorization": "Bearer é"}):
        encoded = {key: value.encode() for key, value in shown.items()}
        response = post(app, iris.rows, **encoded)
        assert error(response, 401)["code"] == "unauthorized"
        assert response.headers["www-authenticate"] == "Bearer"
        error(post(app, {}, "/v2/models/model/infer", **encoded), 401)
    assert post(app, iris.rows, authorization="Bearer geheim").json() == iris.expected
    assert get(app, "/ping").status_code == 200


def test_metrics_count_what_happened(predictor) -> None:
    app = predictor(SUM)
    post(app, [[1], [2]])
    post(app, [5])
    lines = get(app, "/metrics").text.splitlines()
    assert 'cloudml_requests_total{route="/invocations",status="200"} 1.0' in lines
    assert 'cloudml_requests_total{route="/invocations",status="400"} 1.0' in lines
    assert 'cloudml_batch_rows_bucket{le="1.0"} 1.0' in lines
    assert 'cloudml_batch_rows_bucket{le="2.0"} 2.0' in lines
    assert "cloudml_batch_rows_sum 3.0" in lines
    assert "cloudml_request_seconds_count 2.0" in lines
    assert "cloudml_requests_in_flight 0.0" in lines
    assert any(line.startswith("cloudml_model_load_seconds ") for line in lines)
    assert "cloudml_capture_dropped_total 0.0" in lines


FOREIGN = {
    "inference.py": """
        import json
        def model_fn(model_dir): return 2
        def transform_fn(model, body, content_type, accept):
            rows = json.loads(body)["instances"]
            return json.dumps([model * row for row in rows]), "application/json"
    """,
    "score.py": """
        import json
        def init(): pass
        def run(data): return [2 * row for row in json.loads(data)["instances"]]
    """,
    "predictor.py": """
        class Predictor:
            def load(self, uri): pass
            def predict(self, request): return [2 * row for row in request["instances"]]
    """,
}


@pytest.mark.parametrize("name", FOREIGN)
def test_code_of_a_cloud_is_served_on_every_route(name: str, folder, caplog) -> None:
    write(folder / name, FOREIGN[name])
    app = create_app(ServerConfig(model=folder))
    found = post(app, {"instances": [1, 2]}).json()
    assert (found["predictions"] if isinstance(found, dict) else found) == [2, 4]
    tensor = {"name": "x", "shape": [2], "datatype": "INT64", "data": [1, 2]}
    if name != "predictor.py":  # rows by name are what a tensor of one dimension gives
        tensor = {**tensor, "shape": [2, 1]}
        assert post(app, {"inputs": [tensor]}, "/v2/models/model/infer").json()["outputs"][0]["data"] == [1, 1, 2, 2]
    error(post(app, {"instances": 5}), 500)


def test_a_model_called_without_a_socket_answers_as_its_server_does(iris_folder, iris, app) -> None:
    local = Local.load(iris_folder)
    for body in ({"instances": iris.records}, [[1, 2, 3, 4]], {"instances": [{}]}, [[1]]):
        content = json.dumps(body).encode()
        here, there = local.invoke(content), post(app, content)
        assert here.status == there.status_code
        if here.status == 200:
            assert here.body == there.content
        else:
            ours, theirs = json.loads(here.body)["error"], there.json()["error"]
            assert {**ours, "request_id": ""} == {**theirs, "request_id": ""}
    assert local.predict(iris.rows) == iris.expected


def test_a_large_request_holds_up_nobodys_health(predictor) -> None:
    app = predictor(
        """
        came, asked = threading.Event(), threading.Event()
        def predict(self, instances):
            self.came.set()
            assert self.asked.wait(20)
            return instances
        """
    )

    async def send() -> tuple[int, int]:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://here") as client:
            busy = asyncio.create_task(client.post("/predict", json=[1]))
            await asyncio.to_thread(app.state.service.model._predictor.came.wait, 20)
            health = await client.get("/ping")
            app.state.service.model._predictor.asked.set()
            return health.status_code, (await busy).status_code

    assert asyncio.run(send()) == (200, 200)
