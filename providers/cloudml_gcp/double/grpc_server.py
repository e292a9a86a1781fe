"""Vertex AI over gRPC, beside the same service over REST: generic handlers that the contract describes."""

from __future__ import annotations

from concurrent import futures
from typing import TYPE_CHECKING, Any

from cloudml.doubles.faults import Kind
from cloudml_gcp.double import contract, vertex
from cloudml_gcp.double.front import DroppedError
from cloudml_gcp.double.refusals import CODES, Refused
from cloudml_gcp.double.wire import Asked

if TYPE_CHECKING:
    from collections.abc import Callable

    from cloudml_gcp.double.front import Front
    from cloudml_gcp.double.world import World

THREADS = 8
CLOSING_S = 5.0
OPERATIONS = "/google.longrunning.Operations/"


class GrpcServer:
    """A server of gRPC on this machine.

    Args:
        front: Where requests are written down, and faults strike.
    """

    def __init__(self, world: World, front: Front) -> None:
        import grpc

        self._world, self._front = world, front
        self._threads = futures.ThreadPoolExecutor(THREADS, "double-grpc")
        self._server = grpc.server(self._threads)
        self._server.add_generic_rpc_handlers((self._handlers(),))
        self.url = f"127.0.0.1:{self._server.add_insecure_port('127.0.0.1:0')}"
        self._server.start()

    def close(self) -> None:
        self._server.stop(None).wait(CLOSING_S)
        self._threads.shutdown()

    def _handlers(self) -> Any:
        import grpc

        methods = {method.path: method for method in contract.methods().values() if method.unary}

        class Handlers(grpc.GenericRpcHandler):  # type: ignore[misc]  # grpc has no type information
            def service(_, details: Any) -> Any:  # noqa: N805  self is the server
                if details.method.startswith(OPERATIONS):
                    return self._operations(details.method.removeprefix(OPERATIONS))
                method = methods.get(details.method)
                return None if method is None else self._method(method)

        return Handlers()

    def _method(self, method: contract.Method) -> Any:
        def answer(message: Any, context: Any) -> Any:
            call = vertex.Call(method, message)
            return self._answered(context, vertex.asked(call), lambda: vertex.call(self._world, call))

        return _unary(answer, method.request)

    def _operations(self, verb: str) -> Any:
        from google.longrunning import operations_pb2

        kinds = {
            f"{word}Operation": getattr(operations_pb2, f"{word}OperationRequest")
            for word in ("Get", "Cancel", "Delete", "Wait")
        }
        if verb not in kinds:
            return None

        def answer(message: Any, context: Any) -> Any:
            asked = Asked(service="aiplatform", operation=verb, about=message.name)
            return self._answered(context, asked, lambda: vertex.operation(self._world, verb, message.name))

        return _unary(answer, kinds[verb])

    def _answered(self, context: Any, asked: Asked, work: Callable[[], Any]) -> Any:
        """Answer, unless a fault or a refusal ends the call."""
        import grpc

        fault = self._front.struck(asked)
        try:
            self._front.fail(fault, asked)
            self._world.tokens.check(dict(context.invocation_metadata()).get("authorization", ""))
            found = work()
        except Refused as refusal:
            return _abort(context, refusal)
        except DroppedError:
            return context.abort(grpc.StatusCode.UNAVAILABLE, "Connection reset by peer")
        if fault is not None and fault.kind in {Kind.LOSE, Kind.HOLD}:
            fault.happened()
            late = fault.kind is Kind.HOLD
            code = grpc.StatusCode.DEADLINE_EXCEEDED if late else grpc.StatusCode.UNAVAILABLE
            return context.abort(code, "Deadline Exceeded" if late else "Connection reset by peer")
        return found


def _unary(answer: Callable[[Any, Any], Any], request: Any) -> Any:
    import grpc

    return grpc.unary_unary_rpc_method_handler(answer, request.FromString, lambda found: found.SerializeToString())


def _abort(context: Any, refusal: Refused) -> Any:
    """End a call as the service does: with the details in a trailer."""
    import grpc
    from google.rpc import error_details_pb2, status_pb2

    status = status_pb2.Status(code=refusal.number, message=refusal.message)
    if refusal.violations:
        detail = error_details_pb2.BadRequest()
        for field, text in refusal.violations:
            detail.field_violations.add(field=field, description=text)
        status.details.add().Pack(detail)
    context.set_trailing_metadata((("grpc-status-details-bin", status.SerializeToString()),))
    names = {number: name for name, (number, _) in CODES.items()}
    return context.abort(grpc.StatusCode[names[refusal.number]], refusal.message)
