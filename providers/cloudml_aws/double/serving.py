"""The processes that answer for endpoints: one for each variant of a configuration, with the model at /opt/ml/model."""

from __future__ import annotations

import http.client
import io
import shutil
import socket
import sys
import tarfile
import threading
import uuid
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from cloudml.doubles.watching import Host, Watch
from cloudml_aws.double import hosts, models
from cloudml_aws.double.jobs import DownloadError
from cloudml_aws.double.objects import relative, split
from cloudml_aws.double.refusals import Refused

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from cloudml_aws.double.tables import Record
    from cloudml_aws.double.world import World

GROUP = "/aws/sagemaker/Endpoints"
PING_S = 2.0
ANSWER_S = 60.0
"""What a container has for one answer."""
LOOK_S = 0.03
START_S = 600.0
"""What a container has to become healthy, on the double's clock, unless the variant says otherwise."""
UNHEALTHY = (
    "The primary container for production variant {variant} did not pass the ping health check. "
    "Please check CloudWatch logs for this endpoint."
)


class CannotStartError(Exception):
    """A variant cannot answer; the text is a FailureReason."""


class Server:
    """The container of one variant.

    Args:
        endpoint: The endpoint's name.
        variant: As in its configuration.
    """

    def __init__(self, world: World, endpoint: str, variant: Mapping[str, Any]) -> None:
        self._world, self.variant = world, variant
        self.name = variant["VariantName"]
        self.port = free_port()
        self.group = f"{GROUP}/{endpoint}"
        self.stream = f"{self.name}/i-{uuid.uuid4().hex[:17]}"
        self._host = Host(name="algo-1", folder=world.folder / f"server-{uuid.uuid4().hex[:12]}")
        self._asked = 0
        self._free = threading.Condition()

    def start(self) -> None:
        """Bring it up; returns when it answers.

        Raises:
            CannotStartError: It does not.
        """
        container = self._container()
        self._lay_out(container)
        environment = {
            **hosts.surroundings(self._world, isolated=False),
            **container.get("Environment", {}),
            "SAGEMAKER_BIND_TO_PORT": str(self.port),
        }
        command = [sys.executable, "-P", "-m", "cloudml_aws.double.serve", f"{hosts.ROOT}/model"]
        hosts.start(self._world, self._host, command, environment, self._say)
        if not self._healthy():
            self.close()
            raise CannotStartError(UNHEALTHY.format(variant=self.name))

    def ask(self, path: str, body: bytes, headers: Mapping[str, str]) -> tuple[int, dict[str, str], bytes]:
        """Send a request to the container.

        Raises:
            OSError: It does not answer.
        """
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=ANSWER_S)
        try:
            connection.request("POST", path, body, dict(headers))
            answer = connection.getresponse()
            return answer.status, dict(answer.getheaders()), answer.read()
        except http.client.HTTPException as error:
            raise ConnectionError(str(error)) from error
        finally:
            connection.close()

    @contextmanager
    def asked(self) -> Iterator[None]:
        """While inside, the server is not taken away."""
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
        hosts.end(self._world, self._host)
        for folder in (self._host.folder, self._host.folder.with_name(f"{self._host.folder.name}.scratch")):
            shutil.rmtree(folder, ignore_errors=True)

    def _say(self, line: str) -> None:
        self._world.say(self.group, self.stream, line)

    def _container(self) -> dict[str, Any]:
        """The model's container, now; the model may have been deleted since the configuration was made."""
        try:
            record: Record = self._world.need("model", self.variant["ModelName"])
            return models.resolve(self._world, record.get("PrimaryContainer") or record["Containers"][0])
        except Refused as refusal:
            raise CannotStartError(refusal.message) from refusal

    def _lay_out(self, container: Mapping[str, Any]) -> None:
        folder = self._host.folder / "model"
        folder.mkdir(parents=True)
        uri = models.model_data(container)
        if not uri:
            return
        try:
            self._fetch(uri, container.get("ModelDataSource", {}).get("S3DataSource", {}))
        except (KeyError, tarfile.TarError, DownloadError) as error:
            self.close()
            raise CannotStartError(f"Failed to download model data for container from {uri}: {error}") from error

    def _fetch(self, uri: str, source: Mapping[str, Any]) -> None:
        folder = self._host.folder / "model"
        bucket, key = split(uri)
        if source.get("S3DataType") == "S3Prefix":
            keys = self._world.objects.keys(uri)
            if not keys:
                raise DownloadError("there are no objects")
            self._world.objects.fetch(bucket, relative(key, keys), folder)
        elif source.get("CompressionType") == "None":
            self._world.objects.fetch(bucket, [(key, key.rpartition("/")[2])], folder)
        else:
            with tarfile.open(fileobj=io.BytesIO(self._world.objects.get(bucket, key)), mode="r:*") as archive:
                archive.extractall(folder, filter="data")

    def _healthy(self) -> bool:
        """Wait until /ping is answered with 200; whether it is."""
        limit = self.variant.get("ContainerStartupHealthCheckTimeoutInSeconds", START_S)
        watch = Watch(limit_s=limit, stop=lambda: "")
        began = self._world.clock.seconds()
        container = self._host.container
        assert container is not None
        with self._world.clock.real():
            while container.running:
                if self._pings():
                    self._world.clock.happened()
                    return True
                container.wait(LOOK_S)
                if self._world.clock.seconds() - began > limit and watch.idle([container]):
                    break
        return False

    def _pings(self) -> bool:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PING_S)
        try:
            connection.request("GET", "/ping")
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
