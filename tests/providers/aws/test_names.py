from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from cloudml_aws.clients import service_model
from cloudml_aws.names import LONGEST, fit

TRAINING_JOB_NAME = service_model("sagemaker").shape_for("TrainingJobName").metadata


def test_a_good_name_stays_as_it_is() -> None:
    assert fit("flights-train-3fa9c1d2e4") == "flights-train-3fa9c1d2e4"


@given(st.text(min_size=1, max_size=200))
def test_every_name_fits_the_service_model_and_what_was_fitted_stays(name: str) -> None:
    found = fit(name)
    assert re.fullmatch(TRAINING_JOB_NAME["pattern"], found)
    assert len(found) <= LONGEST == TRAINING_JOB_NAME["max"]
    assert fit(found) == found


def test_long_names_that_differ_at_their_end_stay_apart() -> None:
    assert fit("a" * 80 + "1") != fit("a" * 80 + "2")
