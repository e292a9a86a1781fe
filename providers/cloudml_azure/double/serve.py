"""What runs in the place of Azure ML's inference server: ``python -m cloudml_azure.double.serve PORT``.

Its contract, as azureml-inference-server-http has it: the script that AZUREML_ENTRY_SCRIPT names is imported, `init()`
called once, and `run(data)` for every request at /score, with the body as text, or with the request itself when the
script has decorated it with `rawhttp`. GET / says that it lives. What run() gives back becomes JSON, or is an
AMLResponse; an exception becomes 500. The modules that scripts import for that are here, when the real ones are not
installed.
"""

from __future__ import annotations

import importlib.util
import inspect
import json
import os
import sys
import time
import traceback
import types
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

CRASHED = 3
FAILED = "An unexpected error occurred in scoring script. Check the logs for more info."
HEADERS = ("x-ms-client-request-id", "x-ms-request-id", "x-request-id")


class AMLResponse:
    """An answer with a status and headers of its own."""

    def __init__(
        self,
        message: Any,
        status_code: int,
        response_headers: Mapping[str, str] | None = None,
        *,
        json_str: bool = False,
    ) -> None:
        text = json.dumps(message) if json_str else message
        self.body = text if isinstance(text, bytes) else str(text).encode()
        self.status_code, self.headers = status_code, dict(response_headers or {})
        if json_str:
            self.headers.setdefault("Content-Type", "application/json")


class AMLRequest:
    """A request as a script sees it that has asked for it: what it shares with Flask's."""

    def __init__(self, method: str, target: str, headers: Mapping[str, str], body: bytes) -> None:
        parts = urlsplit(target)
        self.method, self.path, self.full_path, self.headers = method, parts.path, target, headers
        self.args, self.data = dict(parse_qsl(parts.query)), body
        self.content_type = headers.get("Content-Type")

    def get_data(self, *, as_text: bool = False, **_: Any) -> Any:
        """The body."""
        return self.data.decode() if as_text else self.data

    def get_json(self, **_: Any) -> Any:
        """The body as JSON."""
        return json.loads(self.data)

    @property
    def json(self) -> Any:
        return self.get_json()


def rawhttp(function: Callable[..., Any]) -> Callable[..., Any]:
    """Mark a `run` that wants the request itself."""
    function.__dict__["rawhttp"] = True
    return function


def stand_in() -> None:
    """Make the modules that scripts import from, unless the real ones are installed."""
    if importlib.util.find_spec("azureml_inference_server_http") is not None:
        return
    for package, names in (
        ("azureml_inference_server_http", ("api", "api.aml_request", "api.aml_response")),
        ("azureml", ("contrib", "contrib.services", "contrib.services.aml_request", "contrib.services.aml_response")),
    ):
        for name in ("", *names):
            module = types.ModuleType(f"{package}.{name}".rstrip("."))
            module.__path__ = []
            module.__dict__.update(AMLRequest=AMLRequest, AMLResponse=AMLResponse, rawhttp=rawhttp)
            sys.modules[module.__name__] = module


def load() -> Any:
    """The script, initialised."""
    script = os.environ["AZUREML_ENTRY_SCRIPT"]
    sys.path.insert(0, os.path.dirname(script))  # noqa: PTH120  as the server does
    found = importlib.util.spec_from_file_location("entry_module", script)
    assert found is not None
    assert found.loader is not None
    module = importlib.util.module_from_spec(found)
    sys.modules["entry_module"] = module
    found.loader.exec_module(module)
    module.init()
    return module.run


class Handler(BaseHTTPRequestHandler):
    """Answers; `run` is the script's."""

    run: Callable[..., Any]
    protocol_version = "HTTP/1.1"
    wbufsize = -1
    disable_nagle_algorithm = True

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  its name in the standard library
        del format, args

    def do_GET(self) -> None:
        """Say that it lives, or score what stands in the query."""
        path = urlsplit(self.path).path
        if path == "/":
            self._send(200, b"Healthy", {"Content-Type": "text/html; charset=utf-8"})
        elif path == "/swagger.json":
            document = {"swagger": "2.0", "info": {"title": "ML service", "version": "1"}, "paths": {"/score": {}}}
            self._send(200, json.dumps(document).encode(), {"Content-Type": "application/json"})
        else:
            self.do_POST()

    def do_POST(self) -> None:
        """Score."""
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if urlsplit(self.path).path != "/score":
            self._send(404, b"Not Found", {"Content-Type": "text/plain"})
            return
        began = time.perf_counter()
        try:
            status, headers, content = _answer(self._called(body))
        except Exception:  # noqa: BLE001  whatever the script raises
            sys.stdout.write(traceback.format_exc())
            sys.stdout.flush()
            document = json.dumps({"message": FAILED}).encode()
            status, headers, content = 500, {"x-ms-run-function-failed": "True"}, document
        took = f"{(time.perf_counter() - began) * 1000:.3f}"
        self._send(status, content, {"Content-Type": "application/json", "x-ms-run-fn-exec-ms": took, **headers})

    def _called(self, body: bytes) -> Any:
        run, query = self.run, dict(parse_qsl(urlsplit(self.path).query))
        if run.__dict__.get("rawhttp"):
            return run(AMLRequest(self.command, self.path, dict(self.headers.items()), body))
        text = json.dumps(query) if self.command == "GET" else body.decode()
        named = list(inspect.signature(run).parameters)
        more = {"request_headers": dict(self.headers.items())} if "request_headers" in named else {}
        first = [name for name in named if name != "request_headers"]
        return run(**{first[0]: text}, **more) if first else run(**more)

    def _send(self, status: int, body: bytes, headers: Mapping[str, str]) -> None:
        number = self.headers.get("x-ms-client-request-id") or str(uuid.uuid4())
        self.send_response_only(status)
        facts = {**dict.fromkeys(HEADERS, number), "x-ms-server-version": "cloudml-double", **headers}
        for name, value in facts.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def _answer(found: Any) -> tuple[int, dict[str, str], bytes]:
    if isinstance(found, AMLResponse):
        return found.status_code, found.headers, found.body
    if hasattr(found, "get_data") and hasattr(found, "status_code"):  # a response of the real package, or of Flask
        return int(found.status_code), dict(found.headers), bytes(found.get_data())
    return 200, {}, json.dumps(found).encode()


def main(port: int) -> int:
    """Serve until told to stop; the exit code."""
    stand_in()
    try:
        Handler.run = staticmethod(load())
    except Exception:  # noqa: BLE001  whatever the script raises
        sys.stdout.write(traceback.format_exc())
        sys.stdout.flush()
        return CRASHED
    ThreadingHTTPServer(("127.0.0.1", port), Handler).serve_forever()
    return 0


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1])))
