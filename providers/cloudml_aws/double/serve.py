"""What runs in the place of a serving image: ``python -m cloudml_aws.double.serve MODEL_FOLDER``.

It does what Amazon's images do before they serve: installs `code/requirements.txt` beside the model's code. Then
cloudml.serving answers /ping and /invocations at SAGEMAKER_BIND_TO_PORT, through the handlers in `code/`.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path


def install(file: Path, folder: Path) -> int:
    """Install requirements into a folder of this container; pip's exit code."""
    line = [sys.executable, "-m", "pip", "install", "--disable-pip-version-check", "--target", str(folder)]
    code = subprocess.run([*line, "--requirement", str(file)], check=False).returncode
    sys.path.insert(0, str(folder))
    return code


def main(folder: str) -> int:
    """Serve until told to stop; the exit code."""
    from cloudml.serving.__main__ import main as serve

    requirements = Path(folder, "code", "requirements.txt")
    if requirements.is_file() and requirements.read_text("utf-8").strip():
        code = install(requirements, Path(folder).parent / "packages")
        if code:
            return code
    return serve(["--model", folder, "--host", "127.0.0.1", "--port", os.environ["SAGEMAKER_BIND_TO_PORT"]])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
