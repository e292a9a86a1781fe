"""Scripts that were written for one cloud run unchanged, and learn the same."""

import json
import shutil
import unittest
from pathlib import Path

from driving import JobCase

SCRIPTS = Path(__file__).resolve().parent.parent / "scripts"
POINTS = [(0.0, 1.0), (1.0, 3.0), (2.0, 5.0), (3.0, 7.0)]
EPOCHS, RATE = 50, 0.1


def fitted():
    """What each script has to learn, to the last digit."""
    slope = intercept = 0.0
    for _ in range(EPOCHS):
        errors = [(slope * x + intercept - y, x) for x, y in POINTS]
        slope -= RATE * sum(error * x for error, x in errors) / len(POINTS)
        intercept -= RATE * sum(error for error, _ in errors) / len(POINTS)
    return {"slope": slope, "intercept": intercept}


class ForeignScriptsTest(JobCase):
    def learns(self, name, data):
        """Run *name* with the points in the input called *data*."""
        shutil.copy(str(SCRIPTS / name), str(self.source))
        self.write("data/rows.csv", "x,y\n" + "".join("%r,%r\n" % point for point in POINTS))
        paths = {"inputs": {data: str(self.home / "data")}, "outputs": {"model": str(self.home / "model")}}
        parameters = {"epochs": EPOCHS, "learning_rate": RATE, "shuffle": False}
        done = self.drive(dict(self.request(parameters=parameters, **paths), script=name))
        self.assertEqual(done.returncode, 0, self.seen)
        self.assertEqual(json.loads((self.home / "model" / "model.json").read_text()), fitted())

    def test_a_script_for_sagemaker(self):
        self.learns("sagemaker_train.py", "train")
        beside = self.place / "output" / "data" / "report.txt"
        self.assertTrue(beside.read_text().startswith("slope="))

    def test_a_script_for_vertex(self):
        self.learns("vertex_train.py", "data")
        self.assertEqual([path.name for path in (self.home / "checkpoints").iterdir()], ["last.json"])

    def test_a_script_for_azure(self):
        self.learns("azure_train.py", "train_data")

    def test_a_script_for_cloudml(self):
        self.learns("neutral_train.py", "train")
        points = self.record().points
        self.assertEqual([point.step for point in points], list(range(EPOCHS)))
        self.assertLess(points[-1].value, points[0].value)


if __name__ == "__main__":
    unittest.main()
