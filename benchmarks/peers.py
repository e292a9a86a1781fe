"""What the benchmarks stand beside, each in an environment of its own under .bench: ``python benchmarks/peers.py``.

They cannot share one: Evidently needs pandas below 3, MLServer another pydantic than dstack. An environment that is
there with the same requirements is left as it is.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from measuring import PEERS

UV = Path(sys.executable).parent / "uv"
REQUIREMENTS = {
    "zenml": ["zenml"],
    "mlflow": ["mlflow"],
    "sky": ["skypilot"],
    "dstack": ["dstack"],
    "evidently": ["evidently==0.7.*", "pandas<3"],
    "mlserver": ["mlserver==1.7.*", "mlserver-sklearn==1.7.*"],
}
PROGRAMS = {"wrk": ["wrk", "libluajit-5.1-2"]}
"""Packages of Debian, unpacked and not installed; a program on PATH is taken as it is."""


def make(name: str, requirements: list[str]) -> None:
    """Make a peer's environment. Raises subprocess.CalledProcessError when a package cannot be had."""
    folder = PEERS / name
    made = folder / "made"
    wanted = "\n".join(requirements) + "\n"
    if made.exists() and made.read_text("utf-8") == wanted:
        return
    subprocess.run([UV, "venv", "--quiet", "--clear", "--python", "3.11", folder], check=True)
    subprocess.run([UV, "pip", "install", "--quiet", "--python", folder / "bin" / "python", *requirements], check=True)
    made.write_text(wanted, "utf-8")
    print(f"made in .bench: {name}", flush=True)


def unpack(name: str, packages: list[str]) -> None:
    """Unpack a program. Raises OSError or subprocess.CalledProcessError when a package cannot be had."""
    folder = PEERS / name
    if shutil.which(name) or (folder / "usr" / "bin" / name).exists():
        return
    with tempfile.TemporaryDirectory() as downloads:
        subprocess.run(["apt-get", "download", "-qq", *packages], cwd=downloads, check=True)
        for package in Path(downloads).glob("*.deb"):
            subprocess.run(["dpkg", "-x", package, folder], check=True)
    print(f"made in .bench: {name}", flush=True)


def main() -> None:
    failed = []
    for name, packages in PROGRAMS.items():
        try:
            unpack(name, packages)
        except (OSError, subprocess.CalledProcessError) as error:
            failed.append(name)
            print(f"{name} cannot be had: {error}", file=sys.stderr)
    for name, requirements in REQUIREMENTS.items():
        try:
            make(name, requirements)
        except subprocess.CalledProcessError as error:
            failed.append(name)
            print(f"{name} cannot be had: {' '.join(map(str, error.cmd))}", file=sys.stderr)
    if failed:
        sys.exit(f"left out: {', '.join(failed)}; the benchmarks leave their rows out too")


if __name__ == "__main__":
    main()
