"""What lies beside a model's files so that any image with Python can serve it, and how its container is started.

A serving container has no mounted bucket: a small program, which travels in the container's own command, downloads what
Vertex AI has copied of the model's folder, and starts `cloudml.runtime.shims.vertex` from its ``code/runtime``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cloudml import shipping
from cloudml.clouds import models
from cloudml.runtime.contract import HEALTH, PORT, PREDICT

if TYPE_CHECKING:
    from pathlib import Path

    from cloudml.resources import ModelResource
    from cloudml_gcp.places import Places

DEPLOY_S = 1800
"""For requirements to be installed and the model to be loaded; Vertex AI allows two hours at most."""
BOOT = f"""\
import json, os, sys, tempfile
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import quote, urlencode
from urllib.request import Request, urlopen
emulator = os.environ.get("STORAGE_EMULATOR_HOST", "")
host = (emulator if "://" in emulator else "http://" + emulator) if emulator else "https://storage.googleapis.com"
def ask(url, headers):
    return urlopen(Request(url, headers=headers), timeout=120)
headers = {{}}
if not emulator:
    metadata = "http://" + os.environ.get("GCE_METADATA_HOST", "metadata.google.internal")
    token = metadata + "/computeMetadata/v1/instance/service-accounts/default/token"
    headers = {{"Authorization": "Bearer " + json.load(ask(token, {{"Metadata-Flavor": "Google"}}))["access_token"]}}
bucket, _, prefix = os.environ["AIP_STORAGE_URI"][5:].partition("/")
prefix = prefix.rstrip("/") + "/"
objects = host + "/storage/v1/b/" + bucket + "/o"
folder = tempfile.mkdtemp(prefix="model-")
def fetch(name):
    path = os.path.join(folder, name[len(prefix):])
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with ask(objects + "/" + quote(name, safe="") + "?alt=media", headers) as source, open(path, "wb") as file:
        for chunk in iter(lambda: source.read(1 << 20), b""):
            file.write(chunk)
page, names = "", []
while page is not None:
    found = json.load(ask(objects + "?" + urlencode({{"prefix": prefix, "pageToken": page}}), headers))
    names += [one["name"] for one in found.get("items", ()) if not one["name"].endswith("/")]
    page = found.get("nextPageToken")
list(ThreadPoolExecutor(8).map(fetch, names))
sys.path.insert(0, os.path.join(folder, "code", "{shipping.RUNTIME}"))
from cloudml.runtime.shims import vertex
sys.exit(vertex.main([folder]))
"""
"""The program that a container starts, on Python 3.8 or later."""


def container(image: str, places: Places) -> dict[str, Any]:
    """The ModelContainerSpec; the command is one argument, in which nothing looks like a variable."""
    variables = {"CLOUDML_PROVIDER": "gcp", "CLOUDML_HOME": places.root}
    return {
        "imageUri": image,
        "command": ["python3", "-c", BOOT],
        "env": [{"name": name, "value": value} for name, value in variables.items()],
        "ports": [{"containerPort": int(PORT)}],
        "predictRoute": PREDICT,
        "healthRoute": HEALTH,
        "deploymentTimeout": f"{DEPLOY_S}s",
    }


def lay_out(resource: ModelResource, folder: Path) -> None:
    """Write the folder ``code`` of a model into *folder*, which is there and empty.

    Raises:
        SpecError: A file of the predictor's code is not what it was when it was collected.
    """
    models.lay_code(resource, folder)
