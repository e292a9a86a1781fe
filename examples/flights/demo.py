"""The flights story, end to end, on this computer: what `make demo` runs. ``--keep`` leaves the endpoint up."""

import json
import os
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

HERE = Path(__file__).parent
CLOUDML = Path(sys.executable).parent / "cloudml"
CHECK_SAID_NO = 3


def tell(text):
    print(f"\n\033[1m{text}\033[0m" if sys.stdout.isatty() else f"\n== {text}", flush=True)


def run(*command, expect=0, capture=False):
    """Run a command as a user types it, and show it."""
    program = [CLOUDML if command[0] == "cloudml" else sys.executable, *command[1:]]
    print(f"$ {' '.join(map(str, command))}", flush=True)
    environ = {**os.environ, "PYTHONUNBUFFERED": "1"}
    done = subprocess.run(program, cwd=HERE, env=environ, stdout=subprocess.PIPE if capture else None, check=False)
    if done.returncode != expect:
        sys.exit(f"`{' '.join(map(str, command))}` ended with {done.returncode}, not {expect}")
    return done.stdout


def bring_up():
    tell("1. The data: every flight that left New York in 2013, and the weather of every hour")
    run("python", "fetch.py")
    tell("2. What would be done")
    run("cloudml", "plan")
    tell("3. Train, evaluate, pass the gate, deploy, watch")
    run("cloudml", "up")
    tell("4. Again: nothing is left to do")
    run("cloudml", "up")


def ask_and_watch():
    tell("5. Ask: a morning flight in fair weather, an evening flight in rain")
    run("cloudml", "endpoint", "invoke", "delay", "--file", "rows.json")
    tell("6. Held-out flights of the same months: the monitor is quiet")
    run("python", "replay.py", "test")
    settle()
    run("cloudml", "monitor", "run", "delay-drift")
    run("cloudml", "monitor", "report", "delay-drift", "--html", "report-quiet.html", capture=True)
    tell("7. July: another season, and the monitor says so (exit code 3)")
    since = datetime.now(UTC).isoformat()
    run("python", "replay.py", "july")
    settle()
    run("cloudml", "monitor", "run", "delay-drift", "--since", since, expect=CHECK_SAID_NO)
    run("cloudml", "monitor", "report", "delay-drift", "--html", "report-july.html", capture=True)


def main():
    began = time.monotonic()
    bring_up()
    ask_and_watch()
    tell("8. All that is there")
    run("cloudml", "status")
    auc = json.loads(run("cloudml", "job", "show", "evaluate", "--json", capture=True))["metrics"]["auc"]
    if "--keep" not in sys.argv:
        tell("9. And gone again")
        run("cloudml", "down", "--yes", "-q")
    tell("Look at")
    print(f"  {HERE / 'report-july.html'}   what drifted, drawn")
    print(f"  {HERE / 'report-quiet.html'}  the same, quiet")
    print(f"  {HERE / 'cloudml.yaml'}       the whole project; `cloudml up --on TARGET` is how it moves")
    print(f"\nAUC {auc:.3f} on held-out flights; {time.monotonic() - began:.0f} s in all")


def settle():
    """A recorded request reaches the disk within a second."""
    time.sleep(1.5)


if __name__ == "__main__":
    main()
