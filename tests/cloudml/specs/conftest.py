from pathlib import Path

import pytest

from cloudml.errors import SpecError
from cloudml.specs.load import loads

FLIGHTS = Path(__file__).with_name("flights.yaml").read_text(encoding="utf-8")


@pytest.fixture
def flights():
    """The example of the design, word for word."""
    return FLIGHTS


@pytest.fixture
def folder(tmp_path):
    """A project folder with all that the example names."""
    (tmp_path / "cloudml.yaml").write_text(FLIGHTS, encoding="utf-8")
    for name in ("prepare.py", "train.py", "evaluate.py", "predict.py", "data/2013.parquet"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    return tmp_path


@pytest.fixture
def problems():
    """What is wrong with a text, by dotted path."""

    def find(text, root=None):
        try:
            loads(text, root=root)
        except SpecError as error:
            return {problem.path: problem for problem in error.problems}
        return {}

    return find
