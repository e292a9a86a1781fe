"""The specs that the conformance tests share; each test changes what it is about."""

from __future__ import annotations

from typing import Any

from cloudml.specs import DatasetSpec, EndpointSpec, JobSpec, ModelSpec, MonitorSpec

TABLE = DatasetSpec(name="table", path="data/*.csv", label="weight")
MODEL = ModelSpec(name="scale", source="jobs.train.model", predictor="predict.py:Predictor")
ENDPOINT = EndpointSpec(name="scale", model="models.scale", capture=1.0)
ROWS = [{"weight": 80}, {"weight": 77.25}]
"""What it is asked; it answers with 2.75 and 0.0."""


def job(name: str = "train", **changes: Any) -> JobSpec:
    """The job that trains on the table, with *changes*."""
    base: dict[str, Any] = {
        "name": name,
        "script": "train.py",
        "inputs": {"table": "datasets.table"},
        "outputs": ("model",),
        "metrics": ("mean", "rows"),
        "timeout": "5m",
    }
    return JobSpec(**{**base, **changes})


def script(name: str, **changes: Any) -> JobSpec:
    """A job of that script which reads and writes nothing, with *changes*."""
    return JobSpec(**{"name": name.partition(".")[0], "script": name, "timeout": "5m", **changes})


def monitor(**changes: Any) -> MonitorSpec:
    """A monitor of the endpoint against the table, with *changes*."""
    base: dict[str, Any] = {
        "name": "drift",
        "endpoint": "endpoints.scale",
        "baseline": "datasets.table",
        "checks": ({"metric": "psi", "max": 0.2}, {"metric": "missing", "max": 0.05}),
    }
    return MonitorSpec(**{**base, **changes})


SETTINGS: dict[str, dict[str, str]] = {
    "local": {},
    "aws": {"region": "eu-west-1", "bucket": "acme-ml", "role_arn": "arn:aws:iam::111122223333:role/cloudml"},
    "azure": {
        "subscription_id": "00000000-0000-0000-0000-000000000000",
        "resource_group": "ml",
        "workspace": "acme",
        "region": "westeurope",
        "storage_account": "acmeml",
        "container": "cloudml",
    },
    "gcp": {
        "project_id": "acme",
        "region": "europe-west4",
        "bucket": "acme-ml",
        "service_account": "cloudml@acme.iam.gserviceaccount.com",
    },
}
"""What a target of each provider says in tests; what its double then provides."""
