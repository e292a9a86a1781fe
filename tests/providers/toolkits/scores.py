"""A model and a predictor that every vendor's server is given."""

from __future__ import annotations

from typing import TYPE_CHECKING

import joblib
import numpy as np

from cloudml.resources import Identity, ModelResource
from cloudml.source import collect
from cloudml.specs import ModelSpec

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from sklearn.linear_model import LogisticRegression

PREDICT = """
import joblib
from features import columns

class Predictor:
    def __init__(self, model):
        self.model = joblib.load(model / "model.joblib")

    def predict(self, instances):
        return self.model.predict_proba([columns(row) for row in instances])[:, 1]
"""
FEATURES = """
def columns(row):
    return [float(row["a"]), float(row["b"]), float(row["a"]) * float(row["b"])]
"""
ROWS = [{"a": value / 7, "b": 3 - value / 11} for value in range(40)]


def fitted() -> LogisticRegression:
    from sklearn.linear_model import LogisticRegression

    numbers = np.random.default_rng(7).normal(size=(200, 3))
    return LogisticRegression().fit(numbers, numbers.sum(axis=1) > 0.3)


def laid_out(
    base: Path, predictor: str | None, lay_out: Callable[[ModelResource, Path], None], **files: str
) -> ModelResource:
    """The model's folder at `<base>/model`, as a provider lays it out in the bucket, and what is served."""
    root, model = base / "project", base / "model"
    (model / "code").mkdir(parents=True)
    root.mkdir()
    for name, text in files.items():
        (root / f"{name}.py").write_text(text)
    joblib.dump(fitted(), model / "model.joblib")
    resource = ModelResource(
        spec=ModelSpec(name="scores", source="jobs.train.model", predictor=predictor),
        identity=Identity(project="toolkits", resource="models.scores", hash="0" * 64),
        artifact="s3://bucket/job/model",
        job="toolkits-train",
        source=collect(root, predictor.partition(":")[0]) if predictor else None,
    )
    lay_out(resource, model / "code")
    return resource
