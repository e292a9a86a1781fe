"""Where each provider puts things inside its container; what it promises there is described in its documentation.

Some places lie at the root of the file system. Where that is not possible (a double on somebody's computer), the
variables CLOUDML_OPT_ML and CLOUDML_GCS say what stands for ``/opt/ml`` and ``/gcs``.
"""

from __future__ import annotations

import json
import os
from typing import Any, Mapping, NamedTuple

PROVIDER = "CLOUDML_PROVIDER"
FAILURE_CHARACTERS = 1024  # what SageMaker keeps of /opt/ml/output/failure as FailureReason
HEALTH, PREDICT, PORT = "/health", "/predict", "8080"
"""Where a model answers in Vertex AI's serving container; its deployment says these, its variables may say others."""
ACCEPT = "accept"
"""The parameter of a content type that says what is wanted, since Vertex AI passes no other header on."""


class NotAPathError(ValueError):
    """An address that no file system here knows."""


class Places(NamedTuple):
    """The paths of a job request at one provider; ``{name}`` is the input or output, ``{NAME}`` the same as a variable.

    Attributes:
        model: The path of the output `model`, which providers treat apart.
    """

    inputs: str
    outputs: str
    model: str
    record: str
    checkpoints: str


_NAMED = Places(
    inputs="${CLOUDML_INPUT_{NAME}}",
    outputs="${CLOUDML_OUTPUT_{NAME}}",
    model="${CLOUDML_OUTPUT_MODEL}",
    record="${CLOUDML_RECORD}",
    checkpoints="${CLOUDML_CHECKPOINTS}",
)
PLACES: Mapping[str, Places] = {
    "aws": Places(
        inputs="/opt/ml/input/data/{name}",
        outputs="/opt/ml/output/data/{name}",
        model="/opt/ml/model",
        record="/opt/ml/output/data/_cloudml",
        checkpoints="/opt/ml/checkpoints",
    ),
    # A processing job: SageMaker uploads one folder.
    "aws-processing": Places(
        inputs="/opt/ml/processing/input/{name}",
        outputs="/opt/ml/processing/output/{name}",
        model="/opt/ml/processing/output/{name}",
        record="/opt/ml/processing/output/_cloudml",
        checkpoints="/opt/ml/processing/checkpoints",
    ),
    # Paths are known to the command line only: it passes `--set CLOUDML_INPUT_TRAIN=${{inputs.train}}` and so on.
    "azure": _NAMED,
    # The base folder holds model/ and checkpoints/; inputs are gs:// addresses in the environment.
    "gcp": _NAMED._replace(
        outputs="${AIP_MODEL_DIR}/../{name}",
        model="${AIP_MODEL_DIR}",
        record="${AIP_MODEL_DIR}/../_cloudml",
        checkpoints="${AIP_CHECKPOINT_DIR}",
    ),
}

_RESOURCES = ("input/config/resourceconfig.json", "config/resourceconfig.json")
"""Where SageMaker tells the hosts of a training job, and where those of a processing job."""

_MOUNTS = (
    ("gs://", "CLOUDML_GCS", "/gcs"),
    ("/gcs/", "CLOUDML_GCS", "/gcs"),
    ("/opt/ml/", "CLOUDML_OPT_ML", "/opt/ml"),
    ("file://", "", ""),
)


def variable(name: str) -> str:
    """The name of an input or output as part of a variable's name, which a shell can read too."""
    return name.upper().replace("-", "_")


def paths(provider: str, inputs: list[str], outputs: list[str]) -> dict[str, Any]:
    """The keys inputs, outputs, record and checkpoints of a job request for that provider."""
    places = PLACES[provider]
    return {
        "inputs": {name: _filled(places.inputs, name) for name in inputs},
        "outputs": {name: _filled(places.model if name == "model" else places.outputs, name) for name in outputs},
        "record": places.record,
        "checkpoints": places.checkpoints,
    }


def located(path: str, environ: Mapping[str, str]) -> str:
    """*path* as this file system knows it: ``gs://bucket/x`` is ``/gcs/bucket/x``, ``file:///x`` is ``/x``.

    Raises:
        NotAPathError: An address of another kind, such as s3://.
    """
    for prefix, name, default in _MOUNTS:
        if path.startswith(prefix):
            root = environ.get(name, default)
            return os.path.join(root, path[len(prefix) :]) if root else path[len(prefix) :]
    if "://" in path:
        raise NotAPathError(f"`{path}` is no path in this container")
    return path


def appends(path: str, environ: Mapping[str, str]) -> bool:
    """Can a file there grow? Cloud Storage FUSE and the mounts of Azure ML write whole files only."""
    return environ.get(PROVIDER) != "azure" and not path.startswith(environ.get("CLOUDML_GCS", "/gcs") + "/")


def opt_ml(environ: Mapping[str, str]) -> str | None:
    """SageMaker's folder, where this is SageMaker and it may be written; None on any other machine."""
    root = environ.get("CLOUDML_OPT_ML", "/opt/ml")
    there = environ.get(PROVIDER) == "aws" and os.access(root, os.W_OK)
    return root if there else None


def hosts(environ: Mapping[str, str]) -> tuple[list[str], str]:
    """All hosts of the job, the leading one first, and this one, as the provider names them."""
    root = opt_ml(environ)
    for place in _RESOURCES if root else ():
        if os.path.exists(f"{root}/{place}"):
            with open(f"{root}/{place}", encoding="utf-8") as file:
                found = json.load(file)
            return list(found["hosts"]), str(found["current_host"])
    if environ.get(PROVIDER) == "gcp" and environ.get("CLUSTER_SPEC"):
        return _pools(json.loads(environ["CLUSTER_SPEC"]))
    if environ.get(PROVIDER) == "azure" and "NODE_RANK" in environ:
        return _ranks(environ)
    return ["localhost"], "localhost"


def failure_files(environ: Mapping[str, str]) -> list[str]:
    """Where the provider reads why a job failed: SageMaker's training jobs and its processing jobs, one file each."""
    root = opt_ml(environ)
    return [os.path.join(root, "output", name) for name in ("failure", "message")] if root else []


def failure_text(reason: str, tail: str) -> str:
    """The reason and as much of the end of *tail* as FAILURE_CHARACTERS leave room for."""
    room = FAILURE_CHARACTERS - len(reason) - 1
    return f"{reason}\n{tail[-room:]}".rstrip() if room > 0 else reason[:FAILURE_CHARACTERS]


def _filled(template: str, name: str) -> str:
    return template.replace("{name}", name).replace("{NAME}", variable(name))


def _ranks(environ: Mapping[str, str]) -> tuple[list[str], str]:
    """The hosts of Azure ML's PyTorch distribution: only the first one's address is told."""
    others = range(1, int(environ.get("WORLD_SIZE", "1")))
    found = [environ.get("MASTER_ADDR", "localhost"), *(f"node-{number}" for number in others)]
    return found, found[int(environ["NODE_RANK"])]


def _pools(spec: Mapping[str, Any]) -> tuple[list[str], str]:
    pools = {
        pool: [host.rpartition(":")[0] or host for host in spec["cluster"][pool]] for pool in sorted(spec["cluster"])
    }
    task = spec["task"]
    return [host for pool in pools.values() for host in pool], pools[task["type"]][int(task.get("index", 0))]
