"""The table of images is whole; an image whose day has passed is a warning that names what follows it."""

from __future__ import annotations

import json
import re
from datetime import UTC, date, datetime
from importlib.metadata import distribution
from pathlib import Path

import pytest
from vertex_working import SETTINGS

from cloudml import clock
from cloudml.specs.job import FrameworkSpec
from cloudml_gcp import images


@pytest.fixture
def today(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clock, "now", lambda: datetime(2026, 11, 25, tzinfo=UTC))


def test_an_expired_image_names_its_successor(today) -> None:
    asked = FrameworkSpec(name="sklearn", version="1.6")
    notes = images.resolve("jobs.train", asked, "training", gpu=False, settings=SETTINGS).notes
    assert "unavailable since 2026-07-11" in notes[-1].text
    assert "ray-cpu.2-47.py311" in notes[-1].text


def test_an_image_of_the_target_is_taken_as_it_is(today) -> None:
    own = SETTINGS.model_copy(update={"training_image": "europe-docker.pkg.dev/acme/ml/train:1"})
    image = images.resolve("jobs.train", None, "training", gpu=False, settings=own)
    assert image.uri == "europe-docker.pkg.dev/acme/ml/train:1"


def test_the_nearest_repository_is_taken(today) -> None:
    uri = images.resolve("jobs.train", None, "training", gpu=False, settings=SETTINGS).uri
    assert uri == "europe-docker.pkg.dev/vertex-ai/training/ray-cpu.2-47.py311:latest"


FACTS = json.loads(Path(images.__file__).with_name("facts").joinpath("images.json").read_text("utf-8"))
ROWS = [(*key.split(" "), row) for key, row in FACTS["images"].items()]
DAYS = ("patched_until", "available_until")


def of_the_sdk(file: str) -> str:
    """The text of a file of the official SDK, of which nothing is run."""
    sdk = distribution("google-cloud-aiplatform")
    return Path(sdk.locate_file(f"google/cloud/aiplatform/{file}")).read_text("utf-8")


def test_the_table_says_where_it_is_from_and_when() -> None:
    assert "https://" in FACTS["source"]
    assert date.fromisoformat(FACTS["date"]) > date(2026, 1, 1)


@pytest.mark.parametrize(("name", "use", "number", "row"), ROWS)
def test_a_row_is_named_for_its_version_and_its_days_are_in_order(name: str, use: str, number: str, row: dict) -> None:
    days = [date.fromisoformat(row[day]) for day in DAYS if day in row]
    assert days == sorted(days)
    assert set(row) <= {"cpu", "gpu", "python", *DAYS}
    assert name in images.TITLES
    for processor in ("cpu", "gpu"):
        if processor in row:
            assert re.fullmatch(rf"{use}/\w+-{processor}\.[\w.-]+", row[processor])
            assert name == images.PYTHON or f".{number.replace('.', '-')}" in row[processor]


@pytest.mark.parametrize(("name", "use"), sorted({(name, use) for name, use, *_ in ROWS}))
def test_whatever_is_gone_is_followed_by_an_image_that_is_there(name: str, use: str) -> None:
    today = date.fromisoformat(FACTS["date"])
    said = images._successor(name, use, today)
    places = {(name, use), ("python", "training")}
    living = [row for other, kind, number, row in ROWS if number in said and (other, kind) in places]
    assert living
    assert all("available_until" not in row or date.fromisoformat(row["available_until"]) >= today for row in living)


def test_every_serving_image_is_one_that_the_sdk_knows_and_its_newest_are_here() -> None:
    text = of_the_sdk("constants/prediction.py")
    known = re.findall(r"us-docker\.pkg\.dev/vertex-ai/(prediction/[\w-]+)\.([\d-]+):latest", text)
    mine = {row[key] for _, use, _, row in ROWS if use == "prediction" for key in ("cpu", "gpu") if key in row}
    assert mine <= {f"{kind}.{number}" for kind, number in known}
    newest: dict[str, tuple[int, ...]] = {}
    for kind, number in known:
        newest[kind] = max(newest.get(kind, ()), tuple(int(part) for part in number.split("-")))
    wanted = {f"{kind}.{'-'.join(map(str, number))}" for kind, number in newest.items()}
    assert wanted - mine == {"prediction/tf-cpu.1-15", "prediction/tf-gpu.1-15"}  # TensorFlow 1 is gone


def test_the_image_for_any_python_is_the_newest_of_the_sdk_s_own_for_ray() -> None:
    text = of_the_sdk("vertex_ray/util/_validation_utils.py")
    (versions,) = re.findall(r'"3\.11": \(([^)]*)\)', text)
    newest = versions.replace('"', "").split(", ")[-1].replace(".", "-")
    row = FACTS["images"]["python training 3.11"]
    for key in ("cpu", "gpu"):
        assert row[key] == f"training/ray-{key}.{newest}.py311"
        assert f"vertex-ai/training/ray-{key}.{{ray_version}}.py{{python_version}}" in text
