"""How often the model is right about flowers that it has not seen."""

import csv

from predict import Predictor

from cloudml import runtime

job = runtime.job()
with open(job.inputs["test"] / "test.csv", newline="") as file:
    rows = list(csv.DictReader(file))

answers = Predictor(job.inputs["model"]).predict(rows)
right = sum(answer == row["species"] for answer, row in zip(answers, rows))
job.log_metric("accuracy", right / len(rows))
