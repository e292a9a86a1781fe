"""Signals, time limits, and what is left of a script's processes: nothing."""

import signal
import unittest

from driving import JobCase, alive, eventually

# Each says that it is ready only when what the test needs is in place.
POLITE = """
    import signal, sys, time
    def leave(number, frame):
        print("saved", number, flush=True)
        sys.exit(CODE)
    signal.signal(signal.SIGTERM, leave)
    signal.signal(signal.SIGINT, leave)
    open("../ready", "w").close()
    time.sleep(300)
"""
DEAF = """
    import os, signal, subprocess, sys, time
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(300)"])
    for name, pid in (("script", os.getpid()), ("child", child.pid)):
        with open("../partial", "w") as file:
            file.write(str(pid))
        os.rename("../partial", "../" + name)
    open("../ready", "w").close()
    time.sleep(300)
"""
# A shell is deaf a moment after it began, long before any time is up.
DEAF_SHELL = """
    trap '' TERM INT
    sleep 300 &
    echo $! > ../child
    echo $$ > ../script
    sleep 300
"""


class SignalsTest(JobCase):
    def gone(self, *names):
        for name in names:
            pid = self.written_pid(name)
            eventually(lambda pid=pid: not alive(pid), "%s still runs" % name)

    def timed_out(self, request, file):
        """The exit code when the time was up after the script had made that file; a busy machine gets more time."""
        for limit in (0.7, 5, 50):
            code = self.drive(dict(request, timeout_s=limit)).returncode
            if (self.home / file).exists():
                return code
        raise AssertionError("the script did not come to make %s" % file)

    def test_sigterm_and_sigint_reach_the_script(self):
        for number, name in ((signal.SIGTERM, "SIGTERM"), (signal.SIGINT, "SIGINT")):
            driver = self.start(self.request(POLITE.replace("CODE", "9")))
            driver.send_signal(number)
            self.assertEqual(self.wait(driver), 9)
            found = self.record()
            self.assertEqual((found.state, found.exit_code, found.reason), ("cancelled", 9, "stopped by %s" % name))
            self.assertIn("saved %d" % number, found.tail)
            (self.home / "ready").unlink()

    def test_a_stopped_script_that_ends_with_zero_is_no_success(self):
        driver = self.start(self.request(POLITE.replace("CODE", "0")))
        driver.terminate()
        self.assertEqual(self.wait(driver), 143)
        self.assertEqual((self.record().state, self.record().exit_code), ("cancelled", 0))

    def test_a_script_that_ignores_signals_is_killed_after_the_grace_with_its_children(self):
        driver = self.start(self.request(DEAF, grace_s=0.2))
        driver.terminate()
        self.assertEqual(self.wait(driver), 137)
        self.assertEqual((self.record().state, self.record().exit_code), ("cancelled", 137))
        self.gone("script", "child")

    def test_a_second_interrupt_does_not_wait_for_the_grace(self):
        driver = self.start(self.request(DEAF, grace_s=300))
        script = self.written_pid("script")
        eventually(lambda: driver.send_signal(signal.SIGINT) or not alive(script), "the script still runs")
        self.assertEqual(self.wait(driver), 137)
        self.gone("child")

    def test_a_script_that_outlives_its_time_is_ended(self):
        script = "import time\nopen('../ready', 'w').close()\ntime.sleep(300)"
        self.assertEqual(self.timed_out(self.request(script), "ready"), 143)
        self.assertEqual((self.record().state, self.record().exit_code), ("timed_out", 143))
        self.assertIn("its time was up", self.record().reason)

    def test_a_script_that_ends_with_zero_at_its_time_limit_is_no_success(self):
        done = self.drive(self.request(POLITE.replace("CODE", "0"), timeout_s=0.7))
        self.assertIn(done.returncode, (124, 143))  # 143 if it had not come as far as its handler
        self.assertEqual(self.record().state, "timed_out")

    def test_a_deaf_script_is_killed_when_time_and_grace_are_over(self):
        self.write("src/deaf.sh", DEAF_SHELL)
        request = dict(self.request(grace_s=0.2), script="deaf.sh")
        self.assertEqual(self.timed_out(request, "script"), 137)
        self.assertEqual(self.record().state, "timed_out")
        self.gone("script", "child")

    def test_what_a_finished_script_leaves_running_dies_with_it(self):
        script = """
            import subprocess, sys
            child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(300)"])
            open("../child", "w").write(str(child.pid))
        """
        self.assertEqual(self.drive(self.request(script)).returncode, 0)
        self.gone("child")

    def test_a_shell_scripts_child_gets_the_signal_and_its_grace(self):
        self.write(
            "src/polite.py", POLITE.replace("CODE", "9").replace("sys.exit", "open('../saved', 'w').close(); sys.exit")
        )
        self.write("src/run.sh", "python3 polite.py\n".replace("python3", __import__("sys").executable))
        driver = self.start(dict(self.request(), script="run.sh"))
        driver.terminate()
        self.assertIn(self.wait(driver), (9, 143))  # sh dies of the signal, or waits for its child: both are common
        self.assertTrue((self.home / "saved").exists())
        self.assertEqual(self.record().state, "cancelled")


if __name__ == "__main__":
    unittest.main()
