"""The processes that answer for endpoints: one for each deployed model, told what Vertex AI tells a container."""

from __future__ import annotations

import http.client
import shutil
import uuid
from typing import TYPE_CHECKING, Any

from cloudml.doubles.watching import Host, Watch
from cloudml_gcp.double import journal, models, pools, ports, replicas
from cloudml_gcp.double.refusals import Refused

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cloudml_gcp.double.world import World

HEALTH_S = 10.0
ANSWER_S = 600.0
"""What a container has for one answer."""
START_S = 1800.0
"""What a container has to become healthy, on the double's clock, unless the model says otherwise."""
LOOK_S = 0.03
LOGS = "Model server logs can be found at https://console.cloud.google.com/logs/viewer?project={project}&resource={endpoint}"


class Server:
    """The container of one deployed model.

    Args:
        endpoint: The endpoint's name.
        deployed: The message DeployedModel.
        model: The version that it serves.
    """

    def __init__(self, world: World, endpoint: str, deployed: Any, model: Any) -> None:
        self._world, self._endpoint, self._deployed, self._model = world, endpoint, deployed, model
        self.port = ports.free()
        self._host = Host(name="serving", folder=world.folder / f"server-{uuid.uuid4().hex[:12]}")
        spec, place = model.container_spec, f"/v1/endpoints/{endpoint.rpartition('/')[2]}/deployedModels/{deployed.id}"
        self.health = spec.health_route or place
        self.predict = spec.predict_route or f"{place}:predict"

    def start(self) -> None:
        """Bring it up; returns when it is healthy.

        Raises:
            Refused: It does not become so.
        """
        spec = self._model.container_spec
        told = self._told()
        own: dict[str, str] = {}
        for one in spec.env:
            own[one.name] = pools.expanded([one.value], {**told, **own})[0]
        environment = {**self._world.inside, **own, **told}
        command = pools.expanded([*spec.command, *spec.args], environment) if spec.command else list(NOT_RUN)
        replicas.serve(self._world, self._host, command, environment, self._say)
        if why := self._unhealthy():
            self.close()
            logs = LOGS.format(project=self._world.number, endpoint=self._endpoint.rpartition("/")[2])
            raise Refused("FAILED_PRECONDITION", f"{why} {logs}")

    def ask(self, verb: str, path: str, body: bytes, headers: Mapping[str, str]) -> tuple[int, dict[str, str], bytes]:
        """Send a request to the container.

        Raises:
            OSError: It does not answer.
        """
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=ANSWER_S)
        try:
            connection.request(verb, path, body, dict(headers))
            answer = connection.getresponse()
            return answer.status, dict(answer.getheaders()), answer.read()
        except http.client.HTTPException as error:
            raise ConnectionError(str(error)) from error
        finally:
            connection.close()

    def close(self) -> None:
        """End it now."""
        replicas.end(self._world, self._host)
        shutil.rmtree(self._host.folder, ignore_errors=True)

    def _say(self, line: str) -> None:
        if not self._deployed.disable_container_logging:
            journal.endpoint_line(self._world, self._endpoint.rpartition("/")[2], self._deployed.id, line)

    def _told(self) -> dict[str, str]:
        name, _, version = self._model.name.rpartition("/")[2].partition("@")
        machine = self._deployed.dedicated_resources.machine_spec
        files = "gs://{}/{}".format(*models.artifacts(self._world, self._model)) if self._model.artifact_uri else ""
        return {
            "AIP_MODE": "PREDICTION",
            "AIP_MODE_VERSION": "1.0.0",
            "AIP_FRAMEWORK": "CUSTOM_CONTAINER",
            "AIP_HTTP_PORT": str(self.port),
            "AIP_HEALTH_ROUTE": self.health,
            "AIP_PREDICT_ROUTE": self.predict,
            "AIP_STORAGE_URI": files.rstrip("/"),
            "AIP_ENDPOINT_ID": self._endpoint.rpartition("/")[2],
            "AIP_DEPLOYED_MODEL_ID": self._deployed.id,
            "AIP_MODEL_NAME": name,
            "AIP_VERSION_NAME": version,
            "AIP_PROJECT_NUMBER": self._world.number,
            "AIP_MACHINE_TYPE": machine.machine_type,
            "AIP_ACCELERATOR_TYPE": "",
        }

    def _unhealthy(self) -> str:
        """Wait until the health route is answered with 200; why it is not, in the service's words."""
        limit = self._model.container_spec.deployment_timeout.seconds or START_S
        watch = Watch(limit_s=limit, stop=lambda: "")
        began = self._world.clock.seconds()
        container = self._host.container
        assert container is not None
        with self._world.clock.real():
            while container.running:
                if self._answers():
                    self._world.clock.happened()
                    return ""
                container.wait(LOOK_S)
                if self._world.clock.seconds() - began > limit and watch.idle([container]):
                    return (
                        "Model server never became ready. Please validate that your model file or container "
                        "configuration are valid."
                    )
        code = container.wait(0)
        return f"Model server exited unexpectedly. Exit code: {code}."

    def _answers(self) -> bool:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=HEALTH_S)
        try:
            connection.request("GET", self.health)
            return connection.getresponse().status == http.HTTPStatus.OK
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()


NOT_RUN = (
    "sh",
    "-c",
    "echo 'cloudml double: no images are run here; say what runs in container_spec.command' >&2; exit 78",
)
