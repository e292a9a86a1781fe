"""Where providers put things."""

import json
import os
import tempfile
import unittest

from cloudml.runtime import contract
from cloudml.runtime.request import parse

REST = {"version": 1, "name": "n", "script": "train.py", "source": "/src"}


class ContractTest(unittest.TestCase):
    def test_paths_of_sagemaker_are_fixed(self):
        request = parse({**REST, **contract.paths("aws", ["train"], ["model", "report"])}, {})
        self.assertEqual(request.inputs, {"train": "/opt/ml/input/data/train"})
        self.assertEqual(request.outputs, {"model": "/opt/ml/model", "report": "/opt/ml/output/data/report"})
        self.assertEqual((request.record, request.checkpoints), ("/opt/ml/output/data/_cloudml", "/opt/ml/checkpoints"))

    def test_paths_of_vertex_lie_beside_the_model(self):
        environ = {
            "AIP_MODEL_DIR": "gs://b/job/model/", "AIP_CHECKPOINT_DIR": "gs://b/job/checkpoints/",
            "CLOUDML_INPUT_TRAIN_SET": "gs://b/data/v1",
        }  # fmt: skip
        request = parse({**REST, **contract.paths("gcp", ["train-set"], ["model", "report"])}, environ)
        self.assertEqual(request.inputs, {"train-set": "/gcs/b/data/v1"})
        self.assertEqual(request.outputs, {"model": "/gcs/b/job/model", "report": "/gcs/b/job/report"})
        self.assertEqual((request.record, request.checkpoints), ("/gcs/b/job/_cloudml", "/gcs/b/job/checkpoints"))

    def test_paths_of_azure_come_from_the_command_line(self):
        names = ["CLOUDML_INPUT_TRAIN", "CLOUDML_OUTPUT_MODEL", "CLOUDML_OUTPUT_REPORT", "CLOUDML_RECORD"]
        environ = {name: "/mnt/%s" % name for name in [*names, "CLOUDML_CHECKPOINTS"]}
        request = parse({**REST, **contract.paths("azure", ["train"], ["model", "report"])}, environ)
        self.assertEqual(request.inputs, {"train": "/mnt/CLOUDML_INPUT_TRAIN"})
        self.assertEqual(request.outputs["report"], "/mnt/CLOUDML_OUTPUT_REPORT")

    def test_roots_can_be_moved(self):
        environ = {"CLOUDML_GCS": "/tmp/g", "CLOUDML_OPT_ML": "/tmp/o"}
        for path, expected in {
            "gs://b/x": "/tmp/g/b/x", "/gcs/b/x": "/tmp/g/b/x", "/opt/ml/model": "/tmp/o/model",
            "/opt/mlx": "/opt/mlx", "file:///a/b": "/a/b", "/a": "/a",
        }.items():  # fmt: skip
            self.assertEqual(contract.located(path, environ), expected)

    def test_a_file_below_gcs_cannot_grow(self):
        self.assertFalse(contract.appends("/gcs/b/x", {}))
        self.assertTrue(contract.appends("/data/x", {}))

    def test_opt_ml_is_used_on_sagemaker_only(self):
        with tempfile.TemporaryDirectory() as root:
            self.assertEqual(contract.opt_ml({"CLOUDML_OPT_ML": root, "CLOUDML_PROVIDER": "aws"}), root)
            self.assertIsNone(contract.opt_ml({"CLOUDML_OPT_ML": root}))
            self.assertIsNone(contract.opt_ml({"CLOUDML_OPT_ML": root + "/absent", "CLOUDML_PROVIDER": "aws"}))

    def test_hosts_come_from_the_provider(self):
        for place in ("/input/config", "/config"):  # of a training job, of a processing job
            with tempfile.TemporaryDirectory() as root:
                os.makedirs(root + place)
                with open(root + place + "/resourceconfig.json", "w") as file:
                    json.dump({"hosts": ["algo-1", "algo-2"], "current_host": "algo-2"}, file)
                environ = {"CLOUDML_OPT_ML": root, "CLOUDML_PROVIDER": "aws"}
                self.assertEqual(contract.hosts(environ), (["algo-1", "algo-2"], "algo-2"))
        pools = {"workerpool0": ["a:2222"], "workerpool1": ["b:2222", "c:2222"]}
        spec = {"cluster": pools, "task": {"type": "workerpool1", "index": 1}}
        environ = {"CLOUDML_PROVIDER": "gcp", "CLUSTER_SPEC": json.dumps(spec)}
        self.assertEqual(contract.hosts(environ), (["a", "b", "c"], "c"))

    def test_the_failure_text_keeps_the_reason_and_the_end_of_the_tail(self):
        text = contract.failure_text("why", "x" * 5000 + "end")
        self.assertEqual(len(text), contract.FAILURE_CHARACTERS)
        self.assertTrue(text.startswith("why\nx") and text.endswith("xend"))
        self.assertEqual(contract.failure_text("y" * 2000, "tail"), "y" * 1024)
        self.assertEqual(contract.failure_text("y" * 1023, "tail"), "y" * 1023)
