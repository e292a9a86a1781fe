"""The routes, on Starlette.

    POST /invocations, /predict (AIP_PREDICT_ROUTE), /score     predictions, in every form that `codec` knows
    GET  /ping, /health (AIP_HEALTH_ROUTE), /                   200 when ready, else 503
    GET  /v2, /v2/health/live, /v2/health/ready, /v2/models/{name}[/versions/{version}][/ready]
    POST /v2/models/{name}[/versions/{version}]/infer           the Open Inference Protocol
    GET  /metrics                                               for Prometheus

Routes of predictions ask for the token, if there is one; the others do not. Below /v2 an error is a text with the facts
beside it, and readiness a truth value, because the Open Inference Protocol has them so.
"""

from __future__ import annotations

import asyncio
import hmac
import json
import re
import uuid
from typing import TYPE_CHECKING, Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.routing import Route

from cloudml.runtime import codec
from cloudml.runtime.answering import Reply, failed
from cloudml.serving.metrics import CONTENT_TYPE
from cloudml.serving.service import Call, Phase, Service

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from starlette.requests import Request

    from cloudml.serving.config import ServerConfig

    Endpoint = Callable[[Request], Awaitable[Response]]

PROTOCOL = "/v2/"
REQUEST_ID = "x-request-id"
_GOOD_ID = re.compile(r"[\w.-]{1,64}")
LEAST_FAILURE, TOO_SLOW, TOO_LARGE, UNAUTHORIZED, UNAVAILABLE = 400, 408, 413, 401, 503
RETRY_SECONDS = "1"
EXTRA_HEADERS = {UNAUTHORIZED: {"www-authenticate": "Bearer"}, UNAVAILABLE: {"retry-after": RETRY_SECONDS}}
WHY_NOT = {
    Phase.LOADING: "the model is loading",
    Phase.FAILED: "the model could not be loaded",
    Phase.DRAINING: "the server is stopping",
}


class Tally:
    """ASGI around the app: counts answers by route and status, and closes connections while the server drains."""

    def __init__(self, app: Any, service: Service) -> None:
        self._app, self._service = app, service

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def counted(message: Any) -> None:
            if message["type"] == "http.response.start":
                route = getattr(scope.get("route"), "path", "other")
                self._service.metrics.requests[route, message["status"]] += 1
                if self._service.phase is Phase.DRAINING:
                    message["headers"] = [*message["headers"], (b"connection", b"close")]
            await send(message)

        await self._app(scope, receive, counted)


class Routes:
    """What each route does."""

    def __init__(self, service: Service) -> None:
        self._service, self._config = service, service.config

    async def predict(self, request: Request) -> Response:
        return await self._answer(request, tensors=False)

    async def infer(self, request: Request) -> Response:
        self._known(request)
        return await self._answer(request, tensors=True)

    async def health(self, request: Request) -> Response:
        """200 when the model can be asked."""
        return self._ready(request, {"status": "ready"})

    async def ready(self, request: Request) -> Response:
        return self._ready(request, {"ready": True})

    async def live(self, request: Request) -> Response:
        del request
        return _json({"live": True})

    async def server(self, request: Request) -> Response:
        del request
        return _json({"name": "cloudml", "version": self._config.version, "extensions": []})

    async def model_ready(self, request: Request) -> Response:
        self._known(request)
        return self._ready(request, {"name": self._config.name, "ready": True})

    async def metadata(self, request: Request) -> Response:
        """What is known of the model; inputs and outputs only as far as their datatypes are known."""
        self._known(request)
        model = self._service.model
        kind = model.kind if model else "loading"
        names = model.names if model and model.kind == "xgboost" else ()  # of others the datatypes are not known
        return _json({
            "name": self._config.name,
            "versions": [self._config.version],
            "platform": f"cloudml_{kind}",
            "inputs": [{"name": name, "datatype": "FP64", "shape": [-1]} for name in names],
            "outputs": [],
        })  # fmt: skip

    async def metrics(self, request: Request) -> Response:
        del request
        metrics = self._service.metrics
        metrics.waiting = self._service.waiting()
        return Response(metrics.text(), media_type=CONTENT_TYPE)

    def _ready(self, request: Request, words: dict[str, Any]) -> Response:
        """*words*, or 503 and why the model cannot be asked."""
        if self._service.phase is Phase.READY:
            return _json(words)
        request_id = _request_id(request)
        return _response(request, failed(UNAVAILABLE, WHY_NOT[self._service.phase], request_id), request_id)

    async def _answer(self, request: Request, *, tensors: bool) -> Response:
        request_id = _request_id(request)
        reply = self._refusal(request, request_id)
        if reply is None:
            body = await self._body(request, request_id)
            if isinstance(body, Response):
                return body
            reply = await self._service.answer(
                Call(
                    body=body,
                    content_type=request.headers.get("content-type"),
                    accept=request.headers.get("accept"),
                    request_id=request_id,
                    tensors=tensors,
                    headers=request.headers,
                )
            )
        return _response(request, reply, request_id)

    async def _body(self, request: Request, request_id: str) -> bytes | Response:
        """The body, or the answer to one that is too large or too slow; its rest is not read."""
        limits = self._config.limits
        try:
            async with asyncio.timeout(limits.time.total_seconds()):
                body = await _read(request, limits.body_bytes)
        except TimeoutError:
            refusal = failed(TOO_SLOW, "the body did not come in time", request_id)
        else:
            if body is not None:
                return body
            refusal = failed(TOO_LARGE, f"the body has more than {limits.body_bytes} bytes", request_id)
        return _response(request, refusal, request_id, connection="close")

    def _refusal(self, request: Request, request_id: str) -> Reply | None:
        """Why the request is not even read."""
        shown = request.headers.get("authorization", "").encode("utf-8", "replace")
        if self._config.token and not hmac.compare_digest(shown, f"Bearer {self._config.token}".encode()):
            return failed(UNAUTHORIZED, "the token is missing or wrong", request_id)
        if self._service.model is None:
            return failed(UNAVAILABLE, WHY_NOT[self._service.phase], request_id)
        return None

    def _known(self, request: Request) -> None:
        """Refuse another model's name or version."""
        named = request.path_params
        if named["name"] != self._config.name or named.get("version", self._config.version) != self._config.version:
            raise HTTPException(404, f"there is no such model; there is: {self._config.name} {self._config.version}")


def create_app(config: ServerConfig, service: Service | None = None) -> Starlette:
    """The server's app. Who makes it without a *service* gets one whose model is loaded at once.

    Raises:
        ModelError: The model cannot be loaded.
    """
    if service is None:
        service = Service(config)
        service.load()
    app = Starlette(
        routes=_routes(Routes(service), config),
        exception_handlers={HTTPException: _http_error, ClientDisconnect: _gone},
    )
    app.state.service = service
    app.add_middleware(Tally, service=service)
    return app


def _routes(routes: Routes, config: ServerConfig) -> list[Route]:
    posts = dict.fromkeys([config.predict_route, "/invocations", "/predict", "/score"])
    gets = dict.fromkeys([config.health_route, "/ping", "/health", "/"])
    table: list[tuple[str, str, Endpoint]] = [
        *(("POST", path, routes.predict) for path in posts),
        *(("GET", path, routes.health) for path in gets),
        ("GET", "/metrics", routes.metrics),
        ("GET", "/v2", routes.server),
        ("GET", "/v2/health/live", routes.live),
        ("GET", "/v2/health/ready", routes.ready),
    ]
    for model in ("/v2/models/{name}", "/v2/models/{name}/versions/{version}"):
        table.append(("GET", model, routes.metadata))
        table.append(("GET", f"{model}/ready", routes.model_ready))
        table.append(("POST", f"{model}/infer", routes.infer))
    return [Route(path, endpoint, methods=[method]) for method, path, endpoint in table]


async def _read(request: Request, limit: int) -> bytes | None:
    """The body; None when it is larger than allowed, of which no more is read than needed to know it."""
    announced = request.headers.get("content-length", "")
    if announced.isdecimal() and int(announced) > limit:
        return None
    parts, size = [], 0
    async for part in request.stream():
        size += len(part)
        if size > limit:
            return None
        parts.append(part)
    return b"".join(parts)


async def _http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    request_id = _request_id(request)
    reply = failed(error.status_code, error.detail, request_id)
    return _response(request, reply, request_id, **(error.headers or {}))


async def _gone(request: Request, error: Exception) -> Response:
    """For a caller who went away before the body was read: nobody sees it."""
    del request, error
    return Response(status_code=400)


def _request_id(request: Request) -> str:
    said = request.headers.get(REQUEST_ID, "")
    return said if _GOOD_ID.fullmatch(said) else uuid.uuid4().hex


def _response(request: Request, reply: Reply, request_id: str, **more: str) -> Response:
    headers = {"content-type": reply.content_type, REQUEST_ID: request_id, **EXTRA_HEADERS.get(reply.status, {})}
    failing = reply.status >= LEAST_FAILURE and request.url.path.startswith(PROTOCOL)
    return Response(_flat(reply.body) if failing else reply.body, reply.status, {**headers, **more})


def _flat(body: bytes) -> bytes:
    """An error as the Open Inference Protocol has it: its message as a text, the facts beside it."""
    facts = json.loads(body)["error"]
    return codec.dumps({"error": facts.pop("message"), **facts})


def _json(value: Any) -> Response:
    return Response(codec.dumps(value), headers={"content-type": codec.JSON})
