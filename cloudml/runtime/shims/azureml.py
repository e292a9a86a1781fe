"""Any model under Azure ML's inference server, by the two functions that it calls: ``init()`` and ``run(data)``.

The script that the server imports asks for the request itself, whose body would else be text whatever its type is. What
`run` gives back decides the status: an answer of ours leaves as the server's own response object, with its status and
content type.

What is to be recorded goes to the collector beside the container by one POST a collection, as Azure ML's own package
does it: CloudEvents headers, a JSON list of rows. A thread of its own sends it, so that no answer waits for it.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import queue
import random
import subprocess
import sys
import threading
import time
import urllib.request
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any, List, Mapping, NamedTuple, Tuple

from cloudml.runtime import adapters, answering, codec, requirements
from cloudml.runtime.refusal import BadRequest, ModelError

if TYPE_CHECKING:
    from cloudml.runtime.model import Model

SUCCESS = 200
INPUTS, OUTPUTS = "model_inputs", "model_outputs"
WAITING = 1500
"""So many requests may wait to be recorded; further ones are not, as with Azure ML's own package."""
COLLECTOR_S = 5.0
REQUIREMENTS = "requirements.txt"
SITE = "cloudml-site"


class _State:
    """What `init` made for `run`."""

    model: "Model | None" = None
    recorder: "Recorder | None" = None


def init(code: str) -> None:
    """Find and load the model.

    Args:
        code: The folder with the code asset: score.py, source/, runtime/ and perhaps requirements.txt.

    Raises:
        ModelError: There is no model of ours, or it cannot be served; the text says what was found.
    """
    install(Path(code) / REQUIREMENTS)
    folder = found(Path(os.environ.get("AZUREML_MODEL_DIR", ".")))
    _State.model = adapters.load(folder)
    _State.recorder = Recorder(shares(os.environ)) if shares(os.environ) else None
    print("serving a model of kind %s from %s" % (_State.model.kind, folder), flush=True)


def found(root: Path) -> Path:
    """The model's folder: the one whose `code` folder has the card, at whatever depth Azure ML has put it.

    Raises:
        ModelError: There is none, or more than one.
    """
    cards = sorted(root.rglob("code/" + adapters.CARD))
    if len(cards) != 1:
        there = ", ".join(sorted(path.name for path in root.iterdir())) if root.is_dir() else "nothing"
        raise ModelError(
            "below %s there are %d models of cloudml, and one was expected; there is: %s" % (root, len(cards), there)
        )
    return cards[0].parent.parent


def install(file: Path) -> None:
    """Install the model's requirements, once on a machine however many workers there are.

    Raises:
        ModelError: They cannot be installed; the text has pip's last words.
    """
    if not file.is_file():
        return
    site, said = os.path.join(os.path.expanduser("~"), SITE), []  # type: Tuple[str, List[str]]

    def run_pip(line: Any, cwd: str) -> int:
        done = subprocess.run(line, cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
        said.append(done.stdout)
        return done.returncode

    try:
        requirements.install(str(file), site, run=run_pip, say=print, stopped=lambda: False)
    except requirements.InstallError as error:
        raise ModelError(str(error) or requirements.reason(str(file), "".join(said))) from error
    sys.path.insert(0, site)


def run(body: bytes, headers: "Mapping[str, str]") -> Any:
    """The answer to one request, as the server takes it."""
    assert _State.model is not None
    named = {key.lower(): value for key, value in headers.items()}
    kind, accept = named.get("content-type"), named.get("accept")
    reply = answering.answer(_State.model, body, kind, accept)
    if _State.recorder is not None and reply.status == SUCCESS and not answering.asks_nothing(body):
        _State.recorder.record(rows(_State.model, body, kind, reply))
    return response(reply)


def response(reply: answering.Reply) -> Any:
    """An answer as the server sends it, with its status and type."""
    try:
        module = importlib.import_module("azureml_inference_server_http.api.aml_response")
    except ImportError:  # in older images it is called so
        module = importlib.import_module("azureml.contrib.services.aml_response")
    return module.AMLResponse(reply.body, reply.status, {"Content-Type": reply.content_type})


class Rows(NamedTuple):
    """What one request asked and was answered."""

    inputs: List[Any]
    outputs: List[Any]


def rows(model: "Model", body: bytes, kind: "str | None", reply: answering.Reply) -> "Rows | None":
    """The rows of a request and of its answer; None where the two cannot be read as rows."""
    try:
        asked = codec.decode(body, kind, getattr(model, "names", ())).instances
        said = json.loads(reply.body)
    except (BadRequest, ValueError):
        return None
    answers = said.get("predictions") if isinstance(said, dict) else said
    return Rows(asked, answers) if isinstance(answers, list) else None


def shares(environ: Mapping[str, str]) -> "dict[str, float]":
    """Collection to the share of requests that is recorded; empty where nothing is."""
    path = environ.get("AZUREML_MDC_CONFIG_PATH", "")
    if path and os.path.isfile(path):
        with open(path, encoding="utf-8") as file:
            collections = json.load(file).get("collections", {})
        return {
            name: float(one.get("sampleRatePercentage", 100.0)) / 100.0
            for name, one in collections.items()
            if one.get("enabled")
        }
    return dict.fromkeys((INPUTS, OUTPUTS), 1.0) if environ.get("AZUREML_MDC_ENABLED", "").lower() == "true" else {}


class Recorder:
    """Sends what is recorded to the collector.

    Args:
        shares: Collection to the share of requests.
    """

    def __init__(self, shares: Mapping[str, float]) -> None:
        self._shares = shares
        self._queue: "queue.Queue[Tuple[Rows, float, str]]" = queue.Queue(WAITING)
        threading.Thread(target=self._send_all, name="cloudml-recorder", daemon=True).start()

    def record(self, found: "Rows | None") -> None:
        """Have a request recorded, or not: one draw decides for what was asked and what was answered."""
        if found is None or random.random() >= max(self._shares.values()):  # noqa: S311  no secret
            return
        with contextlib.suppress(queue.Full):
            self._queue.put_nowait((found, time.time(), uuid.uuid4().hex))

    def _send_all(self) -> None:
        """Answers go first: whoever counts what was asked finds the answers there."""
        while True:
            found, moment, number = self._queue.get()
            for collection, listed in ((OUTPUTS, named(found.outputs)), (INPUTS, found.inputs)):
                if collection in self._shares:
                    try:
                        send(collection, listed, moment, number)
                    except OSError as error:
                        print("cloudml: the request could not be recorded: %s" % error, file=sys.stderr, flush=True)


def named(predictions: List[Any]) -> List[Any]:
    """Predictions as rows with a name, which tables need."""
    return [one if isinstance(one, (dict, list)) else {"prediction": one} for one in predictions]


def send(collection: str, listed: List[Any], moment: float, number: str) -> None:
    """Hand rows to the collector.

    Raises:
        OSError: It does not take them.
    """
    environ = os.environ
    url = "http://%s:%s/modeldata/log" % (
        environ.get("AZUREML_MDC_HOST", "127.0.0.1"),
        environ.get("AZUREML_MDC_PORT", "50011"),
    )
    headers = {
        "Content-Type": "application/json",
        "ce-type": "azureml.inference.%s" % collection,
        "ce-time": str(int(moment)),
        "ce-collect-data-type": "pandas.core.frame.DataFrame",
        "ce-agent": "cloudml",
        "ce-x-request-id": number,
        "trace-id": number,
    }
    request = urllib.request.Request(url, json.dumps(listed).encode("utf-8"), headers)  # noqa: S310  always http
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    opener.open(request, timeout=COLLECTOR_S).close()
