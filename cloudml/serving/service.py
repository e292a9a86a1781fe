"""A model while it is served: loading, answering, draining. Knows nothing of HTTP but the numbers of its statuses."""

from __future__ import annotations

import logging
import time
from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

from cloudml.runtime import adapters, codec
from cloudml.runtime.answering import NOTHING, OURS, Reply, asks_nothing, failed, refused
from cloudml.runtime.model import Foreign
from cloudml.runtime.refusal import BadRequest
from cloudml.serving import routes
from cloudml.serving.batching import Batcher, LateError, QueueFullError
from cloudml.serving.metrics import Metrics

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from cloudml.runtime.model import Model
    from cloudml.serving.capture import Recorder
    from cloudml.serving.config import ServerConfig

_log = logging.getLogger("cloudml.serving")
LATE = "the model did not answer in time"
FULL = "too many requests wait already"


class Phase(StrEnum):
    """Where a server stands."""

    LOADING = "loading"
    READY = "ready"
    DRAINING = "draining"
    FAILED = "failed"


class Call(NamedTuple):
    """One request for predictions.

    Attributes:
        tensors: Whether it came by the Open Inference Protocol, whose answers name the model.
        headers: Handed to code that asks for them.
    """

    body: bytes
    content_type: str | None
    accept: str | None
    request_id: str
    tensors: bool = False
    headers: Mapping[str, str] = MappingProxyType({})


class Loaded(NamedTuple):
    """A model, and how long it took to load."""

    model: Model
    seconds: float


def load(config: ServerConfig) -> Loaded:
    """The model that a server is told of. Raises whatever the model's code raises, and ModelError."""
    began = time.monotonic()
    model = adapters.load(config.model, config.predictor, config.code)
    return Loaded(model, time.monotonic() - began)


class Service:
    """The model of one server, or of one of the workers that share it.

    Args:
        config: What to serve, and how.
        metrics: Where it is counted.
        worker: Whose sheet of the metrics.
    """

    def __init__(self, config: ServerConfig, metrics: Metrics | None = None, worker: int = 0) -> None:
        self.config = config
        self.metrics = metrics or Metrics(routes.names(config))
        self.sheet = self.metrics.sheets[worker]
        self.phase = Phase.LOADING
        self.failure: BaseException | None = None
        self.model: Model | None = None
        self._batcher: Batcher | None = None
        self._recorder: Recorder | None = None

    def load(self) -> None:
        """Load the model; takes as long as its code takes. What it raises is kept in `failure` too."""
        try:
            loaded = load(self.config)
        except (Exception, SystemExit) as error:
            self.phase, self.failure = Phase.FAILED, error
            raise
        self.take(loaded)

    def take(self, loaded: Loaded) -> None:
        """Serve a model that is loaded."""
        self._recorder = self._recording()
        self.sheet.load_seconds.set(loaded.seconds)
        self._batcher = Batcher(loaded.model, self.config.limits, self.sheet)
        self.model = loaded.model
        if self.phase is Phase.LOADING:
            self.phase = Phase.READY

    def drain(self) -> None:
        """Be ready no more; what comes is still answered."""
        self.phase = Phase.DRAINING

    def close(self) -> bool:
        """Write what is recorded, and let the threads end; whether they have."""
        if self._recorder is not None:
            self._recorder.close()
        return self._batcher is None or self._batcher.close()

    async def answer(self, call: Call) -> Reply:
        """The answer to a request: every failure of the request or the model is an answer too."""
        began = time.monotonic()
        self.sheet.in_flight.add(1)
        try:
            return await self._answered(call)
        except BadRequest as error:
            return refused(error, call.request_id)
        except QueueFullError:
            return failed(503, FULL, call.request_id)
        except LateError:
            return failed(504, LATE, call.request_id)
        except Exception:  # noqa: BLE001  a model may raise anything; the log says what
            _log.exception("request %s failed", call.request_id)
            return failed(500, OURS, call.request_id)
        finally:
            self.sheet.in_flight.add(-1)
            self.sheet.seconds.observe(time.monotonic() - began)

    async def _answered(self, call: Call) -> Reply:
        assert self.model is not None
        assert self._batcher is not None
        if asks_nothing(call.body):
            return NOTHING
        if isinstance(self.model, Foreign) and not call.tensors:
            return await self._foreign(self.model, self._batcher, call)
        request = self._decoded(call)
        instances = request.instances
        self.model.check(instances)
        predictions = await self._batcher.predict(instances, request.parameters)
        body, content_type = codec.encode(predictions, call.accept, request)
        self._record(call, lambda: (instances, predictions))
        return Reply(200, body, content_type)

    async def _foreign(self, model: Foreign, batcher: Batcher, call: Call) -> Reply:
        body, kind, accept, headers = call.body, call.content_type, call.accept, call.headers
        answer = await batcher.call(lambda: model.invoke(body, kind, accept, headers))
        self._record(call, lambda: foreign_rows(call, answer.body, answer.content_type))
        return Reply(200, *answer)

    def _decoded(self, call: Call) -> codec.Request:
        assert self.model is not None
        request = codec.decode(call.body, call.content_type, self.model.names)
        if call.tensors and request.shape != "tensors":
            raise BadRequest("`inputs` must be a list of tensors", field="inputs")
        if request.shape != "tensors":
            return request
        facts = {**request.facts, "model_name": self.config.name, "model_version": self.config.version}
        return request._replace(facts=facts)

    def _record(self, call: Call, rows: Callable[[], tuple[list[Any], list[Any]]]) -> None:
        if self._recorder is not None and self._recorder.chosen():
            self._recorder.offer(call.request_id, len(call.body), *rows())

    def _recording(self) -> Recorder | None:
        settings = self.config.capture
        if settings.folder is None or settings.share == 0:
            return None
        from cloudml.serving.capture import Recorder

        return Recorder(settings, self.config.name, self.config.version, self._count_dropped)

    def _count_dropped(self, count: int) -> None:
        self.sheet.dropped.add(count)


def foreign_rows(call: Call, body: bytes, content_type: str) -> tuple[list[Any], list[Any]]:
    """The rows in a body that foreign code has read, and their predictions.

    Where the two cannot be told apart, one row holds the request and its answer as text.
    """
    try:
        instances = codec.decode(call.body, call.content_type).instances
        predictions = codec.predictions(body, content_type)
    except BadRequest:
        instances, predictions = [], []
    if instances and len(instances) == len(predictions):
        return instances, predictions
    return [call.body.decode("utf-8", "replace")], [body.decode("utf-8", "replace")]
