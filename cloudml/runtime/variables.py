"""The variables a script finds, as tables: our own, and those that scripts written for one cloud read.

Our own, for shell scripts and other languages: CLOUDML_REQUEST (a file, see `request`), CLOUDML_JOB, CLOUDML_RECORD,
CLOUDML_CHECKPOINTS, CLOUDML_INPUT_NAME, CLOUDML_OUTPUT_NAME.

On a provider's own machines its own variables stay as it set them; everywhere else ours replace what may be set by
chance. The model's folder is told only where the job has an output `model`. SM_OUTPUT_DATA_DIR and
AIP_TENSORBOARD_LOG_DIR, which no output stands for, lie in the record.
"""

from __future__ import annotations

import json
import os
import site
from typing import TYPE_CHECKING, Any, Callable, Mapping, NamedTuple

from cloudml.runtime import contract
from cloudml.runtime.arguments import passable

if TYPE_CHECKING:
    from cloudml.runtime.request import Request

VARIABLE_BYTES = 100_000  # Linux allows 128 KiB for one variable
TOTAL_BYTES = 500_000  # beside what is inherited; Linux allows 2 MB for arguments and environment together


class Scene(NamedTuple):
    """What the tables draw from.

    Attributes:
        request: The job.
        folder: Private to this run; holds request.json.
        input: SageMaker's ``input`` folder.
        output: SageMaker's ``output`` folder.
        arguments: The script's.
        cpus: As many as this process may use.
        gpus: Of NVIDIA.
    """

    request: Request
    folder: str
    input: str
    output: str
    arguments: list[str]
    cpus: int
    gpus: int


def scene(request: Request, folder: str, arguments: list[str], environ: Mapping[str, str]) -> Scene:
    root = contract.opt_ml(environ)
    output = os.path.join(root or request.record, "output")
    return Scene(request, folder, os.path.join(root or folder, "input"), output, arguments, _cpus(), _gpus())


def config_files(request: Request) -> dict[str, dict[str, Any]]:
    """The files of SageMaker's ``input/config``, whose hyperparameters are all texts."""
    return {
        "hyperparameters.json": {name: _shown(value) for name, value in request.parameters.items()},
        "inputdataconfig.json": _channels(request),
        "resourceconfig.json": _resources(request),
    }


def _folder(path: str | None) -> str | None:
    return path and path.rstrip("/") + "/"


def _json(value: object) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"))


def _resources(request: Request) -> dict[str, Any]:
    hosts = list(request.hosts)
    return {"current_host": request.current_host, "hosts": hosts, "network_interface_name": "eth0"}


def _channels(request: Request) -> dict[str, Any]:
    settings = {"TrainingInputMode": "File", "S3DistributionType": "FullyReplicated", "RecordWrapperType": "None"}
    return dict.fromkeys(sorted(request.inputs), settings)


def _module(scene: Scene) -> str:
    return os.path.splitext(scene.request.script)[0].replace("/", ".")


def _training(scene: Scene) -> dict[str, Any]:
    request = scene.request
    return {
        "additional_framework_parameters": {},
        "channel_input_dirs": dict(request.inputs),
        "current_host": request.current_host,
        "hosts": list(request.hosts),
        "hyperparameters": dict(request.parameters),
        "input_config_dir": os.path.join(scene.input, "config"),
        "input_data_config": _channels(request),
        "input_dir": scene.input,
        "is_master": request.leads,
        "job_name": request.name,
        "log_level": 20,
        "master_hostname": request.hosts[0],
        "model_dir": request.outputs.get("model"),
        "module_dir": request.source,
        "module_name": _module(scene),
        "network_interface_name": "eth0",
        "num_cpus": scene.cpus,
        "num_gpus": scene.gpus,
        "output_data_dir": os.path.join(scene.output, "data"),
        "output_dir": scene.output,
        "output_intermediate_dir": os.path.join(scene.output, "intermediate"),
        "resource_config": _resources(request),
        "user_entry_point": request.script,
    }


def _cluster(scene: Scene) -> str:
    first, *others = [f"{host}:2222" for host in scene.request.hosts]
    index = scene.request.hosts.index(scene.request.current_host)
    pools = {"workerpool0": [first], **({"workerpool1": others} if others else {})}
    task = {"type": "workerpool0", "index": 0} if index == 0 else {"type": "workerpool1", "index": index - 1}
    return json.dumps({"cluster": pools, "environment": "cloud", "task": task})


Table = Mapping[str, Callable[[Scene], "str | None"]]
CLOUDML: Table = {
    "CLOUDML_REQUEST": lambda scene: os.path.join(scene.folder, "request.json"),
    "CLOUDML_JOB": lambda scene: scene.request.name,
    "CLOUDML_RECORD": lambda scene: scene.request.record,
    "CLOUDML_CHECKPOINTS": lambda scene: scene.request.checkpoints,
}
SAGEMAKER: Table = {
    "TRAINING_JOB_NAME": lambda scene: scene.request.name,
    "SM_MODEL_DIR": lambda scene: scene.request.outputs.get("model"),
    "SM_CHANNELS": lambda scene: _json(sorted(scene.request.inputs)),
    "SM_HPS": lambda scene: _json(dict(scene.request.parameters)),
    "SM_HOSTS": lambda scene: _json(list(scene.request.hosts)),
    "SM_CURRENT_HOST": lambda scene: scene.request.current_host,
    "SM_NUM_CPUS": lambda scene: str(scene.cpus),
    "SM_NUM_GPUS": lambda scene: str(scene.gpus),
    "SM_NUM_NEURONS": lambda _: "0",
    "SM_INPUT_DIR": lambda scene: scene.input,
    "SM_INPUT_CONFIG_DIR": lambda scene: os.path.join(scene.input, "config"),
    "SM_INPUT_DATA_CONFIG": lambda scene: _json(_channels(scene.request)),
    "SM_OUTPUT_DIR": lambda scene: scene.output,
    "SM_OUTPUT_DATA_DIR": lambda scene: os.path.join(scene.output, "data"),
    "SM_OUTPUT_INTERMEDIATE_DIR": lambda scene: os.path.join(scene.output, "intermediate"),
    "SM_RESOURCE_CONFIG": lambda scene: _json(_resources(scene.request)),
    "SM_NETWORK_INTERFACE_NAME": lambda _: "eth0",
    "SM_MODULE_NAME": _module,
    "SM_MODULE_DIR": lambda scene: scene.request.source,
    "SM_USER_ENTRY_POINT": lambda scene: scene.request.script,
    "SM_USER_ARGS": lambda scene: _json(scene.arguments),
    "SM_FRAMEWORK_PARAMS": lambda _: "{}",
    "SM_LOG_LEVEL": lambda _: "20",
    "SM_TRAINING_ENV": lambda scene: _json(_training(scene)),
}
VERTEX: Table = {
    "AIP_MODEL_DIR": lambda scene: _folder(scene.request.outputs.get("model")),
    "AIP_CHECKPOINT_DIR": lambda scene: _folder(scene.request.checkpoints),
    "AIP_TENSORBOARD_LOG_DIR": lambda scene: _folder(os.path.join(scene.request.record, "tensorboard")),
    "CLOUD_ML_JOB_ID": lambda scene: scene.request.name,
    "CLUSTER_SPEC": _cluster,
}
AZURE: Table = {"AZUREML_RUN_ID": lambda scene: scene.request.name}
# The provider whose own variables these are.
TABLES: Mapping[str, Table] = {"": CLOUDML, "aws": SAGEMAKER, "gcp": VERTEX, "azure": AZURE}
_PREFIXES: Mapping[str, tuple[str, Callable[[str], str]]] = {
    "": ("CLOUDML_", contract.variable),
    "azure": ("AZURE_ML_", str),
}


def _named(scene: Scene, owner: str) -> dict[str, str]:
    """The variables with the name of an input, an output or a parameter in theirs."""
    request, found = scene.request, {}
    if owner == "aws":
        for name, path in request.inputs.items():
            # SageMaker's toolkit keeps a dash, its newer driver does not: both spellings.
            found.update({f"SM_CHANNEL_{spelled}": path for spelled in (name.upper(), contract.variable(name))})
        found.update({f"SM_HP_{name.upper()}": _shown(value) for name, value in request.parameters.items()})
    if owner in _PREFIXES:
        prefix, spell = _PREFIXES[owner]
        for kind, paths in (("INPUT", request.inputs), ("OUTPUT", request.outputs)):
            found.update({f"{prefix}{kind}_{spell(name)}": path for name, path in paths.items()})
    return found


def _shown(value: object) -> str:
    """As SageMaker's toolkit writes a hyperparameter into a variable."""
    return value if isinstance(value, str) else "" if value is None else _json(value)


def variables(scene: Scene, environ: Mapping[str, str]) -> tuple[dict[str, str], list[str]]:
    """The whole environment of the script, and the names of variables that no environment can hold."""
    made: dict[str, str] = {}
    for owner, table in TABLES.items():
        drawn = {name: value(scene) for name, value in table.items()}
        own = {**{name: value for name, value in drawn.items() if value is not None}, **_named(scene, owner)}
        native = environ if owner and owner == environ.get(contract.PROVIDER) else {}
        made.update({name: value for name, value in own.items() if name not in native})
    made = {**made, **scene.request.environment}
    fits = _fitting(made)
    inherited = {name: value for name, value in environ.items() if name not in made}
    return {**inherited, "PYTHONUNBUFFERED": "1", **fits}, sorted(set(made) - set(fits))


def _fitting(made: Mapping[str, str]) -> dict[str, str]:
    """Those that an environment can hold, the short ones first."""
    fits, room = {}, TOTAL_BYTES
    for name, value in sorted(made.items(), key=lambda item: len(item[1])):
        size = len(value.encode("utf-8", "surrogatepass"))
        if passable(value) and size <= min(VARIABLE_BYTES, room):
            fits[name] = value
            room -= size
    return fits


def python_path(request: Request, environ: Mapping[str, str], root: str) -> str:
    """PYTHONPATH: the user's code, the installed requirements, what was there, and *root*, where cloudml itself lies.

    A root that every Python looks into anyway is left out: on PYTHONPATH it would go before the standard library.
    """
    everywhere = {*site.getsitepackages(), site.getusersitepackages()}
    given = environ.get("PYTHONPATH", "").split(os.pathsep)
    return os.pathsep.join(
        dict.fromkeys(path for path in (request.source, request.site, *given, root) if path and path not in everywhere)
    )


def _cpus() -> int:
    affinity = getattr(os, "sched_getaffinity", None)  # not on every system; knows the container's share
    return len(affinity(0)) if affinity else os.cpu_count() or 1


def _gpus() -> int:
    devices = os.listdir("/dev") if os.path.isdir("/dev") else []
    return sum(name.startswith("nvidia") and name[6:].isdecimal() for name in devices)
