"""Long-running operations: begun by a request, described by a status URL, visible in their effects when they are done.

A failed one is answered with HTTP 200 and its error. The domain fault `operation` (facts `code`; about the resource's
path) lets one fail after it was accepted.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from cloudml.doubles.clock import ClosedError
from cloudml_azure.double.refusals import Refused
from cloudml_azure.double.resources import shown
from cloudml_azure.double.wire import Answer, answered

if TYPE_CHECKING:
    from collections.abc import Callable

    from cloudml_azure.double.resources import Record
    from cloudml_azure.double.wire import Asked
    from cloudml_azure.double.world import World

TIMEOUT = "PT2H"


class FailedError(Exception):
    """An operation fails.

    Args:
        code: As in the error of its status.
        message: Azure's words.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code, self.message = code, message


@dataclass(slots=True, kw_only=True)
class Operation:
    """One operation.

    Attributes:
        result: The record that a poll of its Location ends with; None when there is nothing to show.
    """

    id: str
    started: str
    result: Record | None = None
    status: str = "InProgress"
    ended: str = ""
    error: dict[str, Any] | None = None


@dataclass(slots=True)
class Operations:
    """Operations by id."""

    found: dict[str, Operation] = field(default_factory=dict)


def begin(
    world: World,
    path: str,
    work: Callable[[], None],
    *,
    failed: Callable[[FailedError], None] = lambda _: None,
    result: Record | None = None,
) -> Operation:
    """Begin an operation on what is at a path.

    Args:
        work: Done by a worker; raises FailedError when it fails.
        failed: Called when it did.
    """
    operation = Operation(id=f"oe:{uuid.uuid4()}:{uuid.uuid4()}", started=world.now(), result=result)
    world.operations.found[operation.id] = operation

    def run() -> None:
        try:
            work()
            _fail(world, path)
        except FailedError as error:
            failed(error)
            details: list[Any] = []
            operation.error = {"code": error.code, "message": error.message, "target": path, "details": details}
            _over(world, operation, "Failed")
        except ClosedError:
            raise
        except Exception as error:
            operation.error = {"code": "InternalServerError", "message": repr(error), "details": []}
            _over(world, operation, "Failed")
            raise
        else:
            _over(world, operation, "Succeeded")

    world.clock.work(run)
    return operation


def _fail(world: World, path: str) -> None:
    """Let an operation fail that has done its work.

    Raises:
        FailedError: A fault wants it.
    """
    if fault := world.domain("operation", path):
        code = str(fault.facts.get("code", "InternalServerError"))
        raise FailedError(code, fault.message or f"The operation on {path} failed.")


def _over(world: World, operation: Operation, status: str) -> None:
    operation.ended, operation.status = world.now(), status
    world.clock.happened()


def _url(world: World, asked: Asked, kind: str, operation: Operation) -> str:
    place = f"/subscriptions/{world.subscription}/providers/Microsoft.MachineLearningServices/locations/{world.region}"
    return asked.link(f"{place}/{kind}/{operation.id}", **{"api-version": asked.api_version})


def status_url(world: World, asked: Asked, operation: Operation) -> str:
    return _url(world, asked, "mfeOperationsStatus", operation)


def accepted(world: World, asked: Asked, operation: Operation, record: Record, *, new: bool) -> Answer:
    """The answer to a PUT: the resource as it is now, and where its status is to be had."""
    found = answered(shown(record), 201 if new else 200)
    found.headers |= {
        "Azure-AsyncOperation": status_url(world, asked, operation),
        "x-ms-async-operation-timeout": TIMEOUT,
        "Retry-After": world.retry_after(),
    }
    return found


def begun(world: World, asked: Asked, operation: Operation) -> Answer:
    """The answer to any other verb: nothing yet, and where to ask."""
    headers = {
        "Location": _url(world, asked, "mfeOperationResults", operation),
        "x-ms-async-operation-timeout": TIMEOUT,
        "Retry-After": world.retry_after(),
    }
    return Answer(status=202, headers=headers)


def _need(world: World, asked: Asked) -> Operation:
    found = world.operations.found.get(asked.names["operation"])
    if found is None:
        raise Refused("NotFound", f"The operation {asked.names['operation']} was not found.", 404)
    return found


def status(world: World, asked: Asked) -> Answer:
    """How an operation stands."""
    operation = _need(world, asked)
    document: dict[str, Any] = {
        "id": asked.path,
        "name": operation.id,
        "status": operation.status,
        "startTime": operation.started,
        "properties": {},
    }
    if operation.ended:
        document["endTime"] = operation.ended
    if operation.error:
        document["error"] = operation.error
    found = answered(document)
    if not operation.ended:
        found.headers["Retry-After"] = world.retry_after()
    return found


def result(world: World, asked: Asked) -> Answer:
    """The result of an operation, when it is over."""
    operation = _need(world, asked)
    if not operation.ended:
        headers = {"Location": asked.link(asked.path, **asked.query), "Retry-After": world.retry_after()}
        return Answer(status=202, headers=headers)
    if operation.error:
        raise Refused(operation.error["code"], operation.error["message"])
    return answered(shown(operation.result)) if operation.result is not None else Answer(status=204)
