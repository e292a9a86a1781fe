"""The variables that a script finds."""

import json
import os
import unittest

from cloudml.runtime.request import Request
from cloudml.runtime.variables import AZURE, SAGEMAKER, VERTEX, Scene, config_files, python_path, variables

REQUEST = Request(
    name="job-1",
    script="pkg/train.py",
    source="/src",
    record="/r",
    inputs={"train-set": "/in/train"},
    outputs={"model": "/out/model", "report": "/out/report"},
    parameters={"max_iter": 200, "flag": True, "text": "a b", "none": None, "list": [1]},
    environment={"K": "v"},
    checkpoints="/c",
    hosts=("a", "b"),
    current_host="b",
)
SCENE = Scene(REQUEST, "/tmp/x", "/tmp/x/input", "/r/output", ["--max_iter", "200"], 4, 1)


class VariablesTest(unittest.TestCase):
    def made(self, environ=None, request=REQUEST):
        return variables(SCENE._replace(request=request), environ or {})[0]

    def test_sagemaker_scripts_find_theirs(self):
        made = self.made()
        expected = {
            "SM_MODEL_DIR": "/out/model", "SM_CHANNELS": '["train-set"]', "SM_CHANNEL_TRAIN-SET": "/in/train",
            "SM_CHANNEL_TRAIN_SET": "/in/train", "SM_HP_MAX_ITER": "200", "SM_HP_FLAG": "true", "SM_HP_TEXT": "a b",
            "SM_HP_NONE": "", "SM_HP_LIST": "[1]", "SM_HOSTS": '["a","b"]', "SM_CURRENT_HOST": "b", "SM_NUM_CPUS": "4",
            "SM_NUM_GPUS": "1", "SM_INPUT_DIR": "/tmp/x/input", "SM_OUTPUT_DATA_DIR": "/r/output/data",
            "SM_MODULE_NAME": "pkg.train", "SM_USER_ENTRY_POINT": "pkg/train.py",
            "SM_USER_ARGS": '["--max_iter","200"]',
        }  # fmt: skip
        self.assertEqual({name: made.get(name) for name in expected}, expected)
        self.assertEqual(json.loads(made["SM_HPS"]), REQUEST.parameters)
        training = json.loads(made["SM_TRAINING_ENV"])
        self.assertEqual(
            (training["hosts"], training["master_hostname"], training["is_master"]), (["a", "b"], "a", False)
        )
        self.assertEqual(json.loads(made["SM_RESOURCE_CONFIG"])["current_host"], "b")

    def test_vertex_scripts_find_theirs(self):
        made = self.made()
        self.assertEqual([made["AIP_MODEL_DIR"], made["AIP_CHECKPOINT_DIR"], made["AIP_TENSORBOARD_LOG_DIR"]],
                         ["/out/model/", "/c/", "/r/tensorboard/"])  # fmt: skip
        spec = json.loads(made["CLUSTER_SPEC"])
        self.assertEqual(spec["cluster"], {"workerpool0": ["a:2222"], "workerpool1": ["b:2222"]})
        self.assertEqual(spec["task"], {"type": "workerpool1", "index": 0})

    def test_azure_scripts_find_theirs(self):
        made = self.made()
        self.assertEqual([made["AZUREML_RUN_ID"], made["AZURE_ML_INPUT_train-set"], made["AZURE_ML_OUTPUT_report"]],
                         ["job-1", "/in/train", "/out/report"])  # fmt: skip

    def test_shell_scripts_find_ours(self):
        made = self.made()
        self.assertEqual([made["CLOUDML_INPUT_TRAIN_SET"], made["CLOUDML_OUTPUT_MODEL"], made["CLOUDML_RECORD"],
                          made["CLOUDML_CHECKPOINTS"], made["CLOUDML_REQUEST"], made["K"]],
                         ["/in/train", "/out/model", "/r", "/c", "/tmp/x/request.json", "v"])  # fmt: skip

    def test_without_a_model_no_model_folder_is_told(self):
        made = self.made({"SM_X": "kept"}, Request("n", "s.py", "/s", "/r", hosts=("h",), current_host="h"))
        self.assertFalse({"SM_MODEL_DIR", "AIP_MODEL_DIR"} & set(made))
        self.assertEqual(made["SM_X"], "kept")

    def test_a_providers_own_variables_stay_on_its_machines_only(self):
        for provider, table in (("aws", SAGEMAKER), ("gcp", VERTEX), ("azure", AZURE)):
            for name in table:
                environ = {name: "native"}
                self.assertNotEqual(self.made(environ)[name], "native")
                self.assertEqual(self.made(dict(environ, CLOUDML_PROVIDER=provider))[name], "native")
                self.assertNotEqual(self.made(dict(environ, CLOUDML_PROVIDER="other"))[name], "native")

    def test_the_jobs_environment_wins(self):
        self.assertEqual(self.made({"K": "other", "L": "kept"})["K"], "v")
        self.assertEqual(self.made({"K": "other", "L": "kept"})["L"], "kept")

    def test_what_no_variable_can_hold_is_left_out_and_told(self):
        request = Request(
            "n", "s.py", "/s", "/r", parameters={"big": "x" * 100_001, "nul": "\0"}, hosts=("h",), current_host="h"
        )
        made, left_out = variables(SCENE._replace(request=request), {})
        self.assertEqual(left_out, ["SM_HPS", "SM_HP_BIG", "SM_HP_NUL", "SM_TRAINING_ENV"])
        self.assertFalse(set(left_out) & set(made))

    def test_all_variables_together_stay_under_the_limit(self):
        request = Request(
            "n",
            "s.py",
            "/s",
            "/r",
            parameters={"p%d" % i: "x" * 90_000 for i in range(30)},
            hosts=("h",),
            current_host="h",
        )
        self.assertLess(sum(map(len, self.made({}, request).values())), 600_000)

    def test_the_config_files_are_sagemakers(self):
        files = config_files(REQUEST)
        self.assertEqual(files["hyperparameters.json"]["max_iter"], "200")
        self.assertEqual(files["resourceconfig.json"]["hosts"], ["a", "b"])
        self.assertEqual(list(files["inputdataconfig.json"]), ["train-set"])

    def test_the_users_code_goes_before_everything_and_cloudml_last(self):
        request = Request("n", "s.py", "/src", "/r", site="/site")
        self.assertEqual(python_path(request, {"PYTHONPATH": os.pathsep.join(["/a", "", "/src"])}, "/root"),
                         os.pathsep.join(["/src", "/site", "/a", "/root"]))  # fmt: skip

    def test_a_root_that_python_knows_is_not_put_before_the_standard_library(self):
        import site

        known = site.getsitepackages()[0]
        self.assertEqual(python_path(Request("n", "s.py", "/src", "/r"), {}, known), "/src")
