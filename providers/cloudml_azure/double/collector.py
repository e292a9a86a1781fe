"""The data collector beside a deployment's container: takes rows at /modeldata/log, and keeps them as Azure ML does.

Each POST is a JSON list of rows of one collection, named by the header ce-type; it becomes a line of the collection's
file of the hour, ``<where>/<yyyy>/<MM>/<dd>/<HH>/<instance>.jsonl``. Where that is, the collection's data asset says,
or the workspace's own place for it. Source: the wire contract of azureml-ai-monitoring, and "Collect production data".
"""

from __future__ import annotations

import json
import threading
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

from cloudml_azure.double import uris
from cloudml_azure.double.world import stamp

if TYPE_CHECKING:
    from pathlib import Path

    from cloudml_azure.double.resources import Record
    from cloudml_azure.double.world import World

PATH = "/modeldata/log"
PLACE = "modelDataCollector"


def collections(record: Record) -> dict[str, dict[str, Any]]:
    """What a deployment collects, by name."""
    said = (record["properties"].get("dataCollector") or {}).get("collections") or {}
    return {name: one for name, one in said.items() if one.get("dataCollectionMode") == "Enabled"}


class Collector:
    """Collects for one deployment.

    Attributes:
        environment: The variables by which what runs in the container finds it.
    """

    def __init__(self, world: World, record: Record, folder: Path) -> None:
        self._world, self._record = world, record
        self._instance = uuid.uuid4().hex
        collector = self

        class Handler(BaseHTTPRequestHandler):
            """Takes what is posted."""

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                known = self.path == PATH and collector.take(body, {key.lower(): v for key, v in self.headers.items()})
                self.send_response_only(200 if known else 404)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  its name in the standard library
                del format, args

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, name="cloudml-collector", daemon=True).start()
        config = folder.with_suffix(".mdc.json")
        config.write_text(json.dumps(self._config()), "utf-8")
        self.environment = {
            "AZUREML_MDC_CONFIG_PATH": str(config),
            "AZUREML_MDC_HOST": "127.0.0.1",
            "AZUREML_MDC_PORT": str(self._server.server_port),
        }

    def _config(self) -> dict[str, Any]:
        found = {
            name: {"enabled": True, "sampleRatePercentage": 100.0 * float(one.get("samplingRate", 1.0))}
            for name, one in collections(self._record).items()
        }
        return {"runMode": "cloud", "collections": found}

    def take(self, body: bytes, headers: dict[str, str]) -> bool:
        """Keep what was posted; whether its collection is one that is collected."""
        name = headers.get("ce-type", "").rpartition(".")[2]
        collection = collections(self._record).get(name)
        if collection is None:
            return False
        now, endpoint = self._world.clock.now(), self._record["_path"].split("/")[1]
        line = {
            "specversion": "1.0",
            "id": str(uuid.uuid4()),
            "source": self._record["id"],
            "type": f"azureml.inference.{name}",
            "datacontenttype": "application/json",
            "time": stamp(now),
            "data": json.loads(body),
            "correlationid": headers.get("ce-x-request-id", ""),
            "xrequestid": headers.get("ce-x-request-id", ""),
            "modelversion": "default",
            "collectdatatype": headers.get("ce-collect-data-type", ""),
            "agent": headers.get("ce-agent", ""),
        }
        own = f"azureml://datastores/workspaceblobstore/paths/{PLACE}/{endpoint}/{self._record['name']}/{name}"
        place = uris.place(self._world, collection.get("dataId") or own)
        file = place.below(f"{now:%Y/%m/%d/%H}/{self._instance}.jsonl")
        with self._world.lock:
            self._world.accounts[file.account].append(file.container, file.path, (json.dumps(line) + "\n").encode())
        self._world.clock.happened()
        return True

    def close(self) -> None:
        """Take no more."""
        self._server.shutdown()
        self._server.server_close()
