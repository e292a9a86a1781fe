"""The nodes of a job: folders as Azure ML lays them out, the command's variables, and what is kept of its files."""

from __future__ import annotations

import json
import re
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cloudml.doubles import containers
from cloudml.doubles.clock import ClosedError
from cloudml.doubles.containers import Box, Container
from cloudml.doubles.watching import Host
from cloudml_azure.double import identity, images, states, uris
from cloudml_azure.double.uris import NowhereError
from cloudml_azure.double.workspace import WORKSPACE_ID
from cloudml_azure.double.world import API, ARTIFACTS

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from cloudml_azure.double.resources import Record
    from cloudml_azure.double.world import World

ROOT = "/mnt/azureml"
WORK, DATA = "wd", "data"
BINDING = re.compile(r"\$\{\{\s*(inputs|outputs|search_space)\.([A-Za-z0-9_]+)\s*\}\}")
KEPT = ("outputs", "logs")
"""Folders of the working directory that become files of the run."""
REACHES = ("HTTPS_PROXY", "NO_PROXY", "REQUESTS_CA_BUNDLE", "SSL_CERT_FILE")
"""Of what clients need to reach the double, what containers get: no credentials."""
DAYS_S = 21 * 86_400


@dataclass(slots=True, kw_only=True)
class Node:
    """One process of a job.

    Attributes:
        root: What its command sees its folder as.
        environment: All that it gets.
        log: Its file in user_logs.
    """

    host: Host
    root: str
    environment: dict[str, str]
    command: str
    log: str


def lay_out(world: World, record: Record) -> list[Node]:
    """Make the folders of all processes, with code and inputs in them.

    Raises:
        NowhereError: There is no such input.
    """
    asked = record["_asked"]
    count = int((asked.get("resources") or {}).get("instanceCount") or 1)
    each = int((asked.get("distribution") or {}).get("processCountPerInstance") or 1)
    port = _free_port() if count * each > 1 else 0
    found = []
    for index in range(count):
        folder = record["_folder"] / str(record["_attempt"]) / f"node-{index}"
        bound = _bind(world, record, folder)
        for process in range(each):
            rank = index * each + process
            host = Host(name=str(rank), folder=folder)
            found.append(
                _node(world, record, host, bound, _cluster(asked, rank, (index, process), (count, each), port))
            )
    return found


@dataclass(frozen=True, slots=True)
class Bound:
    """A node's folder and what names in the command stand for."""

    root: str
    values: dict[tuple[str, str], str]


def _bind(world: World, record: Record, folder: Path) -> Bound:
    """Lay code, inputs and mounted outputs into a node's folder."""
    asked = record["_asked"]
    root = str(folder) if containers.forbidden() else ROOT
    (folder / WORK).mkdir(parents=True)
    if code := asked.get("codeId"):
        uris.fetch(world, uris.place(world, code), folder / WORK)
    values: dict[tuple[str, str], str] = {}
    for name, said in (asked.get("inputs") or {}).items():
        values["inputs", name] = _input(world, name, said or {}, (folder, root))
    for name, said in (asked.get("outputs") or {}).items():
        place = folder / DATA / f"OUTPUT_{name}"
        place.mkdir(parents=True)
        values["outputs", name] = f"{root}/{DATA}/OUTPUT_{name}"
        if (said or {}).get("mode", "ReadWriteMount") != "Upload":
            _mounted(world, record, name, place)
        if (said or {}).get("jobOutputType") == "uri_file":
            values["outputs", name] += f"/{name}"
    for name, value in (record.get("_trial") or {}).items():
        values["search_space", name] = str(value)
    return Bound(root, values)


def _input(world: World, name: str, said: dict[str, Any], folder: tuple[Path, str]) -> str:
    """What the name of an input stands for in the command."""
    if said.get("jobInputType") == "literal":
        return str(said["value"])
    if said.get("mode") == "Direct":
        return str(said["uri"])
    target = folder[0] / DATA / f"INPUT_{name}"
    laid = uris.fetch(world, uris.place(world, said["uri"]), target)
    return f"{folder[1]}/{laid.relative_to(folder[0]).as_posix()}"


def _mounted(world: World, record: Record, name: str, place: Path) -> None:
    """A mount shows what is there already."""
    found = uris.output_place(world, record, name)
    store = world.accounts[found.account]
    if found.container not in store.containers():
        raise NowhereError(f"the container {found.container} of output {name} does not exist")
    store.fetch(found.container, found.path, place)


def _node(world: World, record: Record, host: Host, bound: Bound, cluster: dict[str, str]) -> Node:
    asked = record["_asked"]
    command = BINDING.sub(lambda found: bound.values[found[1], found[2]], asked["command"])
    named = {
        f"AZURE_ML_{section[:-1].upper()}_{name}": value
        for (section, name), value in bound.values.items()
        if section != "search_space"
    }
    own = {
        name: BINDING.sub(lambda found: bound.values[found[1], found[2]], value)
        for name, value in (asked.get("environmentVariables") or {}).items()
    }
    environment = {**variables(world, record), **named, **cluster, **own}
    return Node(host=host, root=bound.root, environment=environment, command=command, log=log_name(record, host.name))


def variables(world: World, record: Record) -> dict[str, str]:
    """What Azure ML sets for every command."""
    asked, name, facts = record["_asked"], record["name"], record["properties"]
    host = f"{world.region}.{API}"
    token = identity.token("https://management.azure.com/.default", DAYS_S, run=name)
    experiment = str(uuid.uuid5(uuid.NAMESPACE_URL, facts["experimentName"]))
    found = {
        **{key: world.environ[key] for key in REACHES},
        "PYTHONPATH": str(images.folder(world, str(asked["environmentId"]))),
        "AZUREML_RUN_ID": name,
        "AZUREML_ROOT_RUN_ID": record.get("_parent") or name,
        "AZUREML_RUN_TOKEN": token.token,
        "AZUREML_RUN_TOKEN_EXPIRY": str(token.expires_on),
        "AZUREML_ARM_SUBSCRIPTION": world.subscription,
        "AZUREML_ARM_RESOURCEGROUP": world.group,
        "AZUREML_ARM_WORKSPACE_NAME": world.workspace,
        "AZUREML_ARM_PROJECT_NAME": facts["experimentName"],
        "AZUREML_EXPERIMENT_ID": experiment,
        "AZUREML_EXPERIMENT_SCOPE": f"{world.root}/experiments/{facts['experimentName']}",
        "AZUREML_SERVICE_ENDPOINT": f"https://{host}",
        "AZUREML_DISCOVERY_SERVICE_ENDPOINT": f"https://{host}/discovery",
        "AZUREML_WORKSPACE_ID": WORKSPACE_ID,
        "AZUREML_WORKSPACE_SCOPE": world.root,
        "AZUREML_WORKSPACE_NAME": world.workspace,
        "MLFLOW_TRACKING_URI": f"azureml://{host}/mlflow/v1.0{world.root}",
        "MLFLOW_TRACKING_TOKEN": token.token,
        "MLFLOW_RUN_ID": name,
        "MLFLOW_EXPERIMENT_ID": experiment,
        "MLFLOW_EXPERIMENT_NAME": facts["experimentName"],
    }
    if (asked.get("identity") or {}).get("identityType") in {"Managed", "UserIdentity"}:
        found |= managed(world)
    return found


def managed(world: World) -> dict[str, str]:
    """Where a container with an identity gets tokens."""
    place = f"{world.url}/msi/token"
    header = world.identity.header
    return {
        "IDENTITY_ENDPOINT": place,
        "IDENTITY_HEADER": header,
        "MSI_ENDPOINT": place,
        "MSI_SECRET": header,
        "DEFAULT_IDENTITY_CLIENT_ID": identity.CLIENT,
        "AZURE_CLIENT_ID": identity.CLIENT,
    }


def _cluster(
    asked: dict[str, Any], rank: int, here: tuple[int, int], size: tuple[int, int], port: int
) -> dict[str, str]:
    """The variables by which the processes of a distributed job find each other."""
    kind = str((asked.get("distribution") or {}).get("distributionType", ""))
    (index, process), (count, each) = here, size
    found = {"AZUREML_NODE_COUNT": str(count)}
    if port:
        found |= {"AZ_BATCH_MASTER_NODE": f"127.0.0.1:{port}", "AZ_BATCHAI_NUM_GPUS": "0"}
        found |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "NODE_RANK": str(index)}
    if kind == "PyTorch":
        found |= {"RANK": str(rank), "LOCAL_RANK": str(process), "WORLD_SIZE": str(count * each)}
        found |= {"LOCAL_WORLD_SIZE": str(each), "NODE_RANK": str(index)}
    elif kind == "Mpi":
        found |= {"OMPI_COMM_WORLD_RANK": str(rank), "OMPI_COMM_WORLD_LOCAL_RANK": str(process)}
        found |= {"OMPI_COMM_WORLD_SIZE": str(count * each), "OMPI_COMM_WORLD_LOCAL_SIZE": str(each)}
    elif kind == "TensorFlow":
        workers = [f"127.0.0.1:{port + one}" for one in range(count)]
        task = {"type": "worker", "index": index}
        found["TF_CONFIG"] = json.dumps({"cluster": {"worker": workers}, "task": task})
    return found


def _free_port() -> int:
    import socket

    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def log_name(record: Record, rank: str) -> str:
    """The file of a process in user_logs: of several, one each."""
    asked = record["_asked"]
    if int((asked.get("resources") or {}).get("instanceCount") or 1) == 1 and not asked.get("distribution"):
        return states.LOG
    return f"user_logs/std_log_process_{int(rank):02d}.txt"


def printed(world: World, record: Record, name: str) -> str:
    """What a process has printed so far."""
    blob = world.storage.find(ARTIFACTS, f"{states.home(record)}/{name}")
    return "" if blob is None else world.storage.read(ARTIFACTS, f"{states.home(record)}/{name}").decode()


def start(world: World, record: Record, node: Node, read: Callable[[str], None]) -> None:
    """Start a process; each line goes to its log, and tells the clock that something happened."""
    if world.clock.closed:
        raise ClosedError
    folder = node.host.folder
    scratch = folder.with_name(f"{folder.name}-{node.host.name}.scratch")
    scratch.mkdir()

    def on_line(line: str) -> None:
        states.log(world, record, line, node.log)
        read(line)
        world.clock.happened()

    if why_not := containers.forbidden():
        on_line(f"cloudml double: {ROOT} is {folder} here, because folders cannot be bound ({why_not})")
    binds = {} if containers.forbidden() else {ROOT: folder}
    box = Box(
        command=["bash", "-c", node.command],
        environment=node.environment,
        scratch=scratch,
        binds=binds,
        folder=f"{node.root}/{WORK}",
    )
    node.host.container = Container(box, on_line, world.clock.happened)
    world.live[f"container/{id(node)}"] = node.host.container


def end(world: World, node: Node) -> None:
    """Leave nothing of a process that has ended."""
    if node.host.container is not None:
        node.host.container.close()
        world.live.pop(f"container/{id(node)}", None)


def _folders(record: Record) -> list[Path]:
    """The folders of the nodes of the last attempt, the first node's last: its files count."""
    return sorted((record["_folder"] / str(record["_attempt"])).glob("node-*[0-9]"), reverse=True)


def sync(world: World, record: Record) -> None:
    """Let mounted outputs reach storage as they are now."""
    for name, said in (record["_asked"].get("outputs") or {}).items():
        if (said or {}).get("mode", "ReadWriteMount") != "Upload":
            _send(world, record, name)


def _send(world: World, record: Record, name: str) -> None:
    """Send what has changed of an output."""
    place, done = uris.output_place(world, record, name), record.setdefault("_sent", {})
    store = world.accounts[place.account]
    for folder in _folders(record):
        base = folder / DATA / f"OUTPUT_{name}"
        for file in sorted(path for path in base.rglob("*") if path.is_file()):
            try:
                facts = file.stat()
                stamp = (str(folder), facts.st_mtime_ns, facts.st_size)
                target = place.below(file.relative_to(base).as_posix()).path
                if done.get(target) != stamp:
                    store.put(place.container, target, file)
                    done[target] = stamp
            except FileNotFoundError:  # it was a temporary one
                continue


def keep(world: World, record: Record, *, uploads: bool) -> None:
    """Keep the outputs, and what the command left in ./outputs and ./logs."""
    sync(world, record)
    for name, said in (record["_asked"].get("outputs") or {}).items():
        if uploads and (said or {}).get("mode") == "Upload":
            _send(world, record, name)
    for folder in _folders(record):
        for name in KEPT:
            if (folder / WORK / name).is_dir():
                world.storage.send(folder / WORK / name, ARTIFACTS, f"{states.home(record)}/{name}")
