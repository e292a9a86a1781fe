"""As written for cloudml: everything from the job."""

import csv
import json

from cloudml import runtime

job = runtime.job()
epochs, rate = job.parameters["epochs"], job.parameters["learning_rate"]
assert job.parameters["shuffle"] is False
with (job.inputs["train"] / "rows.csv").open(newline="") as file:
    points = [(float(row["x"]), float(row["y"])) for row in csv.DictReader(file)]
slope = intercept = 0.0
for epoch in range(epochs):
    errors = [(slope * x + intercept - y, x) for x, y in points]
    slope -= rate * sum(error * x for error, x in errors) / len(points)
    intercept -= rate * sum(error for error, _ in errors) / len(points)
    job.log_metric("loss", sum(error * error for error, _ in errors) / len(points), step=epoch)
(job.outputs["model"] / "model.json").write_text(json.dumps({"slope": slope, "intercept": intercept}))
