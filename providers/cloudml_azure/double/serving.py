"""The container of one deployment: model and code where Azure ML mounts them, probed, asked, retired.

With code it runs what stands in for Azure ML's inference server (`cloudml_azure.double.serve`); an image of the user's
own, which cannot be run here, is stood in for by cloudml.serving, at the routes that its environment names.
"""

from __future__ import annotations

import http.client
import shutil
import socket
import sys
import threading
import uuid
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from cloudml.doubles import containers
from cloudml.doubles.clock import ClosedError
from cloudml.doubles.containers import Box, Container
from cloudml.doubles.watching import Watch
from cloudml_azure.double import execution, images, nodes, resources, uris
from cloudml_azure.double.collector import Collector, collections
from cloudml_azure.double.uris import NowhereError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from cloudml_azure.double.resources import Record
    from cloudml_azure.double.world import World

ROOT = "/var/azureml-app"
MODELS = "azureml-models"
LOOK_S = 0.03
ANSWER_S = 60.0
PING_S = 2.0
LINES = 10_000


class CannotStartError(Exception):
    """A deployment cannot answer.

    Args:
        code: Of the operation's error.
        message: Azure's words.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class Server:
    """What runs in a deployment.

    Args:
        record: The deployment; its lines are kept there.
    """

    def __init__(self, world: World, record: Record) -> None:
        self._world, self._record = world, record
        self._facts: dict[str, Any] = record["properties"]
        self.port = free_port()
        self._folder: Path = world.folder / f"server-{uuid.uuid4().hex[:12]}"
        self._container: Container | None = None
        self._collector: Collector | None = None
        self._routes = self._said_routes()
        self._asked = 0
        self._free = threading.Condition()

    @property
    def pending(self) -> int:
        """Requests that it has not answered."""
        return self._asked

    def start(self) -> None:
        """Bring it up; returns when it is ready.

        Raises:
            CannotStartError: It does not come up.
        """
        root = str(self._folder) if containers.forbidden() else ROOT
        self._folder.mkdir(parents=True)
        try:
            model = self._lay_model(root)
            code = self._lay_code(root)
        except NowhereError as error:
            self.close()
            raise CannotStartError(
                "BadArgument", f"Failed to download the model or code of the deployment: {error}"
            ) from error
        if collections(self._record):
            self._collector = Collector(self._world, self._record, self._folder)
        self._run(root, *self._command(root, model, code))
        self._wait()

    def ask(self, method: str, path: str, body: bytes, headers: Mapping[str, str]) -> tuple[int, dict[str, str], bytes]:
        """Send a request to the container.

        Raises:
            TimeoutError: It took longer than a request may take.
            OSError: It does not answer.
        """
        seconds = execution.duration(self._facts["requestSettings"]["requestTimeout"]) or ANSWER_S
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=seconds)
        try:
            connection.request(method, self._routes["score"] if path == "/score" else path, body, dict(headers))
            answer = connection.getresponse()
            return answer.status, dict(answer.getheaders()), answer.read()
        except http.client.HTTPException as error:
            raise ConnectionError(str(error)) from error
        finally:
            connection.close()

    @contextmanager
    def asked(self) -> Iterator[None]:
        """While inside, the container is not taken away."""
        with self._free:
            self._asked += 1
        try:
            yield
        finally:
            with self._free:
                self._asked -= 1
                self._free.notify_all()

    def retire(self) -> None:
        """End it when its last request is answered."""
        with self._world.clock.real(), self._free:
            self._free.wait_for(lambda: self._asked == 0, ANSWER_S)
        self.close()

    def close(self) -> None:
        """End it now."""
        if self._container is not None:
            self._container.close()
            self._world.live.pop(f"container/{id(self)}", None)
        if self._collector is not None:
            self._collector.close()
            self._collector = None
        self._folder.with_suffix(".mdc.json").unlink(missing_ok=True)
        for folder in (self._folder, self._folder.with_suffix(".scratch")):
            shutil.rmtree(folder, ignore_errors=True)

    def _said_routes(self) -> dict[str, str]:
        """Where liveness, readiness and scoring are, as the environment of an image of one's own says."""
        environment = str(self._facts.get("environmentId") or "")
        record = self._world.resources.find(resources.path_of(environment))
        config = (record["properties"].get("inferenceConfig") if record else None) or {}
        said = {name: (config.get(f"{name}Route") or {}).get("path") for name in ("readiness", "scoring")}
        return {"ready": said["readiness"] or "/", "score": said["scoring"] or "/score"}

    def _lay_model(self, root: str) -> str:
        """Mount the model; what AZUREML_MODEL_DIR says. Its own folder is one below, or two by the fault `deeper`."""
        asset = self._facts.get("model")
        if not asset:
            return ""
        name, version = asset.split("/")[-3], asset.split("/")[-1]
        if "/versions/" not in asset:
            name, _, version = asset.removeprefix("azureml:").partition(":")
        record = self._world.resources.find(f"models/{name}/versions/{version}")
        if record is None:
            raise NowhereError(f"the model {name}:{version} does not exist")
        place = uris.place(self._world, record["properties"]["modelUri"])
        base = self._folder / MODELS / name / version
        own = place.path.rstrip("/").rpartition("/")[2] or name
        deeper = self._world.domain("deeper", self._record["_path"].removeprefix("onlineEndpoints/"))
        inside = base / own if deeper else base
        store = self._world.accounts[place.account]
        is_file = place.container in store.containers() and store.find(place.container, place.path) is not None
        uris.fetch(self._world, place, inside if is_file else inside / own)
        self._record["_init"].append(f"Downloaded {asset} to {root}/{MODELS}/{name}/{version}")
        return f"{root}/{MODELS}/{name}/{version}"

    def _lay_code(self, root: str) -> str:
        """Lay the code; its folder in the container."""
        config = self._facts.get("codeConfiguration") or {}
        if not config.get("codeId"):
            return ""
        place = uris.place(self._world, config["codeId"])
        name = place.path.rstrip("/").rpartition("/")[2] or "code"
        uris.fetch(self._world, place, self._folder / name)
        if not (self._folder / name / config["scoringScript"]).is_file():
            raise NowhereError(f"the scoring script {config['scoringScript']} is not in the code")
        return f"{root}/{name}"

    def _command(self, root: str, model: str, code: str) -> tuple[list[str], dict[str, str]]:
        """What runs, and with which variables."""
        own = self._facts.get("environmentVariables") or {}
        packages = images.folder(self._world, str(self._facts.get("environmentId") or ""))
        around = {
            **{key: self._world.environ[key] for key in nodes.REACHES},
            **nodes.managed(self._world),
            "AZUREML_MODEL_DIR": model,
            "AML_APP_ROOT": code or root,
            "PYTHONPATH": str(packages),
            **(self._collector.environment if self._collector else {}),
            "HOSTNAME": f"{self._record['name']}-0",
            **own,
        }
        if not code:
            line = [sys.executable, "-P", "-m", "cloudml.serving", "--host", "127.0.0.1", "--port", str(self.port)]
            routes = ["--predict-route", self._routes["score"], "--health-route", self._routes["ready"]]
            return [*line, *routes, *(["--model", model] if model else [])], around
        script = self._facts["codeConfiguration"]["scoringScript"]
        around |= {"AZUREML_ENTRY_SCRIPT": f"{code}/{script}", "AZUREML_SOURCE_DIRECTORY": code}
        return [sys.executable, "-P", "-m", "cloudml_azure.double.serve", str(self.port)], around

    def _run(self, root: str, command: list[str], environment: dict[str, str]) -> None:
        if self._world.clock.closed:
            raise ClosedError
        scratch = self._folder.with_suffix(".scratch")
        scratch.mkdir(exist_ok=True)
        if why_not := containers.forbidden():
            self._say(f"cloudml double: {ROOT} is {root} here, because folders cannot be bound ({why_not})")
        binds = {} if containers.forbidden() else {ROOT: self._folder}
        box = Box(command=command, environment=environment, scratch=scratch, binds=binds)
        self._container = Container(box, self._say, self._world.clock.happened)
        self._world.live[f"container/{id(self)}"] = self._container

    def _say(self, line: str) -> None:
        lines = self._record["_logs"]
        lines.append(line)
        del lines[:-LINES]

    def _wait(self) -> None:
        """Wait until the readiness probe is answered.

        Raises:
            CannotStartError: The container ended, or was not ready in time.
        """
        probe = self._facts["readinessProbe"]
        limit = execution.duration(probe["initialDelay"]) + probe["failureThreshold"] * execution.duration(
            probe["period"]
        )
        watch, began = Watch(limit_s=limit, stop=lambda: ""), self._world.clock.seconds()
        container = self._container
        assert container is not None
        with self._world.clock.real():
            while container.running:
                if self._ready():
                    self._world.clock.happened()
                    return
                container.wait(LOOK_S)
                if self._world.clock.seconds() - began > limit and watch.idle([container]):
                    break
            code = container.wait(0)
        self.close()
        raise CannotStartError("ResourceNotReady", self._reason(code))

    def _reason(self, code: int | None) -> str:
        if code is None:
            return (
                "The container of the deployment did not become ready: its readiness probe failed too often. Please "
                "see troubleshooting guide, available here: https://aka.ms/oe-tsg#error-resourcenotready"
            )
        last = "\n".join(self._record["_logs"][-20:])
        return (
            f"User container has crashed or terminated: it exited with code {code}. Please see troubleshooting guide, "
            f"available here: https://aka.ms/oe-tsg#error-resourcenotready. Its last lines: {last}"
        )

    def _ready(self) -> bool:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PING_S)
        try:
            connection.request("GET", self._routes["ready"])
            return connection.getresponse().status == http.HTTPStatus.OK
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()


def free_port() -> int:
    """A port at which nothing listens."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])
