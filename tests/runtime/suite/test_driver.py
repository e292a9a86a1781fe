"""The driver, run as a process."""

import json
import os
import subprocess
import unittest

from driving import JobCase, clean_environment, eventually

SHOW = """
    import json, os, sys
    from cloudml import runtime
    job = runtime.job()
    json.dump({"argv": sys.argv[1:], "parameters": job.parameters, "cwd": os.getcwd(), "env": dict(os.environ)},
              open(os.path.join(os.environ["OUT"], "seen.json"), "w"))
"""


class DriverTest(JobCase):
    def show(self, **changes):
        """What a script sees, from inside."""
        changes.setdefault("environment", {})["OUT"] = str(self.home)
        done = self.drive(self.request(SHOW, **changes))
        self.assertEqual(done.returncode, 0, self.seen)
        return json.loads((self.home / "seen.json").read_text(encoding="utf-8"))

    def test_parameters_arrive_unchanged_and_with_their_types(self):
        parameters = {
            "max_iter": 200, "rate": 0.1, "flag": True, "none": None,
            "note": "it's $(odd)\n \"q\" \u00e9\u4e2d", "dash": "--x",
            "list": [1, "two"], "empty": "", "map": {"a": 1.5},
        }  # fmt: skip
        seen = self.show(parameters=parameters)
        self.assertEqual(seen["parameters"], parameters)
        self.assertIs(type(seen["parameters"]["max_iter"]), int)
        self.assertEqual(
            seen["argv"][:8], ["--max_iter", "200", "--rate", "0.1", "--flag", "True", "--note", parameters["note"]]
        )
        self.assertIn("--dash=--x", seen["argv"])
        self.assertEqual(self.record().parameters, parameters)

    def test_the_script_runs_in_its_source_with_its_environment(self):
        self.write("src/sub/beside.py", "")
        seen = self.show(environment={"OUT": str(self.home), "K": "it's $HOME"}, inputs={"train": str(self.home)})
        self.assertEqual(seen["cwd"], str(self.source))
        self.assertEqual(seen["env"]["K"], "it's $HOME")
        self.assertEqual(seen["env"]["CLOUDML_INPUT_TRAIN"], str(self.home))
        self.assertNotIn("SM_MODEL_DIR", seen["env"])

    def test_large_parameters_reach_the_script_through_the_job_only(self):
        big = "x" * 200_000
        seen = self.show(parameters={"big": big, "small": 1})
        self.assertEqual(seen["argv"], ["--small", "1"])
        self.assertEqual(seen["parameters"]["big"], big)
        self.assertNotIn("SM_HPS", seen["env"])
        self.assertIn("no argument --big", self.seen)
        self.assertIn("SM_HPS is not set", self.seen)

    def test_folders_are_there_before_the_script(self):
        outputs = {"model": str(self.home / "a" / "model"), "report": str(self.home / "b")}
        script = "from cloudml import runtime\nassert all(path.is_dir() for path in runtime.job().outputs.values())"
        self.assertEqual(self.drive(self.request(script, outputs=outputs)).returncode, 0, self.seen)

    def test_lines_pass_unchanged_and_the_last_hundred_stay(self):
        script = """
            import sys
            for i in range(150):
                print("line", i)
            sys.stdout.buffer.write(b"\\xff\\r\\n")
            print("warned", file=sys.stderr)
        """
        done = self.drive(self.request(script))
        self.assertEqual(done.stdout, b"".join(b"line %d\n" % i for i in range(150)) + b"\xff\r\n")
        self.assertEqual(done.stderr, b"warned\n")
        lines = self.record().tail.splitlines()
        self.assertEqual(len(lines), 100)
        self.assertEqual(lines[-1], "warned")
        self.assertEqual(lines[0], "line 52")

    def test_a_last_line_without_an_end_is_kept(self):
        done = self.drive(self.request("import sys; sys.stdout.write('one\\ntwo')"))
        self.assertEqual((done.stdout, self.record().tail), (b"one\ntwo", "one\ntwo"))

    def test_the_reason_is_what_the_error_stream_said_last(self):
        script = """
            import atexit, sys
            atexit.register(print, "after")
            print("x" * 300_000)
            sys.exit("no rows")
        """
        self.assertEqual(self.drive(self.request(script)).returncode, 1)
        self.assertEqual(self.record().reason, "train.py ended with exit code 1: no rows")

    def test_lines_pass_at_once(self):
        script = """
            import os, time
            print("first")
            while not os.path.exists(os.environ["CLOUDML_CHECKPOINTS"] + "/go"):
                time.sleep(0.01)
        """
        command = self.command(self.request(script))
        driver = subprocess.Popen(command, stdout=subprocess.PIPE, env=clean_environment())
        self.addCleanup(self._end, driver)
        self.assertEqual(driver.stdout.readline(), b"first\n")
        self.assertIsNone(driver.poll())
        (self.home / "checkpoints" / "go").touch()
        self.assertEqual(self.wait(driver), 0)

    def test_a_script_goes_on_when_nobody_reads_its_lines(self):
        script = """
            import os, sys
            for i in range(20000):
                print("line", i)
            open(os.environ["CLOUDML_CHECKPOINTS"] + "/end", "w").close()
            sys.exit(3)
        """
        driver = subprocess.Popen(self.command(self.request(script)), stdout=subprocess.PIPE, env=clean_environment())
        self.addCleanup(self._end, driver)
        driver.stdout.readline()
        driver.stdout.close()
        self.assertEqual(self.wait(driver), 3)
        self.assertTrue((self.home / "checkpoints" / "end").exists())

    def test_the_record_tells_a_success(self):
        self.drive(self.request("from cloudml import runtime\nruntime.job().log_metric('auc', 0.74, step=3)"))
        found = self.record()
        self.assertEqual((found.state, found.exit_code, found.reason), ("succeeded", 0, ""))
        self.assertLessEqual(found.started, found.ended)
        self.assertEqual([(point.name, point.value, point.step) for point in found.points], [("auc", 0.74, 3)])
        self.assertIn("python", found.versions)
        self.assertEqual(sorted(os.listdir(str(self.place))),
                         ["metrics.jsonl", "parameters.json", "status.json", "tail.log", "versions.json"])  # fmt: skip
        self.assertIn("cloudml-metric auc=0.74\n", self.seen)

    def test_the_exit_code_is_the_scripts(self):
        self.assertEqual(self.drive(self.request("import sys; sys.exit(7)")).returncode, 7)
        found = self.record()
        self.assertEqual((found.state, found.exit_code), ("failed", 7))
        self.assertIn("exit code 7", found.reason)

    def test_the_reason_ends_with_the_last_line(self):
        self.assertEqual(self.drive(self.request("raise ValueError('no rows')")).returncode, 1)
        self.assertEqual(self.record().reason, "train.py ended with exit code 1: ValueError: no rows")

    def test_a_script_that_a_signal_ends_has_the_shells_code(self):
        self.assertEqual(self.drive(self.request("import os; os.kill(os.getpid(), 9)")).returncode, 137)
        self.assertIn("SIGKILL, perhaps because memory ran out", self.record().reason)

    def test_a_shell_script_runs_with_sh(self):
        self.write("src/run.sh", 'printf %s "$CLOUDML_INPUT_TRAIN $2" > "$CLOUDML_OUTPUT_MODEL/seen"; exit 3\n')
        paths = {"inputs": {"train": "/data"}, "outputs": {"model": str(self.home / "model")}}
        done = self.drive(dict(self.request(parameters={"a": "it's $x"}, **paths), script="run.sh"))
        self.assertEqual(done.returncode, 3)
        self.assertEqual((self.home / "model" / "seen").read_text(), "/data it's $x")

    def test_a_wrong_request_ends_with_two_and_says_why(self):
        for request, word in (({"version": 9}, "version 9"), (dict(self.request(), source=None), "`source`")):
            self.assertEqual(self.drive(request).returncode, 2)
            self.assertIn(word, self.seen)

    def test_a_script_that_is_not_there_is_a_failure_with_its_path(self):
        self.assertEqual(self.drive(self.request()).returncode, 1)
        self.assertIn(str(self.source / "train.py"), self.record().reason)
        self.assertEqual(self.record().state, "failed")

    def test_a_folder_that_cannot_be_made_is_a_failure(self):
        blocked = self.write("file", "")
        self.assertEqual(self.drive(self.request("", outputs={"model": str(blocked / "model")})).returncode, 1)
        self.assertEqual(self.record().state, "failed")
        self.assertIn(str(blocked), self.record().reason)

    def test_variables_for_paths_may_come_from_the_command_line(self):
        request = self.request("", outputs={"model": "${OUT}/model"})
        self.assertEqual(self.drive(request, "--set", "OUT=%s/a=b" % self.home).returncode, 0, self.seen)
        self.assertTrue((self.home / "a=b" / "model").is_dir())

    def test_the_request_may_be_named_by_a_variable(self):
        command = self.command(self.request("raise SystemExit(5)"))
        environ = dict(clean_environment(), CLOUDML_REQUEST=command[-1])
        self.assertEqual(subprocess.run(command[:-2], env=environ, timeout=60, check=False).returncode, 5)

    def test_checkpoints_survive_into_the_second_run(self):
        script = """
            from cloudml import runtime
            job = runtime.job()
            last = job.checkpoints / "last"
            step = int(last.read_text()) + 1 if last.exists() else 1
            last.write_text(str(step))
            job.log_metric("step", step)
            raise SystemExit(step == 1)
        """
        self.assertEqual(self.drive(self.request(script)).returncode, 1)
        self.assertEqual(self.drive(self.request(script)).returncode, 0, self.seen)
        self.assertEqual([point.value for point in self.record().points], [1.0, 2.0])

    def test_sagemaker_reads_the_failure_from_its_file(self):
        opt = self.home / "opt"
        opt.mkdir()
        environ = {"CLOUDML_PROVIDER": "aws", "CLOUDML_OPT_ML": str(opt)}
        self.drive(self.request("print('x' * 3000)\nraise KeyError('late')"), environ=environ)
        text = (opt / "output" / "failure").read_text()
        self.assertLessEqual(len(text), 1024)
        self.assertTrue(text.startswith("train.py ended with exit code 1: KeyError: 'late'"), text)
        self.drive({"version": 9}, environ=environ)
        self.assertIn("version 9", (opt / "output" / "failure").read_text())

    def test_where_files_cannot_grow_the_record_arrives_whole(self):
        script = """
            import os
            from cloudml import runtime
            job = runtime.job()
            assert not str(job.record).startswith(os.environ["CLOUDML_GCS"])
            job.log_metric("auc", 0.5)
        """
        request = self.request(script, record="gs://bucket/job/_cloudml")
        self.assertEqual(self.drive(request, environ={"CLOUDML_GCS": str(self.home / "gcs")}).returncode, 0, self.seen)
        self.place = self.home / "gcs" / "bucket" / "job" / "_cloudml"
        self.assertEqual((self.record().state, self.record().metrics), ("succeeded", {"auc": 0.5}))
        self.assertEqual(len(os.listdir(str(self.place))), 5)

    def test_a_host_that_does_not_lead_keeps_its_record_apart(self):
        request = self.request("", hosts=["a", "b"], current_host="b")
        self.assertEqual(self.drive(request).returncode, 0, self.seen)
        self.assertEqual(os.listdir(str(self.place)), ["hosts"])
        self.place = self.place / "hosts" / "b"
        self.assertEqual(self.record().state, "succeeded")

    def test_nothing_private_is_left_behind(self):
        temporary = self.home / "tmp"
        temporary.mkdir()
        self.drive(self.request("raise SystemExit(1)"), environ={"TMPDIR": str(temporary)})
        self.assertEqual(os.listdir(str(temporary)), [])

    def test_a_driver_that_was_killed_leaves_a_record_that_says_running(self):
        script = """
            import os, time
            from cloudml import runtime
            runtime.job().log_metric("auc", 0.5)
            open("pid", "w").write(str(os.getpid()))
            os.rename("pid", "../pid")
            open("../ready", "w").close()
            time.sleep(300)
        """
        driver = self.start(self.request(script))
        self.written_pid("pid")
        driver.kill()
        self.wait(driver)
        found = self.record()
        self.assertEqual((found.state, found.exit_code, found.pid), ("running", None, driver.pid))
        self.assertEqual(found.metrics, {"auc": 0.5})

    def test_a_status_is_there_while_the_script_runs(self):
        driver = self.start(self.request("import time\nopen('../ready', 'w').close()\ntime.sleep(300)"))
        eventually(lambda: self.record().state == "running", "no status")
        driver.terminate()
        self.assertEqual(self.wait(driver), 143)


if __name__ == "__main__":
    unittest.main()
