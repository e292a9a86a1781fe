"""The states of jobs, and how a job ends."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any

from cloudml.doubles.clock import ClosedError
from cloudml_azure.double.world import ARTIFACTS

if TYPE_CHECKING:
    from collections.abc import Callable

    from cloudml_azure.double.resources import Record
    from cloudml_azure.double.world import World

OVER = frozenset({"Completed", "Failed", "Canceled"})
LOG = "user_logs/std_log.txt"


class EndedError(Exception):
    """A job ends before its command has.

    Args:
        code: Of the error; none when it was cancelled.
        message: The service's words.
    """

    def __init__(self, status: str, message: str = "", code: str = "UserError") -> None:
        super().__init__(message)
        self.status, self.code, self.message = status, code, message


def worked(world: World, record: Record, run: Callable[[World, Record], None]) -> None:
    """A worker's life with one job."""
    record["_folder"] = world.folder / f"job-{id(record)}"
    try:
        run(world, record)
    except EndedError as ending:
        finish(world, record, ending.status, ending.message, ending.code)
    except Exception as error:
        if not isinstance(error, ClosedError):
            finish(world, record, "Failed", f"{error!r}", "ServiceError")
        raise
    finally:
        shutil.rmtree(record["_folder"], ignore_errors=True)


def step(world: World, record: Record, status: str) -> None:
    """The next state; one that was asked to be cancelled shows no other until it ends."""
    if record["properties"]["status"] == "CancelRequested" and status not in OVER:
        return
    record["properties"]["status"] = status
    record["_states"].append(status)
    world.clock.happened()


def wait(world: World, record: Record, what: str) -> None:
    """Let a step take its time.

    Raises:
        EndedError: The job was cancelled meanwhile.
    """
    if not world.pass_time(what, key=record["id"], unless=record["_stop"].is_set):
        raise EndedError("Canceled")


def finish(world: World, record: Record, status: str, message: str = "", code: str = "UserError") -> None:
    """Write down how a job ended."""
    if message and status == "Failed":
        record["_error"] = error(code, message)
    elif message:
        record["_warnings"].append({"source": "AzureML", "message": message})
    record["_ended"] = world.now()
    record["systemData"] = world.system_data(record["systemData"])
    step(world, record, status)


def error(code: str, message: str) -> dict[str, Any]:
    """The error of a run, as run history shows it."""
    words = {"messageFormat": "{Message}", "messageParameters": {"Message": message}}
    inner = {"code": code, "message": message, **words, "details": [], "referenceCode": None, "innerError": None}
    return {"error": inner, "correlation": None, "componentName": "CommonRuntime"}


def log(world: World, record: Record, line: str, name: str = LOG) -> None:
    """Add a line to a file of the run, which grows while it runs."""
    world.storage.append(ARTIFACTS, f"{home(record)}/{name}", f"{line}\n".encode())


def home(record: Record) -> str:
    """Where the files of a run are in workspaceartifactstore."""
    return f"ExperimentRun/dcid.{record['name']}"
