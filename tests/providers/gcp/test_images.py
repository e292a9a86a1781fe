"""An image whose day has passed is a warning that names what follows it."""

from __future__ import annotations

from datetime import UTC, datetime

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
