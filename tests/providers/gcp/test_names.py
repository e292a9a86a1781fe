"""Names and labels fit Google's alphabets, and tell what they were made from."""

from __future__ import annotations

import pytest
from vertex_working import SETTINGS, identity

from cloudml_gcp import names
from cloudml_gcp.requests import ALIAS, ENDPOINT_ID, LABEL_KEY, LABEL_VALUE, MODEL_ID

LONG = f"{'p' * 31}-{'m' * 31}-0123456789"


@pytest.mark.parametrize("name", ["flights-delay", "Flights.Delay", "1st", "x" * 90, "ends-"])
def test_a_name_fits_and_what_was_fitted_is_fitted_to_itself(name: str) -> None:
    fitted = names.fit(name)
    assert ENDPOINT_ID.fullmatch(fitted)
    assert names.fit(fitted) == fitted


def test_a_number_that_google_gave_stays() -> None:
    assert names.fit("6816497446257569881") == "6816497446257569881"


@pytest.mark.parametrize("name", ["flights-delay-0123456789", LONG])
def test_a_version_keeps_its_hash_and_its_model(name: str) -> None:
    version = names.version(name)
    assert len(version) <= names.LONGEST
    assert version.endswith("-0123456789")
    assert names.version(version) == version
    assert MODEL_ID.fullmatch(names.group(name))
    assert ALIAS.fullmatch(names.alias(name))


def test_versions_of_one_model_are_of_one_group() -> None:
    assert names.group(LONG) == names.group(LONG.replace("0123456789", "9876543210"))


def test_labels_tell_the_tags_again() -> None:
    one = identity("endpoints.delay")
    labels = names.labels(one, SETTINGS)
    assert names.tags(labels) == one.tags
    assert all(LABEL_KEY.fullmatch(key) and LABEL_VALUE.fullmatch(value) for key, value in labels.items())
