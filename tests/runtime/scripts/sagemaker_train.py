"""As written for SageMaker script mode: a line fitted to a CSV; paths from SM_*, hyperparameters as arguments."""

import argparse
import csv
import json
import os


def rows(folder):
    for name in sorted(os.listdir(folder)):
        with open(os.path.join(folder, name), newline="") as file:
            yield from ((float(row["x"]), float(row["y"])) for row in csv.DictReader(file))


def fit(points, epochs, rate):
    slope = intercept = 0.0
    for _ in range(epochs):
        errors = [(slope * x + intercept - y, x) for x, y in points]
        slope -= rate * sum(error * x for error, x in errors) / len(points)
        intercept -= rate * sum(error for error, _ in errors) / len(points)
    return slope, intercept


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--learning-rate", type=float, default=0.1)
    parser.add_argument("--shuffle", type=lambda text: text == "True", default=True)
    parser.add_argument("--hosts", type=list, default=json.loads(os.environ["SM_HOSTS"]))
    parser.add_argument("--current-host", type=str, default=os.environ["SM_CURRENT_HOST"])
    parser.add_argument("--model-dir", type=str, default=os.environ["SM_MODEL_DIR"])
    parser.add_argument("--output-data-dir", type=str, default=os.environ["SM_OUTPUT_DATA_DIR"])
    parser.add_argument("--train", type=str, default=os.environ["SM_CHANNEL_TRAIN"])
    args = parser.parse_args()
    assert args.current_host in args.hosts
    assert args.shuffle is False
    assert json.loads(os.environ["SM_HPS"])["epochs"] == args.epochs
    assert json.loads(os.environ["SM_TRAINING_ENV"])["channel_input_dirs"] == {"train": args.train}
    with open(os.path.join(os.environ["SM_INPUT_CONFIG_DIR"], "hyperparameters.json")) as file:
        assert json.load(file)["epochs"] == str(args.epochs)
    points = list(rows(args.train))
    assert points == list(rows(os.path.join(os.environ["SM_INPUT_DIR"], "data", "train")))
    slope, intercept = fit(points, args.epochs, args.learning_rate)
    with open(os.path.join(args.model_dir, "model.json"), "w") as file:
        json.dump({"slope": slope, "intercept": intercept}, file)
    with open(os.path.join(args.output_data_dir, "report.txt"), "w") as file:
        file.write("slope=%r\n" % slope)
    print("train_slope=%.4f;" % slope)
