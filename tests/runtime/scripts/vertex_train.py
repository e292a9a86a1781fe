"""As written for a Vertex AI custom job: addresses of Cloud Storage are turned into paths below /gcs."""

import argparse
import csv
import json
import os


def local(uri):
    return uri.replace("gs://", "/gcs/")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", dest="data_dir")
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--learning_rate", type=float, default=0.1)
    parser.add_argument("--shuffle", action="store_true")
    args = parser.parse_args()
    assert not args.shuffle
    cluster = json.loads(os.environ["CLUSTER_SPEC"])
    assert cluster["task"] == {"type": "workerpool0", "index": 0}
    assert os.environ["CLOUD_ML_JOB_ID"]
    with open(os.path.join(local(args.data_dir), "rows.csv"), newline="") as file:
        points = [(float(row["x"]), float(row["y"])) for row in csv.DictReader(file)]
    slope = intercept = 0.0
    for _ in range(args.epochs):
        errors = [(slope * x + intercept - y, x) for x, y in points]
        slope -= args.learning_rate * sum(error * x for error, x in errors) / len(points)
        intercept -= args.learning_rate * sum(error for error, _ in errors) / len(points)
        with open(local(os.environ["AIP_CHECKPOINT_DIR"]) + "last.json", "w") as file:
            json.dump([slope, intercept], file)
    os.makedirs(local(os.environ["AIP_TENSORBOARD_LOG_DIR"]), exist_ok=True)
    with open(local(os.environ["AIP_MODEL_DIR"]) + "model.json", "w") as file:
        json.dump({"slope": slope, "intercept": intercept}, file)


if __name__ == "__main__":
    main()
