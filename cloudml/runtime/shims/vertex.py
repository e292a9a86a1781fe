"""Any model as Vertex AI's serving container: ``python -m cloudml.runtime.shims.vertex FOLDER``.

The folder holds the model's files, and ``code/``, as `cloudml.runtime.adapters` knows it, with requirements.txt where
there are some. Vertex AI says in AIP_HTTP_PORT, AIP_HEALTH_ROUTE and AIP_PREDICT_ROUTE where it asks; health is told
once the model is loaded, and until then the port is open, so that nobody takes the container for dead. Source: "Custom
container requirements for inference" of Vertex AI.

What shall be recorded says an object of the bucket, ``<CLOUDML_HOME>/endpoints/<AIP_ENDPOINT_ID>/
<AIP_DEPLOYED_MODEL_ID>.json``: ``{"capture": share, "to": "gs://…"}``, or none does. Records are lines of JSON in the
form of Vertex AI's own request-response log, and trail the answers by a second or two.
"""

from __future__ import annotations

import json
import os
import queue
import random
import signal
import subprocess
import sys
import threading
import time
import uuid
from datetime import datetime, timezone
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any, Dict, List, NamedTuple, Sequence, Tuple
from urllib.parse import unquote

from cloudml.runtime import adapters, answering, codec, requirements
from cloudml.runtime.contract import ACCEPT, HEALTH, PORT, PREDICT
from cloudml.runtime.shims.gcs import Objects

if TYPE_CHECKING:
    from email.message import Message
    from io import BufferedIOBase

    from cloudml.runtime.model import Model

CAPTURE_S = 1.0
"""So long a file of records waits for more after its first."""
ROWS = 1000
WAITING = 10000
"""So many requests may wait to be recorded; what comes beyond is not."""
LINES = "application/jsonl"


class Recorded(NamedTuple):
    """A request that was answered."""

    time: str
    body: bytes
    content_type: "str | None"
    reply: answering.Reply


class Recorder:
    """Records a share of the requests, beside them and never in their way.

    Args:
        share: Of one.
        to: The folder, ``gs://…``.
        names: The model's columns, by which a CSV is read.
        objects: Where it is written.
    """

    def __init__(self, share: float, to: str, names: Sequence[str], objects: Objects) -> None:
        self._share, self._to, self._names, self._objects = share, to, names, objects
        self._events: "queue.Queue[Recorded | None]" = queue.Queue(WAITING)
        self._random = random.Random()  # noqa: S311  a sample, not a secret
        self._thread = threading.Thread(target=self._write_all, name="capture", daemon=True)
        self._thread.start()

    def offer(self, body: bytes, content_type: "str | None", reply: answering.Reply) -> None:
        """Record a request, if it falls in the sample and there is room."""
        if self._random.random() < self._share and not answering.asks_nothing(body):
            try:
                self._events.put_nowait(Recorded(_now(), body, content_type, reply))
            except queue.Full:
                say("a request was not recorded: the bucket is too slow")

    def close(self) -> None:
        """Write what is left."""
        self._events.put(None)
        self._thread.join()

    def _write_all(self) -> None:
        over = False
        while not over:
            events, over = self._collected()
            if events:
                self._write(events)

    def _collected(self) -> "Tuple[List[Recorded], bool]":
        events: "List[Recorded]" = []
        until = float("inf")
        while len(events) < ROWS:
            left = until - time.monotonic()
            try:
                event = self._events.get(timeout=None if left == float("inf") else max(left, 0))
            except queue.Empty:
                break
            if event is None:
                return events, True
            events.append(event)
            until = min(until, time.monotonic() + CAPTURE_S)
        return events, False

    def _write(self, events: "Sequence[Recorded]") -> None:
        lines = [line for line in (_line(event, self._names) for event in events) if line]
        name = "%s/%s-%s.jsonl" % (self._to, events[0].time.replace(":", ""), uuid.uuid4().hex[:8])
        try:
            self._objects.write(name, "".join(lines).encode("utf-8"), LINES)
        except OSError as error:
            say("%d requests were not recorded: %s" % (len(events), error))


def _line(event: Recorded, names: "Sequence[str]") -> str:
    """A line of the log; empty for a request that cannot be read as rows."""
    try:
        instances = codec.decode(event.body, event.content_type, names).instances
        predictions = codec.predictions(event.reply.body, event.reply.content_type)
    except (adapters.BadRequest, ValueError):
        return ""
    line = {
        "endpoint": os.environ.get("AIP_ENDPOINT_ID", ""),
        "deployed_model_id": os.environ.get("AIP_DEPLOYED_MODEL_ID", ""),
        "logging_time": event.time,
        "request_payload": [json.dumps({"instances": codec.plain(instances)})],
        "response_payload": [json.dumps({"predictions": codec.plain(predictions)})],
    }
    return json.dumps(line) + "\n"


class Serving:
    """What the server answers with, once it is there."""

    def __init__(self) -> None:
        self.model: "Model | None" = None
        self.recorder: "Recorder | None" = None
        self._lock = threading.Lock()

    def answer(self, body: bytes, content_type: "str | None", accept: "str | None") -> answering.Reply:
        """The answer to one request. One at a time: predictors need not be made for several."""
        if self.model is None:
            return answering.failed(503, "the model is being loaded", uuid.uuid4().hex)
        with self._lock:
            reply = answering.answer(self.model, body, content_type, accept)
        if self.recorder is not None and reply.status == 200:  # noqa: PLR2004
            self.recorder.offer(body, content_type, reply)
        return reply


def received(headers: Message, stream: BufferedIOBase) -> bytes:
    """The body of a request: as long as it says, or in chunks."""
    if headers.get("Transfer-Encoding", "").lower() != "chunked":
        return stream.read(int(headers.get("Content-Length") or 0))
    body = b""
    size = _size(stream)
    while size:
        body += stream.read(size)
        stream.readline()
        size = _size(stream)
    while stream.readline().strip():
        pass  # headers that come after the body
    return body


def _size(stream: BufferedIOBase) -> int:
    """The size of the next chunk, which stands in a line of its own."""
    return int(stream.readline().partition(b";")[0], 16)


def handler(serving: Serving) -> type:
    """The handler of requests."""
    health = os.environ.get("AIP_HEALTH_ROUTE") or HEALTH
    predict = os.environ.get("AIP_PREDICT_ROUTE") or PREDICT

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True
        wbufsize = -1

        def do_GET(self) -> None:
            if self._path() != health:
                return self._send(answering.failed(404, "no such path", uuid.uuid4().hex))
            ready = serving.model is not None
            return self._send(answering.Reply(200 if ready else 503, b"{}", codec.JSON))

        def do_POST(self) -> None:
            body = received(self.headers, self.rfile)
            if self._path() != predict:
                return self._send(answering.failed(404, "no such path", uuid.uuid4().hex))
            kind = self.headers.get("Content-Type")
            return self._send(serving.answer(body, kind, wanted(kind) or self.headers.get("Accept")))

        def _path(self) -> str:
            return self.path.partition("?")[0]

        def _send(self, reply: answering.Reply) -> None:
            self.send_response(reply.status)
            self.send_header("Content-Type", reply.content_type)
            self.send_header("Content-Length", str(len(reply.body)))
            self.end_headers()
            self.wfile.write(reply.body)

        def log_message(self, *_: Any) -> None:
            """No line for every request: Vertex AI counts them."""

    return Handler


def wanted(content_type: "str | None") -> str:
    """What a content type says is wanted in return; empty where it says nothing."""
    return unquote(codec.parsed_type(content_type or "")[1].get(ACCEPT, ""))


def install(folder: Path) -> None:
    """Install what the model's code asks for.

    Raises:
        InstallError: It cannot be.
    """
    file = folder / "code" / "requirements.txt"
    if file.is_file():

        def run(command: "Sequence[str]", where: str) -> int:
            return subprocess.run(command, cwd=where, check=False).returncode

        requirements.install(str(file), None, run=run, say=say, stopped=lambda: False)


def recorder(model: Model) -> "Recorder | None":
    """What records, where the endpoint asks for that."""
    home, endpoint = os.environ.get("CLOUDML_HOME"), os.environ.get("AIP_ENDPOINT_ID")
    if not home or not endpoint:
        return None
    objects = Objects()
    place = "%s/endpoints/%s/%s.json" % (home, endpoint, os.environ.get("AIP_DEPLOYED_MODEL_ID", ""))
    try:
        found = objects.read(place)
    except OSError as error:
        say("%s cannot be read, so nothing is recorded: %s" % (place, error))
        return None
    said: "Dict[str, Any]" = json.loads(found) if found else {}
    if not said.get("capture"):
        return None
    return Recorder(float(said["capture"]), str(said["to"]), model.names, objects)


def main(argv: "Sequence[str]") -> int:
    """Serve the model in a folder until SIGTERM; 1 when it cannot be loaded."""
    folder, serving = Path(argv[0]), Serving()
    stopped = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stopped.set())
    server = ThreadingHTTPServer(("0.0.0.0", int(os.environ.get("AIP_HTTP_PORT") or PORT)), handler(serving))  # noqa: S104  how Vertex AI reaches it
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, name="server", daemon=True).start()
    try:
        install(folder)
        model = adapters.load(folder)
    except (adapters.ModelError, requirements.InstallError) as error:
        sys.stderr.write("cannot serve: %s\n" % error)
        return 1
    say("serving a model of kind %s from %s" % (model.kind, os.path.relpath(model.source, str(folder))))
    serving.recorder = recorder(model)
    serving.model = model
    stopped.wait()
    server.shutdown()
    if serving.recorder is not None:
        serving.recorder.close()
    return 0


def say(text: str) -> None:
    """A line of the log."""
    print(text, flush=True)


def _now() -> str:
    return datetime.now(timezone.utc).isoformat()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
