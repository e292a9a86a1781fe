"""The shim under no toolkit at all; tests/providers/aws/toolkits has the real ones."""

import contextlib
import io
import json
import tempfile
import unittest
from pathlib import Path

from cloudml.runtime.refusal import ModelError
from cloudml.runtime.shims import sagemaker

PREDICTOR = """
import json
from offset import OFFSET

class Predictor:
    def __init__(self, model):
        self.mean = json.loads((model / "model.json").read_text())["mean"]

    def predict(self, instances):
        return [row["x"] - self.mean + OFFSET for row in instances]
"""
JSON, CSV, LINES = "application/json", "text/csv", "application/jsonlines"


class Served(unittest.TestCase):
    def setUp(self):
        holder = tempfile.TemporaryDirectory()
        self.addCleanup(holder.cleanup)
        self.folder = Path(holder.name)
        self.write("model.json", '{"mean": 2.5}')
        self.write("code/inference.py", "raise AssertionError('the shim is not the model')")
        self.write("code/source/predict.py", PREDICTOR)
        self.write("code/source/offset.py", "OFFSET = 0.5")
        self.write("code/cloudml.json", '{"predictor": "predict.py:Predictor", "source": "source"}')

    def write(self, path, text):
        (self.folder / path).parent.mkdir(parents=True, exist_ok=True)
        (self.folder / path).write_text(text)

    def load(self):
        with contextlib.redirect_stdout(io.StringIO()) as said:
            model = sagemaker.load(str(self.folder))
        self.said = said.getvalue()
        return model

    def test_the_named_predictor_answers_text_and_bytes_alike(self):
        model = self.load()
        for data in (
            '{"instances": [{"x": 3}]}',
            b'{"instances": [{"x": 3}]}',
            bytearray(b'{"instances": [{"x": 3}]}'),
        ):
            self.assertEqual(sagemaker.transform(model, data, JSON, JSON), ('{"predictions":[1.0]}', JSON))
        self.assertIn("predictor", self.said)

    def test_other_formats_and_charsets_are_understood(self):
        model = self.load()
        self.assertEqual(
            sagemaker.transform(model, "x\n3\n4\n", "text/csv; charset=utf-8", LINES), ("1.0\n2.0\n", LINES)
        )
        body, kind = sagemaker.transform(model, b'{"x": 3}\n{"x": 4}\n', LINES, "*/*")
        self.assertEqual((body, kind), ("1.0\n2.0\n", LINES))
        body, kind = sagemaker.transform(model, "x\n3\n", CSV, "*/*")
        self.assertEqual((body.split(), kind.partition(";")[0]), (["1.0"], CSV))

    def test_a_refusal_carries_status_and_the_row(self):
        with self.assertRaises(sagemaker.Refused) as caught:
            sagemaker.transform(self.load(), '{"instances": [{"x": 1}, {"y": 1}]}', JSON, JSON)
        said = json.loads(caught.exception.message)["error"]
        self.assertEqual((caught.exception.status_code, said["row"], said["field"]), (400, 1, "x"))
        self.assertNotIn("\n", caught.exception.message)

    def test_a_request_for_nothing_is_answered(self):
        self.assertEqual(sagemaker.transform(self.load(), '{"instances": []}', JSON, JSON)[0], '{"predictions":[]}')

    def test_the_models_own_script_is_found_beside_the_shim(self):
        self.write("code/cloudml.json", '{"predictor": null, "source": null}')
        self.write("predict.py", PREDICTOR.replace("from offset import OFFSET", "OFFSET = 1.5"))
        self.assertEqual(
            sagemaker.transform(self.load(), '{"instances": [{"x": 3}]}', JSON, JSON)[0], '{"predictions":[2.0]}'
        )

    def test_a_model_one_folder_deeper_is_found_beside_the_shim(self):
        self.write("code/cloudml.json", '{"predictor": null, "source": null}')
        (self.folder / "model.json").unlink()
        self.write("saved/model.json", '{"mean": 1}')
        self.write("saved/predict.py", PREDICTOR.replace("from offset import OFFSET", "OFFSET = 0"))
        self.assertEqual(
            sagemaker.transform(self.load(), '{"instances": [{"x": 3}]}', JSON, JSON)[0], '{"predictions":[2]}'
        )

    def test_what_cannot_be_served_is_listed(self):
        self.write("code/cloudml.json", '{"predictor": null, "source": null}')
        with self.assertRaisesRegex(ModelError, "model.json"):
            self.load()


if __name__ == "__main__":
    unittest.main()
