"""`python -m cloudml.profile job.json`: one run of a monitor; what runs as a job on each cloud.

The report goes to standard output as one JSON document, errors to standard error. Exit codes are those of the command
line: 0 checked, 2 the description is wrong, 3 a check was violated (only with --strict, so that a job does not count
as failed for having found something).
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from cloudml.errors import CloudMLError
from cloudml.profile.analysis import analyse
from cloudml.profile.arrow import without_pandas
from cloudml.profile.report import State

_VIOLATED = 3
_USAGE = 2


def main(arguments: list[str]) -> int:
    strict = "--strict" in arguments
    names = [argument for argument in arguments if argument != "--strict"]
    if len(names) != 1:
        sys.stderr.write("usage: python -m cloudml.profile [--strict] DESCRIPTION.json\n")
        return _USAGE
    try:
        report = analyse(json.loads(Path(names[0]).read_text(encoding="utf-8")))
    except CloudMLError as exc:
        sys.stderr.write(f"error: {exc}\n\nhint: {exc.hint}\n" if exc.hint else f"error: {exc}\n")
        return exc.exit_code
    except (OSError, ValueError) as exc:
        sys.stderr.write(f"error: `{names[0]}` cannot be read: {exc}\n")
        return _USAGE
    sys.stdout.write(json.dumps(report.as_json()) + "\n")
    return _VIOLATED if strict and report.state is State.VIOLATED else 0


if __name__ == "__main__":
    with without_pandas():
        sys.exit(main(sys.argv[1:]))
