"""Models of a real table, in every form they are found in, and apps that serve them."""

from __future__ import annotations

import sys
import textwrap
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import joblib
import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent))  # for `asking`, which is no test

from cloudml.serving.app import create_app
from cloudml.serving.config import ServerConfig

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.applications import Starlette


@dataclass(frozen=True)
class Iris:
    """The table, a model of it, and what that model says of the rows.

    Attributes:
        rows: Every seventh flower, as lists.
        records: The same as objects, their keys in another order, with one that the model does not know.
    """

    model: Any
    names: list[str]
    rows: list[list[float]]
    records: list[dict[str, Any]]
    expected: list[int]


@pytest.fixture(scope="session")
def iris() -> Iris:
    from sklearn.datasets import load_iris
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    frame, target = load_iris(return_X_y=True, as_frame=True)
    model = make_pipeline(StandardScaler(), LogisticRegression()).fit(frame, target)
    some = frame.iloc[::7]
    names = list(frame.columns)
    rows = some.to_numpy().tolist()
    records = [{"colour": "blue", **dict(reversed(list(zip(names, row, strict=True))))} for row in rows]
    return Iris(model, names, rows, records, np.asarray(model.predict(some)).tolist())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An empty model folder."""
    path = tmp_path / "model"
    path.mkdir()
    return path


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch) -> None:
    """Paths and variables that loading a model changes are put back."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setenv("AZUREML_MODEL_DIR", "")


@pytest.fixture
def iris_folder(folder: Path, iris: Iris) -> Path:
    joblib.dump(iris.model, folder / "model.joblib")
    return folder


@pytest.fixture
def predictor(folder: Path) -> Callable[..., Starlette]:
    """Makes an app of a predictor's methods; what is said besides goes to its configuration."""

    def make(body: str, **said: Any) -> Starlette:
        methods = textwrap.indent(textwrap.dedent(body), "    ")
        start = "    def __init__(self, model): self.calls = []\n"
        (folder / "predict.py").write_text(f"import threading, time\n\nclass Predictor:\n{start}{methods}\n")
        return create_app(ServerConfig(model=folder, **said))

    return make
