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

from typing import TYPE_CHECKING, Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.routing import Route

from cloudml.runtime import codec
from cloudml.runtime.answering import failed
from cloudml.serving import routes
from cloudml.serving.metrics import CONTENT_TYPE, OTHER
from cloudml.serving.predictions import (
    CLOSE,
    EXTRA_HEADERS,
    IDS,
    REQUEST_ID,
    UNAVAILABLE,
    WHY_NOT,
    Predictions,
    encoded,
    flat,
    known,
    shortcuts,
)
from cloudml.serving.service import Phase, Service

if TYPE_CHECKING:
    from starlette.requests import Request

    from cloudml.serving.config import ServerConfig


class App:
    """The ASGI app: predictions of the model that there is go straight to their function, the rest to Starlette.

    It counts answers by route and status, and closes connections while the server drains.
    """

    def __init__(self, rest: Starlette, service: Service) -> None:
        self._rest, self._service, self.state = rest, service, rest.state
        self._shortcuts = shortcuts(service)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            await self._rest(scope, receive, send)
            return
        found = self._shortcuts.get(scope["path"])
        if found is not None and scope["method"] == "POST":
            route, app = found
            self._service.sheet.answered(route, await app(scope, receive, send))
            return

        async def counted(message: Any) -> None:
            if message["type"] == "http.response.start":
                route = getattr(scope.get("route"), "path", OTHER)
                self._service.sheet.answered(route, message["status"])
                if self._service.phase is Phase.DRAINING:
                    message["headers"] = [*message["headers"], *encoded(CLOSE.items())]
            await send(message)

        await self._rest(scope, receive, counted)


class Routes:
    """What each route does."""

    def __init__(self, service: Service) -> None:
        self._service, self._config = service, service.config

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
        known(request.path_params, self._service)
        return self._ready(request, {"name": self._config.name, "ready": True})

    async def metadata(self, request: Request) -> Response:
        """What is known of the model; inputs and outputs only as far as their datatypes are known."""
        known(request.path_params, self._service)
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
        return Response(self._service.metrics.text(), media_type=CONTENT_TYPE)

    def _ready(self, request: Request, words: dict[str, Any]) -> Response:
        """*words*, or 503 and why the model cannot be asked."""
        if self._service.phase is Phase.READY:
            return _json(words)
        return _response(request, UNAVAILABLE, WHY_NOT[self._service.phase])


def create_app(config: ServerConfig, service: Service | None = None) -> App:
    """The server's app. Who makes it without a *service* gets one whose model is loaded at once.

    Raises:
        ModelError: The model cannot be loaded.
    """
    if service is None:
        service = Service(config)
        service.load()
    rest = Starlette(routes=_routes(Routes(service), service), exception_handlers={HTTPException: _http_error})
    rest.state.service = service
    return App(rest, service)


def _routes(does: Routes, service: Service) -> list[Route]:
    plain, tensors = Predictions(service, tensors=False), Predictions(service, tensors=True)
    table: list[tuple[str, str, Any]] = [
        *(("POST", path, plain) for path in routes.posts(service.config)),
        *(("GET", path, does.health) for path in routes.gets(service.config)),
        ("GET", routes.METRICS, does.metrics),
        ("GET", routes.SERVER, does.server),
        ("GET", routes.LIVE, does.live),
        ("GET", routes.READY, does.ready),
    ]
    for model in routes.MODELS:
        table.append(("GET", model, does.metadata))
        table.append(("GET", f"{model}/ready", does.model_ready))
        table.append(("POST", f"{model}/infer", tensors))
    return [Route(path, endpoint, methods=[method]) for method, path, endpoint in table]


async def _http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return _response(request, error.status_code, error.detail, **(error.headers or {}))


def _response(request: Request, status: int, message: str, **more: str) -> Response:
    """A refusal."""
    request_id = IDS.of(request.headers.get(REQUEST_ID, "").encode("latin-1"))
    reply = failed(status, message, request_id)
    body = flat(reply.body) if request.url.path.startswith(routes.PROTOCOL) else reply.body
    headers = {"content-type": reply.content_type, REQUEST_ID: request_id, **EXTRA_HEADERS.get(status, {}), **more}
    return Response(body, status, headers)


def _json(value: Any) -> Response:
    return Response(codec.dumps(value), headers={"content-type": codec.JSON})
