"""How long a command keeps you waiting before it does anything: ratios to importing click, in one run.

`cloudml --help` must take at most three times as long as ``python -c "import click"``.
"""

import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROUNDS = 15
LIMIT = 3.0
PYTHON = sys.executable
CLOUDML = str(Path(PYTHON).parent / "cloudml")


def seconds(command, cwd):
    began = time.perf_counter()
    subprocess.run(command, cwd=cwd, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return time.perf_counter() - began


def main():
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([CLOUDML, "init", folder], check=True, capture_output=True)
        commands = {
            'python -c "import click"': [PYTHON, "-c", "import click"],
            "cloudml --help": [CLOUDML, "--help"],
            "cloudml job --help": [CLOUDML, "job", "--help"],
            "cloudml validate": [CLOUDML, "validate"],
            "cloudml plan": [CLOUDML, "plan"],
        }
        taken = {name: [] for name in commands}
        for _ in range(ROUNDS):  # in turns, so that a busy moment hits all alike
            for name, command in commands.items():
                taken[name].append(seconds(command, folder))
    base = statistics.median(taken['python -c "import click"'])
    for name, values in taken.items():
        print(f"{name:<28} {statistics.median(values) / base:5.2f} x")
    ratio = statistics.median(taken["cloudml --help"]) / base
    sys.exit(f"cloudml --help takes {ratio:.2f} times as long; at most {LIMIT}" if ratio > LIMIT else 0)


if __name__ == "__main__":
    main()
