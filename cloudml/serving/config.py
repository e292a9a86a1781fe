"""What a server is told: by its command line, else by the variables of the cloud that it finds itself in."""

from __future__ import annotations

import argparse
import os
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cloudml.errors import SettingsError
from cloudml.records import dataclass

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

SAGEMAKER_MODEL = Path("/opt/ml/model")
LOOPBACK, EVERYWHERE = "127.0.0.1", "0.0.0.0"  # noqa: S104  a container is reached from outside
PORT = 8080
MOST_WORKERS = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one server takes on.

    Attributes:
        body_bytes: The largest body; a larger one is refused with 413.
        time: How long a request may take, its wait included; then 504.
        queue: How many requests may wait for the model; one more is refused with 503.
        batch_rows: How many rows are joined for one call of the model; 1 joins none.
        batch_wait: How long requests may wait for others to join, under parallel traffic.
        threads: How many calls of the model run at once.
        drain: How long requests may go on after SIGTERM.
        linger: How long an idle connection is kept open after SIGTERM for a last request.
    """

    body_bytes: int = 6 * 1024 * 1024
    time: timedelta = timedelta(seconds=60)
    queue: int = 256
    batch_rows: int = 64
    batch_wait: timedelta = timedelta(milliseconds=5)
    threads: int = 1
    drain: timedelta = timedelta(seconds=25)
    linger: timedelta = timedelta(seconds=2)


@dataclass(frozen=True, slots=True, kw_only=True)
class Capture:
    """What is recorded.

    Attributes:
        folder: Where Parquet files are written; None records nothing.
        share: Of requests, 0 to 1.
        flush: How long a recorded request may be in memory only.
        rows: A file is closed when it has so many.
        queue: How many requests may wait to be written; more are dropped, and counted.
    """

    folder: Path | None = None
    share: float = 1.0
    flush: timedelta = timedelta(seconds=1)
    rows: int = 10_000
    queue: int = 65_536


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerConfig:
    """Everything that a server is told.

    Attributes:
        model: The folder of the model.
        predictor: ``file.py:Class`` or ``file.py``; looked for in the folder when None.
        code: Where the predictor lies, when it is not in the model's folder.
        name: Of the endpoint: in the Open Inference Protocol, and in what is recorded.
        version: Of the model, likewise.
        fd: A listening socket that is inherited; `host` and `port` do not count then.
        token: What callers have to show; empty asks for none.
        workers: Processes that answer on one socket, and share the memory of a model that is loaded once.
    """

    model: Path
    predictor: str | None = None
    code: Path | None = None
    name: str = "model"
    version: str = "1"
    host: str = LOOPBACK
    port: int = PORT
    fd: int | None = None
    predict_route: str = "/predict"
    health_route: str = "/health"
    token: str = ""
    workers: int = 1
    limits: Limits = Limits()
    capture: Capture = Capture()


def read(argv: Sequence[str], environ: Mapping[str, str]) -> ServerConfig:
    """The configuration in a command line and an environment; the command line goes before.

    Raises:
        SettingsError: No model is named, or a value cannot be used.
        SystemExit: The command line is wrong; what is wrong stands on stderr.
    """
    said = {key: value for key, value in vars(_parser().parse_args(argv)).items() if value is not None}
    around = _from(environ)
    if "model" in said:  # not a container that a cloud has started
        around.pop("host", None)
    found = {**around, **said}
    if "model" not in found:
        raise SettingsError(
            "no model folder is named",
            hint="say --model DIR, or set AZUREML_MODEL_DIR or AIP_STORAGE_URI, or put the model in /opt/ml/model",
        )
    limits = Limits(**{name: found[flag] for flag, name in LIMITS.items() if flag in found})
    capture = Capture(**{name: found[flag] for flag, name in CAPTURE.items() if flag in found})
    rest = {key: value for key, value in found.items() if key not in {*LIMITS, *CAPTURE, "serve"}}
    return ServerConfig(**rest, limits=limits, capture=capture)


def _from(environ: Mapping[str, str]) -> dict[str, Any]:
    """What the variables of a cloud say."""
    found: dict[str, Any] = {}
    for variable, (key, convert) in VARIABLES.items():
        if environ.get(variable):
            found[key] = _converted(variable, environ[variable], convert)
    if SAGEMAKER_MODEL.is_dir():
        found.setdefault("model", SAGEMAKER_MODEL)
    return {"host": EVERYWHERE, **found} if "model" in found else found


def _converted(variable: str, text: str, convert: Any) -> Any:
    try:
        return convert(text)
    except (ValueError, OSError) as error:
        raise SettingsError(f"{variable} cannot be used: {error}", hint=f"it is `{text}`") from error


def _folder(text: str) -> Path:
    if "://" in text:
        message = "it must be a folder here; download the model before the server starts"
        raise ValueError(message)
    return Path(text)


def _azure_folder(text: str) -> Path:
    """The registered folder, which Azure mounts one level below the one that it names."""
    folder = Path(text)
    inside = [path for path in folder.iterdir() if not path.name.startswith(".")]
    return inside[0] if len(inside) == 1 and inside[0].is_dir() else folder


def _token(text: str) -> str:
    token = Path(text).read_text("utf-8").strip()
    if not token:
        message = "the file is empty"
        raise ValueError(message)
    return token


def _route(text: str) -> str:
    return "/" + text.strip("/")


def _seconds(text: str) -> timedelta:
    return timedelta(seconds=float(text))


def _milliseconds(text: str) -> timedelta:
    return timedelta(milliseconds=float(text))


def _share(text: str) -> float:
    share = float(text)
    if not 0 <= share <= 1:
        raise argparse.ArgumentTypeError(f"{text} is no share between 0 and 1")
    return share


def _count(text: str) -> int:
    count = int(text)
    if count < 1:
        raise argparse.ArgumentTypeError(f"{text} is less than 1")
    return count


def _workers(text: str) -> int:
    count = _count(text)
    if count > MOST_WORKERS or (count > 1 and not hasattr(os, "fork")):
        most = MOST_WORKERS if hasattr(os, "fork") else 1
        raise argparse.ArgumentTypeError(f"{text} is more than {most}")
    return count


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m cloudml.serving", description=__doc__)
    parser.add_argument("serve", nargs="?", choices=["serve"], help="what SageMaker says; changes nothing")
    for flag, convert, text in FLAGS:
        parser.add_argument(f"--{flag}", type=convert, metavar=flag.rpartition("-")[2].upper(), help=text)
    return parser


FLAGS: tuple[tuple[str, Any, str], ...] = (
    ("model", Path, "the folder of the model"),
    ("predictor", str, "file.py:Class, or file.py; looked for when it is not named"),
    ("code", Path, "where the predictor lies, when it is not in the model's folder"),
    ("name", str, "of the endpoint"),
    ("version", str, "of the model"),
    ("host", str, "where to listen; 127.0.0.1, or every address in a cloud's container"),
    ("port", int, f"default {PORT}"),
    ("fd", int, "a listening socket that is inherited; nothing is accepted from it until the model is loaded"),
    ("predict-route", _route, "default /predict"),
    ("health-route", _route, "default /health"),
    ("max-body-bytes", _count, "the largest body"),
    ("timeout-seconds", _seconds, "how long a request may take"),
    ("queue", _count, "how many requests may wait"),
    ("batch-rows", _count, "how many rows are joined for one call of the model; 1 joins none"),
    ("batch-wait-milliseconds", _milliseconds, "how long to wait for others to join, under parallel traffic"),
    ("threads", _count, "how many calls of the model run at once"),
    ("workers", _workers, "how many processes answer, and share the memory of a model that is loaded once"),
    ("drain-seconds", _seconds, "how long requests may go on after SIGTERM"),
    ("linger-seconds", _seconds, "how long an idle connection is kept after SIGTERM"),
    ("capture-dir", Path, "record requests and answers there, in Parquet"),
    ("capture-share", _share, "of requests that are recorded, 0 to 1"),
    ("capture-flush-seconds", _seconds, "how long a recorded request may be in memory only"),
    ("capture-rows", _count, "how many rows a file has at most"),
)
LIMITS = {
    "max_body_bytes": "body_bytes",
    "timeout_seconds": "time",
    "queue": "queue",
    "batch_rows": "batch_rows",
    "batch_wait_milliseconds": "batch_wait",
    "threads": "threads",
    "drain_seconds": "drain",
    "linger_seconds": "linger",
}
CAPTURE = {
    "capture_dir": "folder",
    "capture_share": "share",
    "capture_flush_seconds": "flush",
    "capture_rows": "rows",
}
VARIABLES: dict[str, tuple[str, Any]] = {
    "AZUREML_MODEL_DIR": ("model", _azure_folder),
    "AML_APP_ROOT": ("code", Path),
    "AZUREML_ENTRY_SCRIPT": ("predictor", str),
    "AIP_STORAGE_URI": ("model", _folder),
    "AIP_HTTP_PORT": ("port", int),
    "AIP_PREDICT_ROUTE": ("predict_route", _route),
    "AIP_HEALTH_ROUTE": ("health_route", _route),
    "SAGEMAKER_BIND_TO_PORT": ("port", int),
    "SAGEMAKER_PROGRAM": ("predictor", str),
    "CLOUDML_TOKEN_FILE": ("token", _token),
}
"""What the clouds, and a local endpoint's supervisor, set; a later one goes before an earlier one."""
