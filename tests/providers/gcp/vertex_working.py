"""Resources and settings that the tests of the GCP provider share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cloudml.identity import digest
from cloudml.resources import EndpointResource, Identity, JobResource, ModelResource, MonitorResource
from cloudml.source import collect
from cloudml.specs import EndpointSpec, JobSpec, ModelSpec, MonitorSpec
from cloudml_gcp.places import Places
from cloudml_gcp.settings import GcpSettings

if TYPE_CHECKING:
    from pathlib import Path

SETTINGS = GcpSettings(
    project_id="acme",
    region="europe-west4",
    bucket="acme-ml",
    service_account="cloudml@acme.iam.gserviceaccount.com",
)
PLACES = Places("acme-ml", "cloudml/flights")


def identity(resource: str) -> Identity:
    return Identity(project="flights", resource=resource, hash=digest(resource))


def job(folder: Path, **changes: Any) -> JobResource:
    """A job with one input and one output, with *changes* to its spec."""
    (folder / "train.py").write_text("print('trained')\n")
    base: dict[str, Any] = {
        "name": "train",
        "script": "train.py",
        "inputs": {"table": "datasets.table"},
        "outputs": ("model",),
        "timeout": "1h",
    }
    return JobResource(
        spec=JobSpec(**{**base, **changes}),
        identity=identity("jobs.train"),
        source=collect(folder, "train.py", exclude=()),
        inputs={"table": "gs://acme-ml/cloudml/flights/datasets/flights-table-1"},
    )


def model(folder: Path, artifact: str, *, predictor: str | None = None, **changes: Any) -> ModelResource:
    """A version of a model whose files lie at *artifact*; its predictor's code is in *folder*."""
    spec = ModelSpec(name="delay", source="jobs.train.model", predictor=predictor)
    source = collect(folder, predictor.partition(":")[0]) if predictor else None
    said = {"job": "flights-train-1", **changes}
    return ModelResource(spec=spec, identity=identity("models.delay"), artifact=artifact, source=source, **said)


def endpoint(model_name: str = "flights-delay-0123456789", **changes: Any) -> EndpointResource:
    spec = EndpointSpec(**{"name": "delay", "model": "models.delay", "capture": 1.0, **changes})
    return EndpointResource(spec=spec, identity=identity("endpoints.delay"), model=model_name)


def monitor(**changes: Any) -> MonitorResource:
    base: dict[str, Any] = {
        "name": "drift",
        "endpoint": "endpoints.delay",
        "baseline": "datasets.table",
        "checks": ({"metric": "psi", "max": 0.2},),
    }
    return MonitorResource(
        spec=MonitorSpec(**{**base, **changes}),
        identity=identity("monitors.drift"),
        endpoint="flights-delay",
        baseline="gs://acme-ml/cloudml/flights/datasets/flights-table-1",
    )
