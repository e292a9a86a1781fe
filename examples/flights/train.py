"""Gradient-boosted trees; categories and missing values as they are."""

import joblib
import pandas as pd
from features import CATEGORIES, FEATURES, LABEL
from sklearn.compose import make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OrdinalEncoder

from cloudml import runtime

job = runtime.job()
train = pd.read_parquet(job.inputs["train"])

encode = make_column_transformer(
    (OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1), CATEGORIES),
    remainder="passthrough",
)
trees = HistGradientBoostingClassifier(
    max_iter=job.parameters["max_iter"],
    learning_rate=job.parameters["learning_rate"],
    categorical_features=list(range(len(CATEGORIES))),
    random_state=0,
)
model = make_pipeline(encode, trees).fit(train[FEATURES], train[LABEL])

joblib.dump(model, job.outputs["model"] / "model.joblib")
job.log_metric("rows", len(train))
print(f"trained on {len(train):,} flights")
