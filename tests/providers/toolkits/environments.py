"""Environments with the vendors' own toolkits, made by uv into the checkout; a second call finds them there.

    python tests/providers/toolkits/environments.py

`make toolkits` runs it, and `make test` runs that first. Not one environment: the toolkits contradict each other.
"""

import hashlib
import shutil
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
HOME = ROOT / ".toolkits"
LIMIT_S = 900
OLD_NAMES = "import collections, collections.abc\ncollections.Mapping = collections.abc.Mapping\n"
"""sagemaker-containers was written for Python 3.8; Amazon's own images for 3.12 put this name back as well."""
SAME = ("scikit-learn", "numpy", "joblib", "xgboost-cpu")
"""Of these the toolkits get the versions that are used here: predictions are compared bit for bit."""
PACKAGES = {
    "training": ["sagemaker-training==5.1.4", "setuptools<81"],
    "inference": ["sagemaker-inference==1.10.1", "multi-model-server==1.1.11", "setuptools<81"],
    "containers": ["sagemaker-containers==2.8.6.post2", "protobuf<3.21", "setuptools<81", "wheel", "pip"],
    "azureml": ["azureml-inference-server-http==1.5.1"],
    "vertex": [
        "google-cloud-aiplatform[prediction]==2.7.0", "fastapi==0.124.4", "starlette==0.50.0", "uvicorn==0.54.0",
    ],
}  # fmt: skip
"""setuptools<81 still has pkg_resources, which the toolkits import. Google's SDK of 2.x still has its server."""
NOT_SERVING = (
    "certifi", "docker", "docstring-parser", "google-api-core", "google-auth", "google-cloud-bigquery",
    "google-cloud-resource-manager", "google-cloud-storage", "google-genai", "httpx", "packaging", "proto-plus",
    "protobuf",
)  # fmt: skip
"""What Google's SDK asks for and its server does not import."""
NEVER = "python_version<'3'"
OVERRIDES = {
    "containers": ["flask>=3", "werkzeug>=3", f"typing; {NEVER}"],
    "vertex": [f"{package}; {NEVER}" for package in NOT_SERVING],
}
"""Pins of 2019 in a toolkit's own metadata that no Python of today can install, and what is left out."""


def wanted(name: str) -> list[str]:
    """What is installed into that environment."""
    shared = [] if name == "training" else [f"{package}=={version(package)}" for package in SAME]
    return [*PACKAGES[name], *shared]


def python(name: str) -> Path:
    """The interpreter of that environment."""
    return HOME / name / "bin" / "python"


def stamp(name: str) -> str:
    """What tells that the environment is the one that is wanted."""
    said = [sys.version, *wanted(name), *OVERRIDES.get(name, []), OLD_NAMES]
    return hashlib.sha256("\n".join(said).encode()).hexdigest()


def make(name: str) -> bool:
    """Make that environment unless it is there; whether it was made."""
    folder = HOME / name
    done = folder / "made"
    if done.is_file() and done.read_text() == stamp(name) and python(name).exists():
        return False
    shutil.rmtree(folder, ignore_errors=True)
    uv = [str(Path(sys.executable).with_name("uv"))]
    run([*uv, "venv", "--quiet", "--python", sys.executable, str(folder)])
    overrides = folder / "overrides.txt"
    overrides.write_text("\n".join(OVERRIDES.get(name, [])))
    given = ["--quiet", "--python", str(python(name)), "--override", str(overrides)]
    run([*uv, "pip", "install", *given, *wanted(name)])
    site = next((folder / "lib").glob("python3*/site-packages"))
    if name == "containers":
        (site / "old_names.pth").write_text("import old_names\n")
        (site / "old_names.py").write_text(OLD_NAMES)
    done.write_text(stamp(name))
    return True


def run(command: list[str]) -> None:
    subprocess.run(command, check=True, timeout=LIMIT_S)


if __name__ == "__main__":
    for one in PACKAGES:
        if make(one):
            print(f"made .toolkits/{one}")
