"""What runs in the calling process instead of one of its own: jobs for a debugger, models without a socket."""

from __future__ import annotations

import json
import runpy
import sys
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cloudml.runtime import running
from cloudml_local import processes
from cloudml_local.models import CARD

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cloudml.resources import JobResource
    from cloudml.serving.local import Local
    from cloudml_local.places import Run


def run(resource: JobResource, request: Mapping[str, Any], run: Run) -> None:
    """Run the script as ``__main__`` of this process, where breakpoints work; how it ended is in its record.

    What the script raises is printed and ends the job, as in a process of its own; an interrupt goes through.
    """
    from cloudml.source import pack

    processes.remove(run.folder)
    run.folder.mkdir(parents=True)
    pack(resource.source, run.code)
    try:
        with running(request):
            runpy.run_path(str(run.code / resource.spec.script), run_name="__main__")
    except SystemExit:
        return
    except Exception:  # noqa: BLE001  a script may raise anything; the record says what
        traceback.print_exc()


def local_model(body: Mapping[str, Any]) -> Local:
    """The model of an endpoint's request, loaded here; its packages must be those of this Python, or installed before.

    Raises:
        ModelError: It cannot be loaded.
    """
    from cloudml.serving.local import Local

    folder = Path(body["folder"])
    card = json.loads((folder / CARD).read_text("utf-8"))
    if card["site"] and card["site"] not in sys.path and Path(card["site"]).is_dir():
        sys.path.insert(0, card["site"])
    return Local.load(folder / "model", card["predictor"], folder / "code" if card["predictor"] else None)
