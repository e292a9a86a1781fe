"""The servers that benchmarks/serving.py asks: how each is given the model, started, and asked for the same rows.

Each runs in its own environment, which trains the model itself, from the same numbers, so that no file of another
version of scikit-learn is read.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import measuring

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

COLUMNS = 12
ONE_CORE = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
"""For every server: one worker is one core's worth, and threads that spin while they wait would disturb the others."""
PATIENCE_S = 180
TOKEN = "geheim"
TRAIN = """
import sys, numpy
from sklearn.ensemble import ExtraTreesClassifier, HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
kind, save, folder, columns = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])
random = numpy.random.default_rng(0)
count = 100_000 if kind == "forest" else 5000
rows = random.normal(size=(count, columns))
labels = (rows.sum(axis=1) + random.normal(size=count) > 0).astype(int)
model = {
    "logistic": LogisticRegression(),
    "boosting": HistGradientBoostingClassifier(random_state=0),
    "forest": ExtraTreesClassifier(20, random_state=0),  # some hundred megabytes
}[kind]
model.fit(rows, labels)
if save == "mlflow":
    import mlflow.sklearn
    mlflow.sklearn.save_model(model, folder, serialization_format="cloudpickle")
else:
    import joblib
    joblib.dump(model, folder + "/model.joblib")
"""
BARE = """
import json, socket, sys, joblib, numpy, uvicorn

model = joblib.load(sys.argv[1] + "/model.joblib")

async def app(scope, receive, send):
    body = b""
    more = True
    while more:
        message = await receive()
        body += message["body"]
        more = message["more_body"]
    found = model.predict(numpy.asarray(json.loads(body)["instances"]))
    answer = json.dumps({"predictions": found.tolist()}).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(answer)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": answer})

config = uvicorn.Config(app, log_level="error", access_log=False, lifespan="off")
uvicorn.Server(config).run(sockets=[socket.create_server(("127.0.0.1", int(sys.argv[2])), backlog=512)])
"""
Rows = list[list[float]]


@dataclass(frozen=True, slots=True)
class Asked:
    """How a server is asked: where, with which headers and bodies, and where its answer has the predictions."""

    port: int
    path: str
    body: Callable[[Rows], Any]
    predictions: Callable[[Any], list[Any]]
    headers: tuple[tuple[str, str], ...] = ()
    process: int = 0


def instances(rows: Rows) -> Any:
    return {"instances": rows}


def tensor(rows: Rows) -> Any:
    shape = [len(rows), len(rows[0])]
    return {"inputs": [{"name": "predict", "shape": shape, "datatype": "FP64", "data": rows}]}


def _predictions(answer: Any) -> list[Any]:
    return list(answer["predictions"])


def _tensor(answer: Any) -> list[Any]:
    return list(answer["outputs"][0]["data"])


@contextlib.contextmanager
def bare(folder: Path, kind: str) -> Iterator[Asked]:
    """An ASGI function that calls the model, in our environment: faster than Starlette and a thread for each call."""
    train(sys.executable, kind, "joblib", folder)
    port = free()
    with started([sys.executable, "-c", BARE, folder, str(port)], port, folder) as process:
        yield Asked(port, "/invocations", instances, _predictions, process=process)


@contextlib.contextmanager
def ours(folder: Path, kind: str, *words: str) -> Iterator[Asked]:
    """With everything that an endpoint has: capture of every request, metrics, checks of rows, a token."""
    train(sys.executable, kind, "joblib", folder)
    (folder / "token").write_text(TOKEN, "utf-8")
    port = free()
    command = [sys.executable, "-m", "cloudml.serving", "--model", folder, "--port", str(port)]
    command += ["--capture-dir", folder / "capture", *words]
    env = {"CLOUDML_TOKEN_FILE": str(folder / "token")}
    with started(command, port, folder, env) as process:
        headers = (("Authorization", f"Bearer {TOKEN}"),)
        yield Asked(port, "/invocations", instances, _predictions, headers, process)


def by_tensors(asked: Asked) -> Asked:
    """The same server of ours by the Open Inference Protocol, as MLServer is asked."""
    return Asked(asked.port, "/v2/models/model/infer", tensor, _tensor, asked.headers, asked.process)


@contextlib.contextmanager
def mlflow(python: Path, folder: Path, kind: str) -> Iterator[Asked]:
    train(python, kind, "mlflow", folder / "model")
    port = free()
    command = [python.parent / "mlflow", "models", "serve", "--env-manager", "local", "--workers", "1"]
    command += ["--model-uri", folder / "model", "--host", "127.0.0.1", "--port", str(port)]
    env = {"PATH": f"{python.parent}:{os.environ['PATH']}"}
    with started(command, port, folder, env) as process:
        yield Asked(port, "/invocations", lambda rows: {"inputs": rows}, _predictions, process=process)


@contextlib.contextmanager
def mlserver(python: Path, folder: Path, kind: str, workers: int = 0) -> Iterator[Asked]:
    """Without logging of requests. With 0 workers the model is in the process that answers, which is faster than 1."""
    train(python, kind, "joblib", folder)
    port, *others = free(), free(), free()
    ports = dict(zip(("http_port", "grpc_port", "metrics_port"), (port, *others), strict=True))
    settings = {"debug": False, "host": "127.0.0.1", "parallel_workers": workers, **ports}
    model = {"name": "model", "implementation": "mlserver_sklearn.SKLearnModel", "parameters": {"uri": "model.joblib"}}
    (folder / "settings.json").write_text(json.dumps(settings), "utf-8")
    (folder / "model-settings.json").write_text(json.dumps(model), "utf-8")
    with started([python.parent / "mlserver", "start", folder], port, folder) as process:
        yield Asked(port, "/v2/models/model/infer", tensor, _tensor, process=process)


def train(python: str | Path, kind: str, save: str, folder: Path) -> None:
    measuring.child([python, "-c", TRAIN, kind, save, folder, str(COLUMNS)])


def free() -> int:
    with socket.create_server(("127.0.0.1", 0)) as found:
        return int(found.getsockname()[1])


@contextlib.contextmanager
def started(command: Sequence[Any], port: int, folder: Path, env: dict[str, str] | None = None) -> Iterator[int]:
    """The process of a server whose port can be connected to. Raises RuntimeError with its log when it is not."""
    env = {**os.environ, **ONE_CORE, **(env or {})}
    with (folder / "log.txt").open("wb") as log:
        process = subprocess.Popen(command, cwd=folder, env=env, stdout=log, stderr=log, start_new_session=True)
    try:
        until = time.monotonic() + PATIENCE_S
        while not listens(port):
            if process.poll() is not None or time.monotonic() > until:
                raise RuntimeError((folder / "log.txt").read_text("utf-8")[-2000:])
            time.sleep(0.05)
        yield process.pid
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def answer(asked: Asked, rows: Rows) -> list[Any]:
    """Its predictions. Waits while the model is loading; RuntimeError when it still refuses then."""
    until = time.monotonic() + PATIENCE_S
    headers = {"Content-Type": "application/json", **dict(asked.headers)}
    while True:
        with contextlib.closing(http.client.HTTPConnection("127.0.0.1", asked.port, timeout=PATIENCE_S)) as connection:
            connection.request("POST", asked.path, json.dumps(asked.body(rows)), headers)
            found = connection.getresponse()
            body = found.read()
        if found.status == http.HTTPStatus.OK:
            return asked.predictions(json.loads(body))
        if time.monotonic() > until:
            raise RuntimeError(f"{found.status} {body!r}")
        time.sleep(0.05)


def memory(process: int) -> int:
    """Bytes that a process and all its children hold: what several share counts once."""
    return sum(_held(one) for one in (process, *descendants(process)))


def descendants(process: int) -> list[int]:
    children: dict[int, list[int]] = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            parent = int(path.read_text("utf-8").rpartition(")")[2].split()[1])
            children.setdefault(parent, []).append(int(path.parent.name))
    found, at = list(children.get(process, ())), 0
    while at < len(found):
        found += children.get(found[at], ())
        at += 1
    return found


def _held(process: int) -> int:
    lines = Path(f"/proc/{process}/smaps_rollup").read_text("utf-8").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("Pss:")) * 1024
