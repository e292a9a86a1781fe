"""What runs in the place of a training image without an entrypoint: the contract of SageMaker's training toolkit.

``python -m cloudml_aws.double.train train``, in the container. The hyperparameter `sagemaker_program` names the script,
`sagemaker_submit_directory` a folder or a tar.gz in S3 with it; the other hyperparameters become its arguments, and the
variables SM_… are set. As with the toolkit, the script gets no SIGTERM, and whatever code it ends with becomes 1.
"""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

FAILED = 1
OWN = ("sagemaker_", "_")
"""Hyperparameters that begin so are the toolkit's, not the script's."""


def decoded(text: str) -> Any:
    """The value of a hyperparameter: JSON if it is, else the text."""
    try:
        return json.loads(text)
    except ValueError:
        return text


def arguments(parameters: Mapping[str, Any]) -> list[str]:
    """The command line that the toolkit makes of hyperparameters."""
    line: list[str] = []
    for name, value in sorted(parameters.items()):
        text = "" if value is None else value if isinstance(value, str) else str(value)
        line += [f"-{name}" if len(name) == 1 else f"--{name}", text]
    return line


def variables(root: Path, config: Mapping[str, Any], user: Mapping[str, Any], program: str) -> dict[str, str]:
    """The variables SM_…."""
    resources, channels = config["resourceconfig"], sorted(config["inputdataconfig"])
    found: dict[str, Any] = {
        "SM_MODEL_DIR": root / "model",
        "SM_OUTPUT_DIR": root / "output",
        "SM_OUTPUT_DATA_DIR": root / "output/data",
        "SM_INPUT_DIR": root / "input",
        "SM_INPUT_CONFIG_DIR": root / "input/config",
        "SM_CHANNELS": json.dumps(channels),
        "SM_HPS": json.dumps(user),
        "SM_HOSTS": json.dumps(resources["hosts"]),
        "SM_CURRENT_HOST": resources["current_host"],
        "SM_CURRENT_INSTANCE_TYPE": resources["current_instance_type"],
        "SM_RESOURCE_CONFIG": json.dumps(resources),
        "SM_INPUT_DATA_CONFIG": json.dumps(config["inputdataconfig"]),
        "SM_NETWORK_INTERFACE_NAME": resources["network_interface_name"],
        "SM_NUM_CPUS": os.cpu_count(),
        "SM_NUM_GPUS": 0,
        "SM_MODULE_NAME": program.removesuffix(".py"),
        "SM_MODULE_DIR": root / "code",
        "SM_USER_ENTRY_POINT": program,
        "SM_USER_ARGS": json.dumps(arguments(user)),
    }
    found |= {f"SM_CHANNEL_{name.upper()}": root / "input/data" / name for name in channels}
    found |= {f"SM_HP_{name.upper()}": value for name, value in user.items()}
    return {name: value if isinstance(value, str) else str(value) for name, value in found.items()}


def fetch(place: str, code: Path) -> None:
    """Lay the script's folder at *code*."""
    if not place.startswith("s3://"):
        shutil.copytree(place, code, dirs_exist_ok=True)
        return
    import boto3

    bucket, _, key = place.removeprefix("s3://").partition("/")
    content = boto3.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read()
    with tarfile.open(fileobj=io.BytesIO(content), mode="r:*") as archive:
        archive.extractall(code, filter="data")


def main() -> int:
    """Run the script; the exit code of the toolkit."""
    root = Path(os.environ.get("SAGEMAKER_BASE_DIR", "/opt/ml"))
    names = ("hyperparameters", "inputdataconfig", "resourceconfig")
    config = {name: json.loads((root / f"input/config/{name}.json").read_text("utf-8")) for name in names}
    given = {name: decoded(text) for name, text in config["hyperparameters"].items()}
    program = str(given.get("sagemaker_program") or os.environ.get("SAGEMAKER_PROGRAM", ""))
    if not program:
        return failed(root, "The double cannot run an image's own algorithm: name a script (sagemaker_program).")
    fetch(str(given.get("sagemaker_submit_directory", root / "code")), root / "code")
    user = {name: value for name, value in given.items() if not name.startswith(OWN)}
    packages = install(root)
    line = [sys.executable, program, *arguments(user)]
    around = {**os.environ, **variables(root, config, user, program)}
    around["PYTHONPATH"] = os.pathsep.join([str(root / "code"), packages, os.environ.get("PYTHONPATH", "")])
    code = subprocess.run(line, cwd=root / "code", env=around, check=False).returncode
    if code == 0:
        return 0
    return failed(root, f'ExecuteUserScriptError:\nExitCode {code}\nErrorMessage ""\nCommand "{" ".join(line)}"')


def install(root: Path) -> str:
    """Install the script's requirements into a folder of this container; the folder."""
    file, folder = root / "code/requirements.txt", root / "packages"
    if file.is_file():
        line = [sys.executable, "-m", "pip", "install", "--target", str(folder), "--requirement", str(file)]
        subprocess.run(line, check=True)
    return str(folder)


def failed(root: Path, text: str) -> int:
    """Leave the text where SageMaker reads it."""
    (root / "output/failure").write_text(text, "utf-8")
    sys.stderr.write(f"{text}\n")
    return FAILED


if __name__ == "__main__":
    sys.exit(main())
