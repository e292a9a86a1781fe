import base64
import json
from datetime import UTC, datetime

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cloudml.errors import SpecError
from cloudml.profile import Source, capture_profile, events, payloads, profiles, table
from cloudml.profile.capture import SCHEMA
from cloudml.profile.problems import Problems

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def captured(path, pairs, hours=None):
    rows = [
        {
            "event_id": str(n),
            "time": NOON.replace(hour=hours[n] if hours else 12),
            "endpoint": "delay",
            "version": "1",
            "row": 0,
            "instance": instance if isinstance(instance, str) else json.dumps(instance),
            "prediction": json.dumps(prediction),
        }
        for n, (instance, prediction) in enumerate(pairs)
    ]
    pq.write_table(pa.Table.from_pylist(rows, SCHEMA), path)
    return path


def test_instances_of_objects_are_columns_and_answers_the_column_prediction(tmp_path):
    path = captured(tmp_path / "a.parquet", [({"x": 1, "y": "a"}, 0), ({"x": 2.5}, 1)])
    features, predictions = capture_profile([path])
    assert features.rows == predictions.rows == 2
    assert features.columns["x"].numbers.maximum == 2.5
    assert features.columns["y"].nulls == 1
    assert predictions.columns["prediction"].numbers.mean == 0.5


def test_instances_that_are_lists_take_the_names_given(tmp_path):
    path = captured(tmp_path / "a.parquet", [([1, 2], 0), ([3, 4], 0)])
    assert list(capture_profile([path], columns=["x", "y"])[0].columns) == ["x", "y"]
    assert list(capture_profile([path])[0].columns) == ["c0", "c1"]
    assert list(capture_profile([path], columns=["x"])[0].columns) == ["c0", "c1"]
    like = table.of_batch(pa.record_batch({"p": [1], "q": [2]}))
    assert list(profiles(Source(paths=(path,)), like)[0].columns) == ["p", "q"]


ANSWERS = {
    "label": ("yes", ["prediction"]),
    "scores": ([0.1, 0.9], ["prediction_0", "prediction_1"]),
    "object": ({"label": "a", "score": 0.5}, ["label", "score"]),
}


@pytest.mark.parametrize("name", ANSWERS)
def test_answers_of_every_shape_have_columns(tmp_path, name):
    answer, names = ANSWERS[name]
    assert list(capture_profile([captured(tmp_path / "a.parquet", [(1, answer)])])[1].columns) == names


def test_a_window_begins_with_its_first_moment_and_ends_before_its_last(tmp_path):
    path = captured(tmp_path / "a.parquet", [({"x": hour}, 0) for hour in range(5)], hours=range(5))
    features, _ = capture_profile([path], since=NOON.replace(hour=1), until=NOON.replace(hour=3))
    assert (features.columns["x"].numbers.minimum, features.columns["x"].numbers.maximum) == (1, 2)
    assert capture_profile([path], since=NOON)[0].rows == 0


def test_damaged_captures_are_counted_and_the_rest_is_read(tmp_path):
    captured(tmp_path / "a.parquet", [({"x": 1}, 0), ("{not json", 0), ("1, 2", 0), ({"x": 3}, 1)])
    (tmp_path / "b.parquet").write_bytes(b"half a fi")
    pq.write_table(pa.table({"x": [1]}), tmp_path / "c.parquet")
    problems = Problems()
    features, predictions = profiles(Source(paths=(tmp_path,)), problems=problems)
    assert (features.rows, predictions.rows) == (2, 4)
    text = "\n".join(problems.sentences())
    assert "a.parquet: a captured value is not JSON (2 times)" in text
    assert "b.parquet: cannot be read to its end" in text
    assert "c.parquet: cannot be read to its end" in text


def sagemaker_line(data, answer, encoding="JSON", kind="application/json", time="2026-01-01T12:00:00Z"):
    def side(body):
        return {"observedContentType": kind, "mode": "INPUT", "data": body, "encoding": encoding}

    return {
        "captureData": {"endpointInput": side(data), "endpointOutput": side(answer)},
        "eventMetadata": {"eventId": "1", "inferenceTime": time},
        "eventVersion": "0",
    }


def test_sagemaker_lines_are_read_in_every_encoding():
    body, answer = json.dumps({"instances": [{"x": 1}, {"x": 2}]}), json.dumps({"predictions": [0, 1]})
    plain = events.sagemaker(sagemaker_line(body, answer))
    assert (plain.instances, plain.predictions) == ([{"x": 1}, {"x": 2}], [0, 1])
    assert plain.time == NOON.timestamp()
    packed = [base64.b64encode(text.encode()).decode() for text in (body, answer)]
    assert events.sagemaker(sagemaker_line(*packed, encoding="BASE64")) == plain
    csv = events.sagemaker(sagemaker_line("1,a\n2,b\n", "0.1\n0.9\n", "CSV", "text/csv; header=absent"))
    assert (csv.instances, csv.predictions) == ([[1, "a"], [2, "b"]], [0.1, 0.9])
    only_in = {"captureData": {"endpointInput": sagemaker_line(body, answer)["captureData"]["endpointInput"]}}
    assert events.sagemaker(only_in).predictions == []


def test_azure_lines_hold_one_collection_each():
    line = {"specversion": "1.0", "time": "2026-01-01T12:00:00Z", "data": [{"x": 1}, {"x": 2}], "correlationid": "c"}
    inputs = events.azure({**line, "type": "azureml.inference.model_inputs"})
    outputs = events.azure({**line, "type": "azureml.inference.model_outputs", "data": [{"prediction": 0.5}]})
    raw = events.azure({**line, "type": "azureml.inference.request", "data": '{"instances": [[1, 2]]}'})
    assert (inputs.instances, inputs.predictions, inputs.time) == ([{"x": 1}, {"x": 2}], [], NOON.timestamp())
    assert (outputs.instances, outputs.predictions) == ([], [{"prediction": 0.5}])
    assert raw.instances == [[1, 2]]


def test_vertex_rows_hold_a_text_per_instance_or_a_whole_body():
    line = {"logging_time": "2026-01-01 12:00:00.000000 UTC", "endpoint": "1", "deployed_model_id": "2"}
    each = events.vertex({**line, "request_payload": ['{"x": 1}', "[2, 3]"], "response_payload": ["0.5", '"late"']})
    whole = events.vertex(
        {**line, "request_payload": ['{"instances": [{"x": 1}]}'], "response_payload": ['{"predictions": [1]}']}
    )
    assert (each.instances, each.predictions) == ([{"x": 1}, [2, 3]], [0.5, "late"])
    assert (whole.instances, whole.predictions) == ([{"x": 1}], [1])
    assert each.time == NOON.timestamp()


LINES = {
    "sagemaker": [sagemaker_line('{"instances": [{"x": 1}]}', '{"predictions": [1]}')],
    "azure": [
        {"type": "azureml.inference.model_inputs", "time": "2026-01-01T12:00:00Z", "data": [{"x": 1}]},
        {"type": "azureml.inference.model_outputs", "time": "2026-01-01T12:00:00Z", "data": [{"prediction": 1}]},
    ],
    "vertex": [{"logging_time": "2026-01-01T12:00:00Z", "request_payload": ['{"x": 1}'], "response_payload": ["1"]}],
}


@pytest.mark.parametrize("format_", LINES)
def test_every_clouds_capture_gives_the_same_profiles_as_ours(tmp_path, format_):
    ours = capture_profile([captured(tmp_path / "ours.parquet", [({"x": 1}, 1)])])
    folder = tmp_path / "theirs" / "2026" / "01"
    folder.mkdir(parents=True)
    good = "\n".join(map(json.dumps, LINES[format_]))
    (folder / "part.jsonl").write_text(f"{good}\nnot json\n{{}}\n[1]\n")
    problems = Problems()
    found = profiles(Source(paths=(tmp_path / "theirs",), format=format_, since=NOON), problems=problems)
    assert [side.as_json() for side in found] == [side.as_json() for side in ours]
    assert problems.total == 3
    assert profiles(Source(paths=(folder,), format=format_, until=NOON))[0].rows == 0


def test_vertex_rows_exported_as_parquet_are_read(tmp_path):
    pq.write_table(pa.Table.from_pylist([{**LINES["vertex"][0], "logging_time": NOON}]), tmp_path / "t.parquet")
    features, predictions = profiles(Source(paths=(tmp_path,), format="vertex", since=NOON))
    assert (features.rows, predictions.rows) == (1, 1)


def test_an_unknown_format_is_named_with_those_that_are_read():
    with pytest.raises(SpecError, match="no capture format `gcp`") as caught:
        Source(paths=(), format="gcp")
    assert "vertex" in caught.value.hint


BODIES = {
    "list": ([[1], [2]], [[1], [2]]),
    "value": (3, [3]),
    "one object": ({"x": 1}, [{"x": 1}]),
    "mlflow records": ({"dataframe_records": [{"x": 1}]}, [{"x": 1}]),
    "mlflow split": ({"dataframe_split": {"columns": ["x"], "data": [[1], [2]]}}, [{"x": 1}, {"x": 2}]),
    "mlflow split, no names": ({"dataframe_split": {"data": [[1], [2]]}}, [[1], [2]]),
    "one tensor": ({"inputs": [{"name": "i", "shape": [2, 2], "data": [1, 2, 3, 4]}]}, [[1, 2], [3, 4]]),
    "nested tensor": ({"outputs": [{"name": "o", "shape": [2, 2], "data": [[1, 2], [3, 4]]}]}, [[1, 2], [3, 4]]),
    "tensors": (
        {"inputs": [{"name": "x", "shape": [2], "data": [1, 2]}, {"name": "y", "shape": [2, 1], "data": ["a", "b"]}]},
        [{"x": 1, "y": "a"}, {"x": 2, "y": "b"}],
    ),
}


@pytest.mark.parametrize("name", BODIES)
def test_the_rows_of_a_body(name):
    body, rows = BODIES[name]
    assert payloads.of_value(body) == rows


def test_json_lines_and_csv_bodies_have_a_row_a_line():
    assert payloads.rows('{"x": 1}\n\n{"x": 2}\n', "application/jsonlines") == [{"x": 1}, {"x": 2}]
    assert payloads.rows('1.5,"a, b",\n', "text/csv") == [[1.5, "a, b", None]]
