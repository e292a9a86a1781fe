"""Long-running operations: what they do is to be seen when they are done, and not before."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cloudml_gcp.double import records
from cloudml_gcp.double.refusals import CODES, Refused

if TYPE_CHECKING:
    from collections.abc import Callable

    from cloudml_gcp.double.contract import Method
    from cloudml_gcp.double.world import World

    Commit = Callable[[], Any]
    """Does what the operation is for, and gives its result."""


@dataclass(slots=True, kw_only=True)
class Running:
    """An operation.

    Attributes:
        method: What it was begun with.
        message: google.longrunning.Operation.
    """

    method: Method
    message: Any

    def stage(self, world: World, **said: Any) -> None:
        """Say how far it is."""
        metadata = self.method.metadata()
        self.message.metadata.Unpack(metadata)
        for name, value in said.items():
            if name in metadata.DESCRIPTOR.fields_by_name:
                setattr(metadata, name, value)
        metadata.generic_metadata.update_time.FromDatetime(world.clock.now())
        self.message.metadata.Pack(metadata)

    def done(self, world: World, result: Any) -> None:
        """Its good end."""
        self.stage(world)
        self.message.response.Pack(result)
        self.message.done = True
        world.clock.happened()

    def failed(self, world: World, refusal: Refused) -> None:
        """Its bad end: with a number for a code, and HTTP 200 for whoever asks."""
        self.stage(world)
        self.message.error.code = refusal.number
        self.message.error.message = refusal.message
        self.message.done = True
        world.clock.happened()


def begin(world: World, method: Method, parent: str) -> Running:
    """A new operation of a resource."""
    from google.longrunning import operations_pb2

    name = f"{records.normal(world, parent)}/operations/{world.identifier()}"
    found = Running(method=method, message=operations_pb2.Operation(name=name))
    metadata = method.metadata()
    metadata.generic_metadata.create_time.FromDatetime(world.clock.now())
    found.message.metadata.Pack(metadata)
    found.stage(world)
    world.operations[name] = found
    return found


def later(world: World, operation: Running, step: str, commit: Commit, undo: Callable[[], None] = lambda: None) -> Any:
    """Do something when a step's time has passed; the operation, as it is answered now.

    Args:
        world: The double's state.
        operation: The operation.
        step: How long it takes, by name.
        commit: What it does.
        undo: What is done in its place when it fails.
    """
    from google.longrunning import operations_pb2

    def act() -> None:
        with world.lock:
            try:
                failing(world, operation)
                operation.done(world, commit())
            except Refused as refusal:
                undo()
                operation.failed(world, refusal)

    now = operations_pb2.Operation()
    now.CopyFrom(operation.message)
    world.clock.at(world.latencies[step], act)
    return now


def failing(world: World, operation: Running) -> None:
    """The domain fault `operation`: it fails late, whatever it was for.

    Raises:
        Refused: It does.
    """
    fault = world.domain("operation", operation.method.rpc)
    if fault is not None:
        code = str(fault.facts.get("code", "INTERNAL"))
        assert code in CODES, code
        raise Refused(code, fault.message or "Internal error encountered.")


def need(world: World, name: str) -> Running:
    """The operation of that name.

    Raises:
        Refused: There is none.
    """
    found = world.operations.get(records.normal(world, name))
    if found is None:
        raise Refused("NOT_FOUND", f"Operation {name} is not found.")
    return found


def of(world: World, parent: str) -> list[Any]:
    """The operations of a resource, also of one that cannot be seen yet."""
    stem = f"{records.normal(world, parent)}/operations/"
    return [one.message for name, one in world.operations.items() if name.startswith(stem)]


def empty() -> Any:
    """The result of what gives none."""
    from google.protobuf import empty_pb2

    return empty_pb2.Empty()
