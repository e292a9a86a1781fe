"""Answers with the probability that a flight arrives more than 15 minutes late."""

import joblib
import pandas as pd
from features import FEATURES


class Predictor:
    def __init__(self, model):
        self.model = joblib.load(model / "model.joblib")

    def predict(self, instances):
        for row, instance in enumerate(instances):
            missing = [name for name in FEATURES if name not in instance]
            if missing:
                raise ValueError(f"row {row}: no field `{missing[0]}`")
        rows = pd.DataFrame(instances, columns=FEATURES)
        return [round(float(one), 6) for one in self.model.predict_proba(rows)[:, 1]]
