"""A client that can be killed at no cost: it loads everything once, and forks for each `up`.

``python client.py FOLDER TARGET`` reads a line for each `up` from standard input, and answers with two: the number of
the process that does it, and then how that ended. The pauses between two looks are short; all else is what a user runs.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import threading
import traceback
from importlib import import_module
from pathlib import Path

from cloudml import load, targets
from cloudml.seam import Context
from cloudml.session import Session

SERVICES = ("sagemaker", "logs", "scheduler", "application-autoscaling", "resourcegroupstaggingapi")
SHORT_S = 0.1
LATE = {
    "": (
        "cloudml.up", "cloudml.clouds.parts", "cloudml.runtime.answering", "cloudml.runtime.bare",
        "cloudml.storage.blobs", "cloudml.storage.copies", "cloudml.storage.origins", "cloudml.storage.pulling",
        "cloudml.storage.pushing", "cloudml.storage.store", "cloudml.storage.sweeping", "obstore.store",
    ),
    "aws": ("boto3", "cloudml_aws.parts", "encodings.idna"),
    "azure": (
        "azure.core.pipeline.transport._requests_basic", "azure.core.rest._requests_basic", "azure.identity",
        "azure.identity._credentials.imds", "cloudml_azure.parts", "msal_extensions", "netrc",
    ),
    "gcp": (
        "google.auth.transport.requests", "cloudml_gcp.parts", "cloudml_gcp.wire.copies", "netrc",
    ),
}  # fmt: skip
"""What an `up` imports on the way, at every cloud and at one: before the first fork, so that no child pays for it."""


def session(folder: Path, name: str) -> Session:
    """What does `up`; nothing is sent yet."""
    project = load(folder)
    target = targets.resolve(project.spec, name)
    pause = threading.Event()
    package = f"cloudml_{target.plugin.name}"
    clients = import_module(f"{package}.clients").Clients(
        target.settings, sleep=lambda seconds: pause.wait(min(seconds, SHORT_S)) and None
    )
    provider = import_module(f"{package}.plugin").provider(clients, Context(root=folder, project=project.spec.project))
    return Session(project.spec, folder, target, provider)


def planned(folder: Path, name: str) -> None:
    """Plan a copy of the project, so that all that planning imports and compiles is there before the first fork."""
    with tempfile.TemporaryDirectory() as copies:
        copy = session(shutil.copytree(folder, Path(copies) / folder.name), name)
        for step in copy.plan(look=False).steps:
            if copy.provider.verify:
                copy.provider.verify(step.plan)
    threads = [*Path("/proc/self/task").iterdir()]
    assert len(threads) == 1, "a fork has no thread but the one that forks"


def loaded(cloud: str) -> None:
    """Import what an `up` at that cloud imports, and read what it reads of the vendor's library."""
    for module in (*LATE[""], *LATE[cloud]):
        import_module(module)
    if cloud == "aws":
        service_model = import_module("cloudml_aws.clients").service_model
        for service in SERVICES:
            service_model(service)


def main(folder: str, name: str) -> None:
    loaded(targets.resolve(load(Path(folder)).spec, name).plugin.name)
    planned(Path(folder), name)
    for _ in sys.stdin:
        child = os.fork()
        if child == 0:
            code = 1
            try:
                session(Path(folder), name).up()
                code = 0
            except BaseException:  # noqa: BLE001  told to the test, which asserts that there is none
                traceback.print_exc()
            finally:
                sys.stderr.flush()
                os._exit(code)
        print(child, flush=True)
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
