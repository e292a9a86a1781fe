"""Scripts that were written for one cloud run unchanged, and learn the same."""

import json
import shutil
import unittest
from pathlib import Path

from driving import JobCase

SCRIPTS = Path(__file__).resolve().parent.parent / "scripts"
POINTS = [(0.0, 1.0), (1.0, 3.0), (2.0, 5.0), (3.0, 7.0)]
PARAMETERS = {"epochs": 200, "learning_rate": 0.1, "shuffle": False}


class ForeignScriptsTest(JobCase):
    def run_script(self, name, data):
        """The model that *name* makes of the points in the input called *data*."""
        shutil.copy(str(SCRIPTS / name), str(self.source))
        self.write("data/rows.csv", "x,y\n" + "".join("%r,%r\n" % point for point in POINTS))
        paths = {"inputs": {data: str(self.home / "data")}, "outputs": {"model": str(self.home / "model")}}
        done = self.drive(dict(self.request(parameters=PARAMETERS, **paths), script=name))
        self.assertEqual(done.returncode, 0, self.seen)
        return json.loads((self.home / "model" / "model.json").read_text())

    def test_all_learn_the_same(self):
        models = [
            self.run_script("sagemaker_train.py", "train"),
            self.run_script("vertex_train.py", "data"),
            self.run_script("azure_train.py", "train_data"),
            self.run_script("neutral_train.py", "train"),
        ]
        self.assertEqual(models, [models[0]] * 4)
        self.assertAlmostEqual(models[0]["slope"], 2, places=1)

    def test_what_sagemaker_scripts_write_beside_the_model_is_kept(self):
        self.run_script("sagemaker_train.py", "train")
        self.assertTrue((self.place / "output" / "data" / "report.txt").read_text().startswith("slope="))

    def test_checkpoints_of_vertex_scripts_are_the_jobs(self):
        self.run_script("vertex_train.py", "data")
        self.assertEqual([path.name for path in (self.home / "checkpoints").iterdir()], ["last.json"])

    def test_the_job_logs_a_point_for_each_step(self):
        self.run_script("neutral_train.py", "train")
        points = self.record().points
        self.assertEqual([point.step for point in points], list(range(200)))
        self.assertLess(points[-1].value, points[0].value)


if __name__ == "__main__":
    unittest.main()
