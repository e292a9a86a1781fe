"""How many requests a second the server answers: joined, one by one, and by a bare Starlette app around the same model.

All three run in turn on this machine, in processes of their own, under the same clients, several rounds; only ratios of
the medians are printed, because only they mean something on another machine.

    python benchmarks/serving.py [--seconds 2] [--clients 16] [--rounds 3]
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import joblib
from sklearn.datasets import load_iris
from sklearn.ensemble import RandomForestClassifier

BARE = """
import socket, sys, joblib, uvicorn
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.responses import JSONResponse
from starlette.routing import Route

model = joblib.load(sys.argv[1] + "/model.joblib")

async def predict(request):
    body = await request.json()
    found = await run_in_threadpool(model.predict, body["instances"])
    return JSONResponse({"predictions": found.tolist()})

app = Starlette(routes=[Route("/invocations", predict, methods=["POST"])])
config = uvicorn.Config(app, log_level="error", access_log=False)
uvicorn.Server(config).run(sockets=[socket.socket(fileno=int(sys.argv[2]))])
"""
SERVER = [sys.executable, "-m", "cloudml.serving", "--model"]


def commands(folder: str, fd: str) -> dict[str, list[str]]:
    return {
        "joined": [*SERVER, folder, "--fd", fd],
        "one by one": [*SERVER, folder, "--fd", fd, "--batch-rows", "1"],
        "bare starlette": [sys.executable, "-c", BARE, folder, fd],
    }


def answered(port: int, clients: int, seconds: float) -> float:
    """Requests answered a second."""
    counts = [0] * clients
    until = time.monotonic() + seconds
    body = json.dumps({"instances": [[5.1, 3.5, 1.4, 0.2]]})

    def run(number: int) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port)
        while time.monotonic() < until:
            connection.request("POST", "/invocations", body, {"Content-Type": "application/json"})
            answer = connection.getresponse()
            assert json.loads(answer.read()) == {"predictions": [0]}, answer.status
            counts[number] += 1
        connection.close()

    threads = [threading.Thread(target=run, args=(number,)) for number in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(counts) / seconds


def measured(name: str, folder: str, clients: int, seconds: float) -> float:
    with socket.create_server(("127.0.0.1", 0), backlog=128) as listener:
        fd = listener.fileno()
        environ = {**os.environ, "PYTHONWARNINGS": "ignore"}
        command = commands(folder, str(fd))[name]
        process = subprocess.Popen(command, pass_fds=[fd], env=environ, stderr=subprocess.DEVNULL)
        try:
            port = listener.getsockname()[1]
            answered(port, 1, 0.5)  # it is loaded, and warm
            return answered(port, clients, seconds)
        finally:
            process.terminate()
            process.wait()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=2)
    parser.add_argument("--clients", type=int, default=16)
    parser.add_argument("--rounds", type=int, default=3)
    said = parser.parse_args()
    rates: dict[str, list[float]] = {name: [] for name in commands("", "")}
    with tempfile.TemporaryDirectory() as folder:
        model = RandomForestClassifier(20, random_state=0).fit(*load_iris(return_X_y=True))
        joblib.dump(model, Path(folder) / "model.joblib")
        for _ in range(said.rounds):
            for name, found in rates.items():
                found.append(measured(name, folder, said.clients, said.seconds))
    median = {name: statistics.median(found) for name, found in rates.items()}
    for other in ("one by one", "bare starlette"):
        print(f"joined / {other}: {median['joined'] / median[other]:.2f}")


if __name__ == "__main__":
    main()
