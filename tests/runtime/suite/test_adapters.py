"""Models of every make, with nothing installed but Python."""

import json
import os
import pickle
import sys
import tempfile
import textwrap
import unittest
from pathlib import Path

from cloudml.runtime import answering, mlmodel
from cloudml.runtime.adapters import Foreign, ModelError, load
from cloudml.runtime.refusal import BadRequest

NEUTRAL = """
    class Predictor:
        def __init__(self, model):
            self.factor = float((model / "factor.txt").read_text())

        def predict(self, instances):
            return [self.factor * sum(row) for row in instances]
"""
FOUR_FUNCTIONS = """
    import json, os

    def model_fn(model_dir):
        with open(os.path.join(model_dir, "factor.txt")) as file:
            return float(file.read())

    def input_fn(body, content_type):
        assert isinstance(body, str), type(body)
        return json.loads(body)["instances"]

    def predict_fn(rows, model, context):
        assert context.system_properties["model_dir"]
        return [model * sum(row) for row in rows]

    def output_fn(predictions, accept):
        return json.dumps({"predictions": predictions}), accept
"""
TRANSFORM = """
    import json, os

    def model_fn(model_dir):
        with open(os.path.join(model_dir, "factor.txt")) as file:
            return float(file.read())

    def transform_fn(model, body, content_type, accept):
        return json.dumps([model * sum(row) for row in json.loads(body)["instances"]])
"""
DEFAULTS = """
    class Model:
        def __init__(self, factor):
            self.factor = factor

        def predict(self, rows):
            return [self.factor * sum(row) for row in rows]

    def model_fn(model_dir):
        with open(model_dir + "/factor.txt") as file:
            return Model(float(file.read()))
"""
AZURE = """
    import json, os

    def init():
        global factor
        with open(os.path.join(os.environ["AZUREML_MODEL_DIR"], "factor.txt")) as file:
            factor = float(file.read())

    def run(raw_data):
        return [factor * sum(row) for row in json.loads(raw_data)["instances"]]
"""
VERTEX = """
    class Predictor:
        def load(self, artifacts_uri):
            with open(artifacts_uri + "/factor.txt") as file:
                self.factor = float(file.read())

        def preprocess(self, request):
            return request["instances"]

        def predict(self, rows):
            return [self.factor * sum(row) for row in rows]

        def postprocess(self, predictions):
            return {"predictions": predictions}
"""
SCRIPTS = (
    ("predict.py", NEUTRAL, "predictor"),
    ("inference.py", FOUR_FUNCTIONS, "sagemaker"),
    ("inference.py", TRANSFORM, "sagemaker"),
    ("inference.py", DEFAULTS, "sagemaker"),
    ("score.py", AZURE, "azure"),
    ("predictor.py", VERTEX, "vertex"),
)


class Summing:
    """What is pickled here."""

    def predict(self, rows):
        return [sum(row) for row in rows]


class FolderCase(unittest.TestCase):
    def setUp(self):
        kept = tempfile.TemporaryDirectory()
        self.addCleanup(kept.cleanup)
        self.folder = Path(kept.name)
        before = dict(os.environ), list(sys.path)
        self.addCleanup(
            lambda: (os.environ.clear(), os.environ.update(before[0]), sys.path.__setitem__(slice(None), before[1]))
        )
        self.write("model/factor.txt", "2")
        self.model_dir = self.folder / "model"

    def write(self, name, text):
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text))
        return path

    def neutral(self, body):
        self.write(
            "model/predict.py",
            "class Predictor:\n    def __init__(self, model): pass\n" + textwrap.indent(body, "    "),
        )
        return load(self.model_dir)


class LoadTest(FolderCase):
    def test_code_of_every_cloud_gives_the_same_predictions(self):
        for name, text, kind in SCRIPTS:
            with self.subTest(name=name, text=text):
                script = self.write("model/" + name, text)
                model = load(self.model_dir)
                script.unlink()
                self.assertEqual((model.kind, model.describe()["kind"]), (kind, kind))
                self.assertEqual(model.predict([[1, 2], [3, 4]]), [6.0, 14.0])
                self.assertEqual(isinstance(model, Foreign), kind != "predictor")
                if isinstance(model, Foreign):
                    answer = model.invoke(b'{"instances": [[1, 2], [3, 4]]}', "application/json", "application/json")
                    found = json.loads(answer.body)
                    self.assertEqual(found["predictions"] if isinstance(found, dict) else found, [6.0, 14.0])

    def test_code_is_found_in_its_folder_then_in_that_of_the_model(self):
        self.write("model/code/predict.py", NEUTRAL)
        self.assertEqual(load(self.model_dir).predict([[1]]), [2.0])
        self.write("source/predict.py", NEUTRAL.replace("self.factor *", "-"))
        self.assertEqual(load(self.model_dir, None, self.folder / "source").predict([[1]]), [-1])
        self.write("source/other.py", NEUTRAL.replace("class Predictor", "class Other"))
        self.assertEqual(load(self.model_dir, "other.py:Other", self.folder / "source").predict([[1]]), [2.0])

    def test_a_named_file_without_a_class_is_known_by_its_functions(self):
        self.write("model/serve.py", TRANSFORM)
        self.assertEqual(load(self.model_dir, "serve.py").kind, "sagemaker")
        self.write("model/serve.py", AZURE)
        self.assertEqual(load(self.model_dir, "serve").kind, "azure")

    def test_two_models_may_have_modules_of_one_name(self):
        for folder, value in (("one", 1), ("two", 2)):
            self.write(folder + "/features.py", "VALUE = %d" % value)
            self.write(
                folder + "/predict.py",
                """
                from features import VALUE
                class Predictor:
                    def __init__(self, model): pass
                    def predict(self, instances): return [VALUE for _ in instances]
                """,
            )
            self.assertEqual(load(self.model_dir, None, self.folder / folder).predict([0]), [value])

    def test_what_cannot_be_served_is_refused_with_what_was_found(self):
        with self.assertRaisesRegex(ModelError, "factor.txt"):
            load(self.model_dir)
        with self.assertRaisesRegex(ModelError, "no model folder .*nowhere"):
            load(self.folder / "nowhere")
        self.write("model/score.py", AZURE)
        with self.assertRaisesRegex(ModelError, r"no predict\.py .*score\.py"):
            load(self.model_dir, "predict.py:Predictor")
        with self.assertRaisesRegex(ModelError, "has no class Predictor"):
            load(self.model_dir, "score.py:Predictor")
        self.write("model/inference.py", TRANSFORM)
        with self.assertRaisesRegex(ModelError, r"inference\.py, score\.py"):
            load(self.model_dir)
        self.write("model/empty.py", "")
        with self.assertRaisesRegex(ModelError, "neither model_fn, nor init"):
            load(self.model_dir, "empty.py")

    def test_two_model_files_are_one_too_many(self):
        for name in ("a.pkl", "b.joblib"):
            self.write("model/" + name, "")
        with self.assertRaisesRegex(ModelError, r"a\.pkl, b\.joblib"):
            load(self.model_dir)

    def test_transform_fn_does_its_work_alone(self):
        self.write("model/inference.py", TRANSFORM + "\n    def output_fn(predictions, accept): pass\n")
        with self.assertRaisesRegex(ModelError, "transform_fn and output_fn"):
            load(self.model_dir)

    def test_a_package_that_is_missing_is_named(self):
        for name, package in (("m.joblib", "joblib"), ("m.skops", "skops"), ("m.bst", "xgboost")):
            path = self.write("model/" + name, "")
            hidden = {package: None, package + ".io": None}
            before = {key: sys.modules.pop(key, None) for key in hidden}
            sys.modules.update(hidden)
            try:
                with self.assertRaisesRegex(ModelError, r"%s needs the package `%s`" % (name, package)):
                    load(self.model_dir)
            finally:
                for key in hidden:
                    del sys.modules[key]
                sys.modules.update({key: value for key, value in before.items() if value is not None})
                path.unlink()

    def test_a_pickle_alone_or_one_folder_deeper_is_a_model(self):
        sys.modules.setdefault("test_adapters", sys.modules[__name__])
        for name in ("model", "model/registered"):
            path = self.folder / name / "model.pkl"
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(pickle.dumps(Summing()))
            model = load(self.model_dir)
            path.unlink()
            self.assertEqual((model.kind, model.predict([[1, 2], [3, 4]])), ("sklearn", [3, 7]))
            with self.assertRaisesRegex(BadRequest, "no parameters"):
                model.predict([[1]], {"k": 1})

    def test_the_text_of_a_request_reaches_azure_with_its_headers(self):
        self.write(
            "model/score.py",
            """
            def init(): pass
            def run(data, request_headers): return data + request_headers["x-name"]
            """,
        )
        answer = load(self.model_dir).invoke("é".encode(), "text/plain", None, {"x-name": "n"})
        self.assertEqual(json.loads(answer.body), "én")

    def test_a_body_that_is_no_text_reaches_sagemaker_as_bytes(self):
        self.write(
            "model/inference.py",
            """
            def model_fn(model_dir): return None
            def transform_fn(model, body, content_type, accept): return body[::-1], content_type
            """,
        )
        self.assertEqual(load(self.model_dir).invoke(b"\xff1", "image/png", "*/*"), (b"1\xff", "image/png"))

    def test_a_status_that_the_script_chose_is_kept(self):
        self.write(
            "model/inference.py",
            """
            class Refusal(Exception):
                def __init__(self, status_code, message):
                    self.status_code, self.message = status_code, message
            def model_fn(model_dir): return None
            def transform_fn(model, body, content_type, accept): raise Refusal(int(body), "so it is")
            """,
        )
        model = load(self.model_dir)
        self.assertEqual(answering.answer(model, b"422").status, 422)
        self.assertEqual(answering.answer(model, b"415").status, 415)
        with self.assertLogs("cloudml.serving", "ERROR"):
            self.assertEqual(answering.answer(model, b"503").status, 500)

    def test_parameters_reach_a_predictor_that_takes_them(self):
        model = self.neutral("def predict(self, instances, parameters): return [parameters.get('k')] * len(instances)")
        self.assertEqual((model.predict([1], {"k": 3}), model.predict([1])), ([3], [None]))


class AnswerTest(FolderCase):
    def answer(self, model, body, **said):
        reply = answering.answer(model, json.dumps(body).encode(), **said)
        return reply.status, json.loads(reply.body)

    def error(self, model, instances, status=400):
        found, body = self.answer(model, {"instances": instances})
        self.assertEqual(found, status, body)
        return body["error"]

    def test_a_row_that_is_at_fault_alone_is_named(self):
        model = self.neutral("def predict(self, instances): return [float(row) for row in instances]")
        for count in (1, 2, 7, 100):
            for bad in {0, count // 2, count - 1}:
                rows = ["x" if index == bad else 1 for index in range(count)]
                error = self.error(model, rows)
                self.assertEqual((error["row"], error["code"]), (bad, "bad_request"))
                self.assertIn("row %d: could not convert" % bad, error["message"])

    def test_a_missing_field_and_an_unknown_value_are_named(self):
        model = self.neutral("def predict(self, instances): return [{'a': 1}[row['kind']] for row in instances]")
        missing, unknown = self.error(model, [{"kind": "a"}, {}]), self.error(model, [{"kind": "z"}])
        self.assertEqual((missing["row"], missing["field"]), (1, "kind"))
        self.assertEqual((unknown["field"], unknown["message"]), ("kind", "row 0: the value of `kind` is not known"))

    def test_what_is_not_the_callers_fault_tells_nothing(self):
        for body in (
            "def predict(self, instances): raise RuntimeError('secret /etc/x')",
            "def predict(self, instances): raise SystemExit('secret')",
            "def predict(self, instances): return [1]",
            "def predict(self, instances): return 5",
            "def predict(self, instances):\n    if len(instances) > 1: raise ValueError('secret')\n    return [1]",
            "def predict(self, instances): return [object()] * len(instances)",
            "def predict(self, instances): return open('/secret/none')",
        ):
            with self.subTest(body=body), self.assertLogs("cloudml.serving", "ERROR") as logged:
                error = self.error(self.neutral(body), [1, 2], 500)
                self.assertEqual(set(error), {"code", "message", "request_id"})
                self.assertNotIn("secret", error["message"])
                self.assertIn(error["request_id"], logged.output[0])
                self.assertIn("Traceback", logged.output[0])

    def test_a_path_in_the_words_of_a_predictor_is_not_passed_on(self):
        model = self.neutral("def predict(self, instances): raise ValueError('no /opt/ml/model/x')")
        self.assertEqual(self.error(model, [1])["message"], "row 0: the model refuses it (ValueError)")

    def test_a_predictor_may_refuse_by_itself(self):
        model = self.neutral(
            "def predict(self, instances):\n"
            "    from cloudml.runtime.refusal import BadRequest\n"
            "    raise BadRequest('too old', row=1, field='age')"
        )
        error = self.error(model, [1, 2])
        self.assertEqual((error["message"], error["row"], error["field"]), ("row 1: too old", 1, "age"))

    def test_no_instances_give_no_predictions(self):
        model = self.neutral("def predict(self, instances): return [1 for _ in instances]")
        self.assertEqual(self.answer(model, {"instances": []}), (200, {"predictions": []}))


class MlmodelTest(unittest.TestCase):
    def test_the_file_is_read_as_mlflow_writes_it(self):
        text = textwrap.dedent("""\
            artifact_path: model
            flavors:
              python_function:
                env:
                  conda: conda.yaml
                  virtualenv: python_env.yaml
                loader_module: mlflow.sklearn
                predict_fn: "predict_proba"
                python_version: 3.11.7
              sklearn:
                code: null
                pickled_model: model.pkl
            mlflow_version: 2.16.0
            saved_input_example_info:
              artifact_path: input_example.json
              type: ndarray
            signature:
              inputs: '[{"type": "double", "name": "it''s", "required":
                flavors: true}, {"type": "long", "name": "b", "required": true}]'
              params: null
            utc_time_created: '2026-01-02 03:04:05.678901'
        """)
        found = mlmodel.parse(text)
        self.assertEqual(found["flavors"]["sklearn"], {"code": None, "pickled_model": "model.pkl"})
        self.assertEqual(found["flavors"]["python_function"]["env"]["virtualenv"], "python_env.yaml")
        self.assertEqual(found["flavors"]["python_function"]["predict_fn"], "predict_proba")
        self.assertEqual(found["utc_time_created"], "2026-01-02 03:04:05.678901")
        self.assertEqual(list(found["flavors"]), ["python_function", "sklearn"])


if __name__ == "__main__":
    unittest.main()
