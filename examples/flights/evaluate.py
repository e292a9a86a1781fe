"""How good the model is on flights that it has not seen: of the same months, and of July."""

import joblib
import pandas as pd
from features import FEATURES, LABEL
from sklearn.metrics import accuracy_score, roc_auc_score

from cloudml import runtime

job = runtime.job()
model = joblib.load(job.inputs["model"] / "model.joblib")
test = pd.read_parquet(job.inputs["test"])
july = pd.read_parquet(job.inputs["july"])

late = model.predict_proba(test[FEATURES])[:, 1]
job.log_metric("auc", roc_auc_score(test[LABEL], late))
job.log_metric("accuracy", accuracy_score(test[LABEL], late > 0.5))
job.log_metric("auc_july", roc_auc_score(july[LABEL], model.predict_proba(july[FEATURES])[:, 1]))
