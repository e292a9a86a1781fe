"""What a user of the official high-level SDK writes; run by test_sdk.py in a process of its own, as it takes seconds.

It says on one line what it sees of cloudml's and what it has made, waits until its input ends, and removes the latter.
Nothing here knows of the double but its address, to which the name of a dedicated endpoint leads.
"""

from __future__ import annotations

import json
import sys
from typing import Any
from urllib.parse import urlsplit

from google.auth.credentials import AnonymousCredentials
from google.cloud import aiplatform
from requests import Session
from requests.adapters import HTTPAdapter

IMAGE = "europe-docker.pkg.dev/cloudml-double/images/image:1"
MINE = {"cloudml-project": "flights", "made": "officially"}
OURS = "labels.cloudml-project=flights"


class Led(HTTPAdapter):
    """Every host is the double, which is told the name that was meant."""

    def __init__(self, url: str) -> None:
        super().__init__()
        self.url = url

    def send(self, request: Any, *given: Any, **said: Any) -> Any:
        meant = urlsplit(request.url)
        request.headers["Host"], request.url = meant.netloc, f"{self.url}{meant.path}"
        return super().send(request, *given, **said)


def led(url: str) -> Session:
    session = Session()
    session.mount("https://", Led(url))
    return session


def seen(url: str) -> dict[str, Any]:
    """What it sees of a model and an endpoint that cloudml has made."""
    (model,) = aiplatform.Model.list(filter=OURS)
    registry = model.versioning_registry
    versions = [[one.version_id, sorted(one.version_aliases)] for one in registry.list_versions()]
    alias = next(name for _, names in versions for name in names if name.startswith("cloudml-"))
    (endpoint,) = aiplatform.Endpoint.list(filter=OURS)
    endpoint.authorized_session = led(url)
    (deployed,) = endpoint.list_models()
    body = b'{"instances": [{"x": 12}], "parameters": {"times": 2}}'
    raw = endpoint.raw_predict(body, {"Content-Type": "application/json"})
    return {
        "model": model.display_name,
        "labels": dict(model.labels),
        "versions": versions,
        "by alias": aiplatform.Model(model.resource_name, version=alias).version_id,
        "told": json.loads(model.version_description)["cloudml"]["name"],
        "container": list(model.container_spec.command[:2]),
        "endpoint": endpoint.name,
        "endpoint labels": dict(endpoint.labels),
        "dedicated": endpoint.dedicated_endpoint_enabled,
        "traffic": [*endpoint.traffic_split.values()],
        "deployed": [deployed.display_name, deployed.model.rpartition("/")[2], deployed.model_version_id],
        "predictions": endpoint.predict(instances=[{"x": 12}, {"x": 9.5}]).predictions,
        "parameters": endpoint.predict(instances=[{"x": 12}], parameters={"times": 2}).predictions,
        "raw": raw.text,
    }


def trained() -> dict[str, Any]:
    """A job that it has run."""
    container = {"image_uri": IMAGE, "command": ["python3", "-c", "print('official')"]}
    pool = {"machine_spec": {"machine_type": "n1-standard-4"}, "replica_count": 1, "container_spec": container}
    job = aiplatform.CustomJob(display_name="official", worker_pool_specs=[pool], labels={"made": "officially"})
    job.run(sync=True)
    jobs = [one.display_name for one in aiplatform.CustomJob.list(filter="labels.made=officially")]
    return {"state": job.state.name, "jobs": jobs}


def main(url: str, project: str, bucket: str, server: str) -> None:
    aiplatform.init(
        project=project,
        location="europe-west4",
        credentials=AnonymousCredentials(),
        api_endpoint=url,
        api_transport="rest",
        staging_bucket=f"gs://{bucket}",
    )
    found = seen(url) | trained()
    model = aiplatform.Model.upload(
        display_name="official",
        serving_container_image_uri=IMAGE,
        serving_container_command=["python3", "-c", server],
        serving_container_health_route="/health",
        serving_container_predict_route="/predict",
        version_aliases=["blue"],
        labels=MINE,
    )
    endpoint = aiplatform.Endpoint.create(display_name="official", labels=MINE, dedicated_endpoint_enabled=True)
    endpoint.authorized_session = led(url)
    endpoint.deploy(model, machine_type="n1-standard-2", min_replica_count=1, max_replica_count=2)
    made = {
        "name": endpoint.name,
        "model": model.name,
        "version": model.version_id,
        "aliases": list(model.version_aliases),
        "predictions": endpoint.predict(instances=[1, 2.5]).predictions,
    }
    print(f"\n{json.dumps([found, made])}", flush=True)
    sys.stdin.read()
    endpoint.undeploy_all()
    endpoint.delete()
    model.delete()


if __name__ == "__main__":
    main(*sys.argv[1:])
