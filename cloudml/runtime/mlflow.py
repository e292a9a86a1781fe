"""Metrics to the MLflow interface of the run that a container works for, without MLflow: one POST for each point.

Azure ML tells a container where its run is tracked, and hands it a token: MLFLOW_TRACKING_URI
(``azureml://westeurope.api.azureml.ms/mlflow/v1.0/subscriptions/…``), MLFLOW_TRACKING_TOKEN and MLFLOW_RUN_ID. Source
of the paths: azureml-mlflow, and the REST interface of MLflow 2.0.

A point that cannot be sent is no reason to end a run: it is in the record, and after a few failures no more are tried.
"""

from __future__ import annotations

import json
import math
import os
import sys
from datetime import datetime
from typing import TYPE_CHECKING, Any, Mapping

from cloudml.runtime import contract

if TYPE_CHECKING:
    from cloudml.runtime.record import Metric

NEEDED = ("MLFLOW_TRACKING_URI", "MLFLOW_TRACKING_TOKEN", "MLFLOW_RUN_ID")
ANSWER_S = 10.0
FAILURES = 3
PATH = "/api/2.0/mlflow/runs/log-metric"
MS = 1000
_failed = []  # type: list[str]


def tracked(environ: Mapping[str, str]) -> bool:
    """Whether this container's run is tracked by Azure ML."""
    return environ.get(contract.PROVIDER) == "azure" and all(environ.get(name) for name in NEEDED)


def log(point: Metric, environ: "Mapping[str, str] | None" = None) -> None:
    """Send a point, if the run is tracked."""
    found = os.environ if environ is None else environ
    if not tracked(found) or len(_failed) >= FAILURES or not math.isfinite(point.value):
        return
    try:
        _send(
            address(found["MLFLOW_TRACKING_URI"]), body(point, found["MLFLOW_RUN_ID"]), found["MLFLOW_TRACKING_TOKEN"]
        )
    except (OSError, ValueError) as error:
        _failed.append(str(error))
        print("cloudml: the metric %s is in the record only: %s" % (point.name, error), file=sys.stderr, flush=True)


def address(uri: str) -> str:
    """Where points go, by the tracking address."""
    base = uri.partition("?")[0].rstrip("/").replace("azureml://", "https://", 1)
    return base + PATH


def body(point: Metric, run: str) -> "dict[str, Any]":
    """The request of a point."""
    moment = datetime.fromisoformat(point.time).timestamp() * MS
    return {
        "run_id": run,
        "run_uuid": run,
        "key": point.name,
        "value": point.value,
        "timestamp": int(moment),
        "step": point.step or 0,
    }


def _send(url: str, document: "Mapping[str, Any]", token: str) -> None:
    import ssl  # both take longer to load than most scripts need of this file
    import urllib.request

    headers = {"Content-Type": "application/json", "Authorization": "Bearer " + token}
    request = urllib.request.Request(url, json.dumps(document).encode("utf-8"), headers)  # noqa: S310  Azure ML's own
    trusted = os.environ.get("REQUESTS_CA_BUNDLE") or None
    urllib.request.urlopen(request, timeout=ANSWER_S, context=ssl.create_default_context(cafile=trusted)).close()  # noqa: S310  as above
