"""As written for an Azure ML command job: inputs and outputs are arguments, literals arrive as texts."""

import argparse
import csv
import json
import os
from pathlib import Path


def parse_args():
    parser = argparse.ArgumentParser("train")
    parser.add_argument("--train_data", type=str, help="path of the training data", required=True)
    parser.add_argument("--epochs", type=int, required=True)
    parser.add_argument("--learning_rate", type=float, required=True)
    parser.add_argument("--shuffle", type=str, default="True")
    parser.add_argument("--model", type=str, help="path of the model", required=True)
    return parser.parse_args()


def main(args):
    assert os.environ["AZUREML_RUN_ID"]
    assert os.environ["AZURE_ML_INPUT_train_data"] == args.train_data
    assert os.environ["AZURE_ML_OUTPUT_model"] == args.model
    assert args.shuffle.lower() == "false"
    points = []
    for path in sorted(Path(args.train_data).glob("*.csv")):
        with path.open(newline="") as file:
            points += [(float(row["x"]), float(row["y"])) for row in csv.DictReader(file)]
    slope = intercept = 0.0
    for _ in range(args.epochs):
        errors = [(slope * x + intercept - y, x) for x, y in points]
        slope -= args.learning_rate * sum(error * x for error, x in errors) / len(points)
        intercept -= args.learning_rate * sum(error for error, _ in errors) / len(points)
    (Path(args.model) / "model.json").write_text(json.dumps({"slope": slope, "intercept": intercept}))


if __name__ == "__main__":
    main(parse_args())
