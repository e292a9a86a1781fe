"""Installing requirements, from a folder of wheels and without any index."""

import json
import sys
import threading
import unittest
import zipfile

from driving import JobCase

from cloudml.runtime import requirements
from cloudml.runtime.requirements import InstallError, blamed, identity

SCRIPT = "import greeting\nopen('../seen', 'w').write(greeting.WORD + ' ' + greeting.__file__)"


class RequirementsTest(JobCase):
    def wheel(self, version="1.0"):
        """A package of one module, as a wheel beside the job."""
        info = "greeting-%s.dist-info" % version
        path = self.home / "wheels" / ("greeting-%s-py3-none-any.whl" % version)
        path.parent.mkdir(exist_ok=True)
        with zipfile.ZipFile(str(path), "w") as wheel:
            wheel.writestr("greeting.py", "WORD = 'hello %s'\n" % version)
            wheel.writestr(info + "/METADATA", "Metadata-Version: 2.1\nName: greeting\nVersion: %s\n" % version)
            wheel.writestr(
                info + "/WHEEL", "Wheel-Version: 1.0\nGenerator: t\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
            )
            names = ["greeting.py", info + "/METADATA", info + "/WHEEL", info + "/RECORD"]
            wheel.writestr(info + "/RECORD", "".join("%s,,\n" % name for name in names))

    def wanted(self, *lines, **changes):
        self.write("src/requirements.txt", "--no-index\n--find-links ../wheels\n" + "\n".join(lines) + "\n")
        return self.request(SCRIPT, requirements="requirements.txt", site=str(self.home / "site"), **changes)

    def test_requirements_are_installed_once_and_recorded(self):
        self.wheel()
        request = self.wanted("greeting==1.0")
        self.assertEqual(self.drive(request).returncode, 0, self.seen)
        self.assertEqual((self.home / "seen").read_text(), "hello 1.0 %s" % (self.home / "site" / "greeting.py"))
        self.assertEqual(self.record().versions["packages"]["greeting"], "1.0")
        (self.home / "wheels" / "greeting-1.0-py3-none-any.whl").unlink()
        self.assertEqual(self.drive(request).returncode, 0, self.seen)
        self.assertIn("installed in %s already" % (self.home / "site"), self.seen)

    def test_a_requirement_that_is_not_found_is_named(self):
        self.wheel()
        self.assertEqual(self.drive(self.wanted("greeting==2.0")).returncode, 1)
        found = self.record()
        self.assertEqual((found.state, found.exit_code), ("failed", None))
        self.assertIn("requirement `greeting==2.0` of requirements.txt", found.reason)
        self.assertIn("No matching distribution", found.reason.splitlines()[-1])
        self.assertFalse((self.home / "site").exists())
        self.assertFalse((self.home / "seen").exists())

    def test_a_file_that_is_not_there_is_named(self):
        self.assertEqual(self.drive(self.request("", requirements="absent.txt")).returncode, 1)
        self.assertIn(str(self.source / "absent.txt"), self.record().reason)

    def install(self, run, site="site", stopped=lambda: False):
        path = self.write("requirements.txt", "a\n")
        requirements.install(str(path), str(self.home / site), run=run, say=lambda text: None, stopped=stopped)

    def test_pip_is_asked_again_when_content_or_python_differ(self):
        calls = []

        def run(line, cwd):
            calls.append(line)
            return 0

        self.install(run)
        self.install(run)
        self.assertEqual(len(calls), 1)
        marker = self.home / "site" / requirements.MARKER
        found = json.loads(marker.read_text())
        marker.write_text(json.dumps(dict(found, python="cpython-27 linux")))
        self.install(run)
        self.assertEqual(len(calls), 2)
        self.assertEqual(json.loads(marker.read_text()), found)

    def test_an_interrupted_installation_is_none(self):
        def run(line, cwd):
            target = line[line.index("--target") + 1]
            self.write(target + "/half.py", "")
            return 1

        with self.assertRaises(InstallError):
            self.install(run)
        self.assertFalse((self.home / "site").exists())

    def test_a_folder_with_other_things_in_it_is_left_alone(self):
        self.write("site/precious.txt", "")
        with self.assertRaisesRegex(InstallError, "site"):
            self.install(lambda line, cwd: 0)
        self.assertTrue((self.home / "site" / "precious.txt").exists())

    def test_two_at_once_install_once(self):
        calls, inside, waited = [], threading.Event(), threading.Event()

        def slow(line, cwd):
            calls.append(line)
            inside.set()
            waited.wait(30)
            return 0

        def stopped():
            waited.set()  # the second one has met the lock
            return False

        first = threading.Thread(target=self.install, args=(slow,))
        first.start()
        inside.wait(30)
        self.install(slow, stopped=stopped)
        first.join()
        self.assertTrue(waited.is_set())
        self.assertEqual(len(calls), 1)

    def test_waiting_for_another_ends_when_stopped(self):
        inside, leave = threading.Event(), threading.Event()

        def slow(line, cwd):
            inside.set()
            leave.wait(30)
            return 0

        first = threading.Thread(target=self.install, args=(slow,))
        first.start()
        self.addCleanup(first.join)
        self.addCleanup(leave.set)
        inside.wait(30)
        with self.assertRaisesRegex(InstallError, "another job"):
            self.install(slow, stopped=lambda: True)

    def test_included_files_count(self):
        main = self.write("main.txt", "-r more.txt\n-c limits.txt\n--requirement=third.txt\na\n")
        for name in ("more.txt", "limits.txt", "third.txt"):
            self.write(name, "-r main.txt\n")
        seen = {identity(str(main))["requirements"]}
        for name in ("more.txt", "limits.txt", "third.txt", "main.txt"):
            with (self.home / name).open("a") as file:
                file.write("b\n")
            seen.add(identity(str(main))["requirements"])
        self.assertEqual(len(seen), 5)

    def test_pips_words_for_the_one_at_fault_are_known(self):
        for output, name in {
            "ERROR: Could not find a version that satisfies the requirement nope==9 (from versions: none)": "nope==9",
            "ERROR: No matching distribution found for nope==9": "nope==9",
            "ERROR: Invalid requirement: 'a b c' (from line 1 of r.txt)": "a b c",
            "ERROR: Invalid requirement: 'x=1': Expected end": "x=1",
            "ERROR: Package 'numpy' requires a different Python: 3.8.18 not in '>=3.9'": "numpy",
            "ERROR: Failed building wheel for lightgbm": "lightgbm",
            "ERROR: Cannot install a==1 and b==2 because these package versions have conflicting dependencies.": (
                "a==1 and b==2"
            ),
            "ERROR: Could not open requirements file: [Errno 2] No such file or directory: 'more.txt'": "more.txt",
            "Killed": "",
        }.items():  # fmt: skip
            self.assertEqual(blamed("Looking\n%s\n" % output), name)

    def test_this_python_installs(self):
        lines = []
        requirements.install(
            str(self.write("r.txt", "")), None, run=lambda line, cwd: lines.append((line, cwd)) or 0,
            say=lambda text: None, stopped=lambda: False,
        )  # fmt: skip
        self.assertEqual(lines[0][0][:3], [sys.executable, "-m", "pip"])
        self.assertNotIn("--target", lines[0][0])
        self.assertEqual(lines[0][1], str(self.home))


if __name__ == "__main__":
    unittest.main()
