"""``python -m cloudml_gcp.double``: a double for programs of any kind, until SIGTERM or SIGINT.

It prints the variables to set, one ``NAME=value`` a line, and then an empty line: it is ready. Clients may come and go,
and be killed; what it keeps lives as long as it does. Its time runs fast, as clients really sleep.
"""

from __future__ import annotations

import argparse
import signal
import sys
import threading
from typing import TYPE_CHECKING

from cloudml_gcp.double import BUCKET, NUMBER, PROJECT, REGION, double

if TYPE_CHECKING:
    from collections.abc import Sequence

PACE = 60.0


def main(argv: Sequence[str] | None = None) -> int:
    """Run a double; the exit code."""
    options = vars(_parser().parse_args(argv))
    over = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: over.set())
    with double(**options) as gcp:
        lines = [f"{name}={value}" for name, value in gcp.environ.items()]
        sys.stdout.write("\n".join([*lines, "", ""]))
        sys.stdout.flush()
        over.wait()
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m cloudml_gcp.double", description="a double of GCP on this machine."
    )
    parser.add_argument("--region", default=REGION)
    parser.add_argument("--project", default=PROJECT, help="the project's id")
    parser.add_argument("--project-number", default=NUMBER)
    parser.add_argument("--bucket", default=BUCKET, help="a bucket that is there from the start")
    parser.add_argument("--service-account", default="", help="its address; one of the project when left out")
    parser.add_argument("--port", type=int, default=0, help="where it listens; a free port when left out")
    parser.add_argument("--pace", type=float, default=PACE, help="how many of its seconds pass in one")
    return parser


if __name__ == "__main__":
    sys.exit(main())
