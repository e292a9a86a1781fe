"""Vertex AI: every request is turned into the message that the contract has for it, held against it, and answered."""

from __future__ import annotations

import copy
import re
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from cloudml_gcp.double import behaviour, contract, invoking, operations, refusals, transcoding, wire
from cloudml_gcp.double.refusals import Refused
from cloudml_gcp.double.wire import Answer, Asked, as_json

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from cloudml_gcp.double.contract import Method
    from cloudml_gcp.double.wire import Request
    from cloudml_gcp.double.world import World

    Handler = Callable[[World, Method, Any], Any]

OPERATION = re.compile(r"/(?:v1|ui)/(?P<name>projects/.+/operations/[^/:]+)(?::(?P<verb>cancel|wait))?")
OPERATIONS = re.compile(r"/(?:v1|ui)/(?P<name>projects/.+)/operations")
VERSIONS = ("/v1/", "/v1beta1/", "/ui/")
ABOUT = ("name", "endpoint", "parent_model", "parent")
"""Fields that say what a request is about, the most particular first."""


@dataclass(frozen=True, slots=True)
class Call:
    """An RPC that was asked for, and its request."""

    method: Method
    message: Any


@cache
def handlers() -> Mapping[str, Handler]:
    """RPC -> what answers it."""
    from cloudml_gcp.double import datasets, endpoints, jobs, models

    return {**jobs.HANDLERS, **models.HANDLERS, **endpoints.HANDLERS, **datasets.HANDLERS, **invoking.HANDLERS}


def read(_world: World, request: Request) -> Asked | None:
    """What a request asks of Vertex AI; a body that cannot be read is refused when it is answered."""
    if not request.path.startswith(VERSIONS):
        return None
    path = unquote(request.path)
    if found := OPERATION.fullmatch(path):
        verb = "Delete" if request.verb == "DELETE" else (found["verb"] or "get").capitalize()
        return Asked(service="aiplatform", operation=f"{verb}Operation", about=found["name"])
    if found := OPERATIONS.fullmatch(path):
        return Asked(service="aiplatform", operation="ListOperations", about=found["name"])
    for binding, method in contract.routes():
        if binding.verb == request.verb and (placed := binding.pattern.fullmatch(path)):
            return _call(request, method, binding, placed.groups())
    return Asked(service="aiplatform", operation="nothing", about=path)


def _call(request: Request, method: Method, binding: contract.Binding, names: Any) -> Asked:
    raw = method.rpc in invoking.RAW
    said = dict(zip(binding.names, names, strict=True)) | request.parameters
    try:
        body = request.json() if binding.body and not raw else None
        query = () if raw else request.query
        found: Any = Call(method, transcoding.message(method, binding, names, query, body))
        about = _about(found.message)
        said |= {"body": body} if body is not None else {}
    except Refused as refusal:
        found, about = refusal, next(iter(names), "")
    return Asked(service="aiplatform", operation=method.rpc, about=about, parameters=said, facts=found)


def asked(call: Call) -> Asked:
    """What a call over gRPC asks."""
    said = transcoding.shown(call.message)
    return Asked(
        service="aiplatform",
        operation=call.method.rpc,
        about=_about(call.message),
        parameters=said,
        facts=call,
    )


def _about(message: Any) -> str:
    """The name of what a request is about: the resource's, or the display name of one that is to be made."""
    for field in message.DESCRIPTOR.fields:
        inner = getattr(message, field.name)
        if field.message_type and not field.is_repeated and getattr(inner, "display_name", ""):
            return str(inner.display_name)
    return next((str(value) for name in ABOUT if (value := getattr(message, name, ""))), "")


def answer(world: World, request: Request, asked: Asked) -> Answer:
    """Carry out what is asked over REST.

    Raises:
        Refused: Vertex AI says no.
    """
    if asked.operation.endswith(("Operation", "Operations")):
        return as_json(transcoding.shown(_operation(world, asked), request.query))
    if asked.operation == "nothing":
        return wire.NOWHERE
    if isinstance(asked.facts, Refused):
        raise asked.facts
    if asked.operation in invoking.RAW:
        return invoking.raw(world, request, asked.facts.message.endpoint)
    if asked.operation == "Predict":
        invoking.at_home(world, asked.facts.message.endpoint, request.host)
    return as_json(transcoding.shown(call(world, asked.facts), request.query))


def refused(_request: Request, refusal: Refused) -> Answer:
    return wire.error(refusal)


def call(world: World, wanted: Call) -> Any:
    """The answer to an RPC, as a message.

    Raises:
        Refused: The request breaks the contract, or Vertex AI says no.
    """
    method, message = wanted.method, wanted.message
    handler = handlers().get(method.rpc)
    if handler is None:
        raise refusals.unanswered(method.rpc)
    masked = "update_mask" in message.DESCRIPTOR.fields_by_name
    unset = list(behaviour.missing(message, deep=not masked))
    if unset:
        raise refusals.found([(path, "Required field is not set.") for path in unset])
    if method.rpc in invoking.HANDLERS:
        return handler(world, method, message)
    with world.lock:
        return copy.deepcopy(handler(world, method, message))


def _operation(world: World, asked: Asked) -> Any:
    with world.lock:
        return operation(world, asked.operation, asked.about)


def operation(world: World, verb: str, name: str) -> Any:
    """The answer to a request about operations.

    Raises:
        Refused: There is none of that name.
    """
    from google.longrunning import operations_pb2

    if verb == "ListOperations":
        return operations_pb2.ListOperationsResponse(operations=operations.of(world, name))
    found = operations.need(world, name)
    if verb in {"GetOperation", "WaitOperation"}:
        return copy.deepcopy(found.message)
    if verb == "DeleteOperation":
        del world.operations[found.message.name]
    return operations.empty()
