"""What is recorded of requests and answers, and that it never stands in their way."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pytest
from asking import get, post, write
from pyarrow import parquet

from cloudml.serving import capture
from cloudml.serving.app import create_app
from cloudml.serving.capture import Event, Recorder
from cloudml.serving.config import Capture, ServerConfig

SCHEMA = pa.schema(
    [
        ("event_id", pa.string()),
        ("time", pa.timestamp("us", tz="UTC")),
        ("endpoint", pa.string()),
        ("version", pa.string()),
        ("row", pa.int32()),
        ("instance", pa.string()),
        ("prediction", pa.string()),
    ]
)
LATER = timedelta(hours=1)


def recorded(folder):
    """Every row in the files of a folder, in the order they were written."""
    tables = [parquet.read_table(path) for path in sorted(folder.glob("*.parquet"))]
    assert all(table.schema == SCHEMA for table in tables)
    return [row for table in tables for row in table.to_pylist()]


@pytest.fixture
def place(tmp_path):
    return tmp_path / "capture"


def test_a_row_is_written_for_each_instance(iris_folder, iris, place) -> None:
    app = create_app(ServerConfig(model=iris_folder, name="iris", version="7", capture=Capture(folder=place)))
    before = datetime.now(UTC)
    post(app, {"instances": iris.records[:3]}, x_request_id="a")
    post(app, {"instances": iris.rows[3:4]}, x_request_id="b")
    post(app, {"instances": [[1]]}, x_request_id="refused")
    app.state.service.close()
    rows = recorded(place)
    assert [(row["event_id"], row["row"]) for row in rows] == [("a", 0), ("a", 1), ("a", 2), ("b", 0)]
    assert [json.loads(row["instance"]) for row in rows] == [*iris.records[:3], iris.rows[3]]
    assert [json.loads(row["prediction"]) for row in rows] == iris.expected[:4]
    assert {(row["endpoint"], row["version"]) for row in rows} == {("iris", "7")}
    assert all(before <= row["time"] <= datetime.now(UTC) for row in rows)
    assert not list(place.glob(".*"))


def test_a_share_of_requests_is_recorded(predictor, place) -> None:
    app = predictor("def predict(self, instances): return instances", capture=Capture(folder=place, share=0.5))
    app.state.service._recorder._random.seed(1)
    for number in range(60):
        post(app, [number])
    app.state.service.close()
    assert 15 < len(recorded(place)) < 45


def test_no_share_starts_no_recorder(predictor, place) -> None:
    app = predictor("def predict(self, instances): return instances", capture=Capture(folder=place, share=0))
    assert app.state.service._recorder is None
    assert not place.exists()


def test_a_file_is_closed_when_it_has_its_rows_or_its_time_is_over(place) -> None:
    recorder = Recorder(Capture(folder=place, rows=2, flush=LATER), "e", "1", lambda _: None)
    for number in range(5):
        recorder.offer(str(number), 1, [number], [number])
    recorder.close()
    assert [parquet.read_metadata(path).num_rows for path in sorted(place.glob("*.parquet"))] == [2, 2, 1]
    timed = Recorder(Capture(folder=place / "timed", flush=timedelta(0)), "e", "1", lambda _: None)
    timed.offer("a", 1, [1], [1])
    until(lambda: recorded(place / "timed"))
    timed.close()


def until(look) -> None:
    """Look again and again at an observable fact, under a deadline."""
    limit = datetime.now(UTC) + timedelta(seconds=30)
    while not look():
        assert datetime.now(UTC) < limit


def test_a_writer_that_cannot_keep_up_drops_and_counts(place, monkeypatch) -> None:
    dropped: list[int] = []
    recorder = Recorder(Capture(folder=place, queue=2, flush=LATER), "e", "1", dropped.append)
    recorder.close()  # nobody takes from the queue any more
    for number in range(5):
        recorder.offer(str(number), 1, [number], [number])
    assert sum(dropped) == 3
    monkeypatch.setattr(capture, "HELD_BYTES", 10)
    large = Recorder(Capture(folder=place / "large", flush=LATER), "e", "1", dropped.append)
    large.close()
    for number in range(3):
        large.offer(str(number), 11, [number], [number])
    assert sum(dropped) == 5


def test_a_folder_that_cannot_be_written_is_counted_and_serving_goes_on(predictor, place, caplog) -> None:
    app = predictor("def predict(self, instances): return instances", capture=Capture(folder=place))
    place.rmdir()
    place.touch()
    assert post(app, [1]).json() == [1]
    app.state.service.close()
    assert "1 requests could not be recorded" in caplog.text
    assert "cloudml_capture_dropped_total 1.0" in get(app, "/metrics").text


def test_who_lists_the_folder_never_sees_half_a_file(place, monkeypatch) -> None:
    place.mkdir()
    seen: list[list[str]] = []
    original = parquet.write_table

    def watched(*arguments, **said):
        original(*arguments, **said)
        seen.append([path.name for path in place.glob("*.parquet")])

    monkeypatch.setattr(parquet, "write_table", watched)
    capture.write(place, [Event("a", 0, 1, [1], [1])], {"endpoint": "e", "version": "1"})
    assert seen == [[]]
    assert len(recorded(place)) == 1


def test_rows_of_foreign_code_are_recorded_where_they_can_be_told(folder, place) -> None:
    write(
        folder / "score.py",
        """
        def init(): pass
        def run(data): return [1, 2] if "instances" in data else data[::-1]
        """,
    )
    app = create_app(ServerConfig(model=folder, capture=Capture(folder=place)))
    post(app, {"instances": [5, 6]})
    post(app, b"abc", content_type="text/plain")
    app.state.service.close()
    rows = [(row["instance"], row["prediction"]) for row in recorded(place)]
    assert rows == [("5", "1"), ("6", "2"), ('"abc"', '"\\"cba\\""')]
