"""The job as its script sees it, under the driver, by hand, and in the calling process."""

import contextlib
import io
import json
import math
import os
import subprocess
import sys
import unittest
from pathlib import Path

from driving import JobCase, clean_environment

from cloudml import runtime
from cloudml.runtime import plain
from cloudml.runtime.named import UnknownNameError


def ended(error):
    """End as a script does that raises *error*."""
    if error is not None:
        raise error


class RunningTest(JobCase):
    """In the calling process."""

    def setUp(self):
        super().setUp()
        before = dict(os.environ)
        for name in set(before) - set(clean_environment()):
            del os.environ[name]
        self.addCleanup(os.environ.update, before)

    def entered(self, **changes):
        changes.setdefault("inputs", {"train": str(self.home)})
        changes.setdefault("outputs", {"model": str(self.home / "model")})
        return runtime.running(self.request("", **changes))

    def test_the_job_has_what_the_request_says(self):
        parameters = {"max_iter": 200, "rate": 0.1, "flag": True, "text": "1"}
        with self.entered(parameters=parameters, environment={"K": "v"}, resource="jobs.train") as job:
            self.assertIs(runtime.job(), job)
            self.assertIsInstance(job, runtime.Job)
            self.assertEqual((job.name, job.resource), ("flights-train-3fa9c1d2e4", "jobs.train"))
            self.assertEqual(job.inputs, {"train": self.home})
            self.assertEqual(job.outputs, {"model": self.home / "model"})
            self.assertEqual(dict(job.parameters), parameters)
            self.assertEqual([type(value) for value in job.parameters.values()], [int, float, bool, str])
            self.assertTrue(job.outputs["model"].is_dir() and job.checkpoints.is_dir() and job.record.is_dir())
            self.assertEqual((job.environment, job.hosts, job.current_host), ({"K": "v"}, ("localhost",), "localhost"))
            self.assertIn("train", repr(job))

    def test_an_unknown_name_tells_what_there_is_and_the_nearest(self):
        with self.entered(parameters={"max_iter": 1}) as job:
            for mapping, name, words in (
                (job.inputs, "trian", ("input `trian`", "did you mean `train`?", "it has: `train`")),
                (job.outputs, "report", ("output `report`", "it has: `model`")),
                (job.parameters, "max_itr", ("parameter `max_itr`", "`max_iter`")),
            ):
                with self.assertRaises(KeyError) as caught:
                    mapping[name]
                self.assertIsInstance(caught.exception, UnknownNameError)
                for word in words:
                    self.assertIn(word, str(caught.exception))
            self.assertEqual(job.parameters.get("absent", 5), 5)
            self.assertNotIn("absent", job.parameters)

    def test_metrics_are_kept_and_printed(self):
        with contextlib.redirect_stdout(io.StringIO()) as printed, self.entered() as job:
            job.log_metric("auc", 0.74)
            job.log_metric("loss", math.nan, step=2)
            job.log_metric("rows", 10**6)
            job.log_metric("zero", -0.0)
        self.assertEqual(printed.getvalue().splitlines(), [
            "cloudml-metric auc=0.74", "cloudml-metric loss=nan", "cloudml-metric rows=1000000.0",
            "cloudml-metric zero=-0.0",
        ])  # fmt: skip
        self.assertEqual([(point.name, point.step) for point in self.record().points],
                         [("auc", None), ("loss", 2), ("rows", None), ("zero", None)])  # fmt: skip
        self.assertTrue(math.isnan(self.record().metrics["loss"]))

    def test_a_metric_without_a_proper_name_or_value_is_refused(self):
        with self.entered() as job:
            for name in ("", "a b", "a=b", "a\n"):
                with self.assertRaises(ValueError):
                    job.log_metric(name, 1)
            for value in (None, [1], {}):
                with self.assertRaises(TypeError):
                    job.log_metric("a", value)
        self.assertEqual(self.record().points, ())

    def test_everything_is_put_back(self):
        before = dict(os.environ), os.getcwd(), sys.argv, list(sys.path), list(sys.modules)
        self.write("src/beside.py", "VALUE = 1")
        with self.entered(parameters={"a": 1}, environment={"K": "v", "HOME": "/x"}):
            import beside

            self.assertEqual(beside.VALUE, 1)
            self.assertEqual(os.environ["SM_MODEL_DIR"], str(self.home / "model"))
            self.assertEqual((os.environ["K"], os.environ["HOME"], os.getcwd()), ("v", "/x", str(self.source)))
            self.assertEqual(sys.argv, [str(self.source / "train.py"), "--a", "1"])
            self.assertTrue(Path(os.environ["CLOUDML_REQUEST"]).exists())
        after = dict(os.environ), os.getcwd(), sys.argv, list(sys.path)
        self.assertEqual(after, before[:4])
        self.assertNotIn("beside", sys.modules)

    def test_jobs_may_be_nested(self):
        with self.entered() as outer:
            with runtime.running(self.request("", name="inner", record=str(self.home / "other"))) as inner:
                self.assertIs(runtime.job(), inner)
            self.assertIs(runtime.job(), outer)

    def test_a_process_that_the_job_starts_has_the_same_job(self):
        with self.entered(parameters={"a": 1.5}):
            shown = subprocess.check_output(
                [sys.executable, "-c", "from cloudml import runtime; print(runtime.job().parameters)"]
            )
        self.assertEqual(shown.strip(), b"{'a': 1.5}")

    def test_the_record_tells_how_it_ended(self):
        for error, state, code, word in (
            (None, "succeeded", 0, ""), (SystemExit(0), "succeeded", 0, ""), (SystemExit(), "succeeded", 0, ""),
            (SystemExit(3), "failed", 3, "exit code 3"), (SystemExit("no rows"), "failed", 1, "no rows"),
            (ValueError("bad"), "failed", 1, "ValueError: bad"),
            (KeyboardInterrupt(), "cancelled", None, "interrupted"),
        ):  # fmt: skip
            with contextlib.ExitStack() as stack:
                if error is not None:
                    stack.enter_context(self.assertRaises(type(error)))
                stack.enter_context(self.entered())
                self.assertEqual(self.record().state, "running")
                ended(error)
            found = self.record()
            self.assertEqual((found.state, found.exit_code), (state, code))
            self.assertIn(word, found.reason)
        self.assertIn("python", found.versions)


class PlainTest(JobCase):
    """With nothing but Python."""

    def by_hand(self, script, *argv, **environ):
        path = self.write("src/train.py", "from cloudml import runtime\njob = runtime.job()\n" + script)
        done = subprocess.run(
            [sys.executable, str(path), *argv], cwd=str(self.home), env=dict(clean_environment(), **environ),
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60, check=False,
        )  # fmt: skip
        text = done.stdout.decode("utf-8")
        self.assertEqual(done.returncode, 0, text)
        return text

    def test_names_come_from_the_command_line_and_the_environment(self):
        script = (
            "import json; print(json.dumps([job.name, job.parameters, {k: str(v) for k, v in job.inputs.items()}]))"
        )
        shown = self.by_hand(
            script, "--max-iter", "200", "--rate=0.5", "--flag", "--note", "a b", "--train", str(self.home),
            CLOUDML_INPUT_TEST="data",
        )  # fmt: skip
        name, parameters, inputs = json.loads(shown)
        self.assertEqual(name, "train")
        self.assertEqual(parameters, {"max_iter": 200, "rate": 0.5, "flag": True, "note": "a b"})
        self.assertEqual(inputs, {"train": str(self.home), "test": str(self.home / "data")})

    def test_any_output_is_a_folder(self):
        self.by_hand(
            "(job.outputs['model'] / 'm').write_text('x'); assert job.outputs['model'] is job.outputs['model']"
        )
        self.assertEqual((self.home / "outputs" / "model" / "m").read_text(), "x")

    def test_a_second_run_starts_its_metrics_anew(self):
        for value in (1.0, 2.0):
            self.by_hand("job.log_metric('a', %r); assert runtime.job() is job" % value)
        self.place = self.home / "outputs" / "_cloudml"
        self.assertEqual(self.record().metrics, {"a": 2.0})
        self.assertEqual(len(self.record().points), 1)

    def test_the_package_has_the_names_it_promises_and_no_others(self):
        self.assertEqual(
            {name for name in runtime.__all__ if getattr(runtime, name).__name__ == name}, set(runtime.__all__)
        )
        self.assertLessEqual(set(runtime.__all__), set(dir(runtime)))
        with self.assertRaisesRegex(AttributeError, "`jbo`"):
            runtime.jbo  # noqa: B018 - the error is the point

    def test_importing_does_nothing(self):
        subprocess.check_call(
            [sys.executable, "-c", "from cloudml import runtime"], cwd=str(self.home), env=clean_environment()
        )
        self.assertFalse((self.home / "outputs").exists())

    def test_an_interactive_session_has_a_job_too(self):
        code = "from cloudml import runtime; print(runtime.job().name)"
        shown = subprocess.check_output([sys.executable, "-c", code], cwd=str(self.home), env=clean_environment())
        self.assertEqual(shown.strip(), b"notebook")

    def test_texts_are_typed_by_their_looks(self):
        for text, value in {
            "1": 1, "-1": -1, "1e3": 1000.0, "true": True, "False": False, "a": "a", "": "", "null": "null",
            "[1]": "[1]", "007": "007", "1.5": 1.5,
        }.items():  # fmt: skip
            found = plain.typed(text)
            self.assertEqual((found, type(found)), (value, type(value)))

    def test_a_project_gives_its_values(self):
        """With a stand-in for the part of cloudml that reads projects, which old Pythons cannot load."""
        root = Path(runtime.__file__).parent.parent
        stand = self.home / "stand" / "cloudml"
        stand.mkdir(parents=True)
        (stand / "__init__.py").write_text("__path__.append(%r)" % str(root))
        request = self.request(
            parameters={"max_iter": 200, "rate": 0.1}, outputs={"model": str(self.home / "o")}, environment={"K": "v"}
        )
        (stand / "workbench.py").write_text(
            "def job_request(script):\n    return %r if script.endswith('train.py') else None" % request
        )
        script = "import os; print(job.name, dict(job.parameters), list(job.outputs), os.environ['K'])"
        shown = self.by_hand(script, "--max_iter", "5", "--verbose", PYTHONPATH=str(stand.parent))
        self.assertEqual(shown, "flights-train-3fa9c1d2e4 {'max_iter': 5, 'rate': 0.1} ['model'] v\n")
        self.assertTrue((self.home / "o").is_dir())
        (stand / "workbench.py").write_text("import absent_package")
        self.assertEqual(self.by_hand("print(job.name)", PYTHONPATH=str(stand.parent)), "train\n")


if __name__ == "__main__":
    unittest.main()
