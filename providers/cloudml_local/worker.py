"""One process that answers for an endpoint: ``python -m cloudml_local.worker REQUEST LISTENER LIFELINE TIDINGS``.

It installs the model's packages, loads the model, tells the supervisor that it is ready, and serves from the
supervisor's socket until it is told to stop or the supervisor is gone.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cloudml_local.models import CARD

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

DRAIN_S = 30.0
"""How long requests may go on after the supervisor is gone."""


def arguments(body: Mapping[str, Any], card: Mapping[str, Any], listener: int) -> list[str]:
    """The command line of cloudml.serving for an endpoint's request and its model's card."""
    folder = Path(body["folder"])
    said: dict[str, Any] = {
        "--model": folder / "model",
        "--name": body["name"],
        "--version": card["version"],
        "--fd": listener,
    }
    if card["predictor"]:
        said |= {"--predictor": card["predictor"], "--code": folder / "code"}
    if body["capture"]:
        said |= {"--capture-dir": body["capture_folder"], "--capture-share": body["capture"]}
    return [str(word) for pair in said.items() for word in pair]


def install(card: Mapping[str, Any], folder: Path) -> None:
    """Install the model's requirements beside those of others who ask for the same, and let this process import them.

    Raises:
        InstallError: They cannot be installed; the log has pip's words.
    """
    from cloudml.runtime import requirements

    if not card["requirements"]:
        return

    def pip(line: Sequence[str], cwd: str) -> int:
        return subprocess.run(line, cwd=cwd, check=False).returncode

    def say(text: str) -> None:
        sys.stdout.write(f"{text}\n")

    file = str(folder / "requirements.txt")
    try:
        requirements.install(file, card["site"], run=pip, say=say, stopped=lambda: False)
    except requirements.InstallError as error:
        raise requirements.InstallError(str(error) or "the model's requirements could not be installed") from error
    sys.path.insert(0, card["site"])


def watch(lifeline: int) -> None:
    """End this process when the other end of *lifeline* closes."""

    def wait() -> None:
        os.read(lifeline, 1)
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(DRAIN_S)
        os._exit(1)

    threading.Thread(target=wait, name="lifeline", daemon=True).start()


def main(request: str, listener: str, lifeline: str, tidings: str) -> int:
    """Serve until told to stop; the exit code."""
    from cloudml.serving.__main__ import main as serve

    watch(int(lifeline))
    body = json.loads(request)
    folder = Path(body["folder"])
    card = json.loads((folder / CARD).read_text("utf-8"))
    install(card, folder)
    return serve(arguments(body, card, int(listener)), ready=lambda: os.write(int(tidings), b"1"))


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
