"""A model and a predictor that every vendor's server is given."""

from __future__ import annotations

import numpy as np
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
    numbers = np.random.default_rng(7).normal(size=(200, 3))
    return LogisticRegression().fit(numbers, numbers.sum(axis=1) > 0.3)
