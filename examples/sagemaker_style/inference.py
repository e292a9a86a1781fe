import json
import os

import joblib
import pandas as pd


def model_fn(model_dir):
    return joblib.load(os.path.join(model_dir, "model.joblib"))


def input_fn(request_body, request_content_type):
    if request_content_type == "application/json":
        return pd.DataFrame(json.loads(request_body)["instances"])
    raise ValueError("This model only supports application/json input")


def predict_fn(input_data, model):
    return model.predict(input_data[list(model.feature_names_in_)]).tolist()


def output_fn(prediction, accept):
    return json.dumps({"predictions": prediction}), accept
