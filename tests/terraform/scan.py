"""Scan a folder of Terraform with checkov, and print what it says as JSON: run by the interpreter of the scanner.

    python scan.py FOLDER

checkov's own command loads its scanners of everything else first, which are half of its modules.
"""

from __future__ import annotations

import json
import sys

from checkov.runner_filter import RunnerFilter
from checkov.terraform.runner import Runner


def main(folder: str) -> None:
    wanted = RunnerFilter(framework=["terraform"], download_external_modules=False)
    print(json.dumps(Runner().run(root_folder=folder, runner_filter=wanted).get_dict(is_quiet=True)))


if __name__ == "__main__":
    main(sys.argv[1])
