"""What the benchmarks stand beside, each in an environment of its own under .bench: ``python benchmarks/peers.py``.

They cannot share one: Evidently needs pandas below 3, MLServer another pydantic than dstack. An environment that is
there with the same requirements is left as it is.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from measuring import PEERS

UV = Path(sys.executable).parent / "uv"
REQUIREMENTS = {
    "zenml": ["zenml"],
    "mlflow": ["mlflow"],
    "sky": ["skypilot"],
    "dstack": ["dstack"],
    "evidently": ["evidently==0.7.*", "pandas<3"],
    "mlserver": ["mlserver", "mlserver-sklearn"],
}


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


def main() -> None:
    failed = []
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
