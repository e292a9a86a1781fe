"""What a user of the official high-level SDK writes; run by test_sdk.py in a process of its own, as it takes seconds.

Nothing here knows of the double but its address.
"""

from __future__ import annotations

import json
import sys

from google.auth.credentials import AnonymousCredentials
from google.cloud import aiplatform

IMAGE = "europe-docker.pkg.dev/cloudml-double/images/image:1"


def main(url: str, bucket: str, server: str) -> None:
    aiplatform.init(
        project="cloudml-double",
        location="europe-west4",
        credentials=AnonymousCredentials(),
        api_endpoint=url,
        api_transport="rest",
        staging_bucket=f"gs://{bucket}",
    )
    container = {"image_uri": IMAGE, "command": ["python3", "-c", "print('official')"]}
    pool = {"machine_spec": {"machine_type": "n1-standard-4"}, "replica_count": 1, "container_spec": container}
    job = aiplatform.CustomJob(display_name="official", worker_pool_specs=[pool], labels={"made": "officially"})
    job.run(sync=True)
    model = aiplatform.Model.upload(
        display_name="official",
        serving_container_image_uri=IMAGE,
        serving_container_command=["python3", "-c", server],
        serving_container_health_route="/health",
        serving_container_predict_route="/predict",
        version_aliases=["blue"],
    )
    endpoint = aiplatform.Endpoint.create(display_name="official")
    endpoint.deploy(model, machine_type="n1-standard-2", min_replica_count=1, max_replica_count=2)
    found = {
        "state": job.state.name,
        "jobs": [one.display_name for one in aiplatform.CustomJob.list(filter="labels.made=officially")],
        "version": model.version_id,
        "aliases": list(model.version_aliases),
        "predictions": endpoint.predict(instances=[1, 2.5]).predictions,
    }
    endpoint.undeploy_all()
    endpoint.delete()
    model.delete()
    sys.stdout.write(f"\n{json.dumps(found)}\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
