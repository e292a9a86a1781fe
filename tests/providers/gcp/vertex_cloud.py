"""REST as it is in front of a double, and short words for what tests ask again and again."""

from __future__ import annotations

import time

import requests

BUCKET = "cloudml-double"
PARENT = "projects/cloudml-double/locations/europe-west4"
IMAGE = "europe-docker.pkg.dev/cloudml-double/images/image:1"
DEADLINE_S = 120.0
OVER = {"JOB_STATE_SUCCEEDED", "JOB_STATE_FAILED", "JOB_STATE_CANCELLED"}
SERVER = """
import http.server, json, os, sys, urllib.request

class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def answer(self, status, body, kind="application/json"):
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def do_GET(self):
        self.answer(200 if self.path == os.environ["AIP_HEALTH_ROUTE"] else 404, b"{}")
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.path != os.environ["AIP_PREDICT_ROUTE"]:
            return self.answer(404, b"nowhere")
        if body.startswith(b"raw"):
            return self.answer(200, body[::-1], "text/plain")
        rows = json.loads(body)["instances"]
        if "bad" in rows:
            return self.answer(422, b'{"error": "no such row"}')
        by = float(os.environ.get("FACTOR", "2"))
        self.answer(200, json.dumps({"predictions": [by * row for row in rows]}).encode())
    def log_message(self, *_):
        pass

print("serving", os.environ["AIP_MODEL_NAME"], os.path.exists("/gcs"), flush=True)
http.server.HTTPServer(("127.0.0.1", int(os.environ["AIP_HTTP_PORT"])), Handler).serve_forever()
"""


class Cloud:
    """A double and a client of HTTP."""

    def __init__(self, gcp):
        self.gcp = gcp
        self.http = requests.Session()

    def ask(self, verb, path, body=None, **said):
        version = "" if path.startswith("/") else "/v1/"
        return self.http.request(verb, f"{self.gcp.url}{version}{path}", json=body, **said)

    def good(self, verb, path, body=None, **said):
        """What was answered; it has to be good."""
        answer = self.ask(verb, path, body, **said)
        assert answer.ok, answer.text
        return answer.json()

    def bad(self, verb, path, body=None, **said):
        """The error that was answered."""
        answer = self.ask(verb, path, body, **said)
        assert not answer.ok, answer.text
        return answer.json()["error"]

    def put(self, name, content, bucket=BUCKET):
        self.gcp.world.objects.put(bucket, name, content if isinstance(content, bytes) else content.encode())

    def get(self, name, bucket=BUCKET):
        return self.gcp.world.objects.find(bucket, name).content

    def names(self, prefix="", bucket=BUCKET):
        return self.gcp.world.objects.names(bucket, prefix)

    def until(self, look, when, step=10):
        """What *look* gives once *when* is true of it; time passes between two looks."""
        deadline = time.monotonic() + DEADLINE_S
        while not when(found := look()):
            assert time.monotonic() < deadline, f"still {found}"
            self.gcp.clock.sleep(step)
        return found

    def train(self, script, name="job", **said):
        """Begin a custom job that runs *script*; the job."""
        self.put(f"code/{name}.py", script)
        return self.good("POST", f"{PARENT}/customJobs", job(name, **said))

    def trained(self, made):
        return self.until(lambda: self.good("GET", made["name"]), lambda now: now["state"] in OVER)

    def ran(self, script, name="job", **said):
        """The job, when it is over."""
        return self.trained(self.train(script, name, **said))

    def printed(self, made, task="workerpool0-0"):
        """The lines of a job's container."""
        number = made["name"].rpartition("/")[2]
        filter_ = f'resource.type="ml_job" AND resource.labels.job_id="{number}"'
        asked = {"resourceNames": ["projects/cloudml-double"], "filter": filter_, "pageSize": 1000}
        entries = self.good("POST", "/v2/entries:list", asked).get("entries", [])
        return [one["jsonPayload"].get("message") for one in entries if one["resource"]["labels"]["task_name"] == task]

    def done(self, operation):
        """An operation, when it is done."""
        return self.until(lambda: self.good("GET", operation["name"]), lambda now: now.get("done"))

    def result(self, operation):
        """What an operation gives; it has to end well."""
        done = self.done(operation)
        assert "error" not in done, done
        return done["response"]

    def upload(self, name="model", script=SERVER, env=None, **said):
        """A model that *script* serves; its name."""
        spec = {"imageUri": IMAGE, "command": ["python3", "-c", script], "env": env or []}
        routes = {"healthRoute": "/health", "predictRoute": "/predict"}
        container = {**spec, **routes, **said.pop("container", {})}
        model = {"displayName": name, "containerSpec": container, **said.pop("model", {})}
        return self.result(self.good("POST", f"{PARENT}/models:upload", {"model": model, **said}))

    def endpoint(self, name="endpoint", **said):
        """An endpoint; its name."""
        made = self.good("POST", f"{PARENT}/endpoints", {"displayName": name, **said}, params={"endpointId": name})
        return self.result(made)

    def deploy(self, endpoint, model, traffic=None, **said):
        """Begin to deploy a model."""
        resources = {"machineSpec": {"machineType": "n1-standard-2"}, "minReplicaCount": 1}
        deployed = {"model": model, "dedicatedResources": resources, **said}
        body = {"deployedModel": deployed, **({"trafficSplit": traffic} if traffic else {})}
        return self.good("POST", f"{endpoint}:deployModel", body)

    def served(self, **said):
        """An endpoint with a model that answers; its name."""
        endpoint = self.endpoint()["name"]
        self.result(self.deploy(endpoint, self.upload(**said)["model"], {"0": 100}))
        return endpoint


def job(name="job", **said):
    pool = {
        "replicaCount": "1",
        "machineSpec": {"machineType": "n1-standard-4"},
        "containerSpec": {
            "imageUri": IMAGE,
            "command": ["python3", f"/gcs/{BUCKET}/code/{name}.py"],
            **said.pop("container", {}),
        },
        **said.pop("pool", {}),
    }
    spec = {"workerPoolSpecs": [pool, *said.pop("pools", [])], **said.pop("spec", {})}
    return {"displayName": name, "jobSpec": spec, **said}
