"""A model while it is served: loading, answering, draining. Knows nothing of HTTP but the numbers of its statuses."""

from __future__ import annotations

import asyncio
import logging
import time
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from cloudml.runtime import adapters, codec
from cloudml.runtime.answering import NOTHING, OURS, Reply, asks_nothing, failed, refused
from cloudml.runtime.model import Foreign
from cloudml.runtime.refusal import BadRequest
from cloudml.serving.batching import Batcher, QueueFullError
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
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
    headers: Mapping[str, str] = field(default_factory=dict)


class Service:
    """The model of one server.

    Args:
        config: What to serve, and how.
    """

    def __init__(self, config: ServerConfig) -> None:
        self.config = config
        self.metrics = Metrics()
        self.phase = Phase.LOADING
        self.failure: BaseException | None = None
        self.model: Model | None = None
        self._batcher: Batcher | None = None
        self._recorder: Recorder | None = None

    def load(self) -> None:
        """Load the model; takes as long as its code takes. What it raises is kept in `failure` too."""
        began = time.monotonic()
        config = self.config
        try:
            model = adapters.load(config.model, config.predictor, config.code)
        except (Exception, SystemExit) as error:
            self.phase, self.failure = Phase.FAILED, error
            raise
        self._recorder = self._recording()
        self.metrics.load_seconds = time.monotonic() - began
        self._batcher = Batcher(model, config.limits, self.metrics.batch_rows.observe)
        self.model = model
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
        self.metrics.in_flight += 1
        try:
            async with asyncio.timeout(self.config.limits.time.total_seconds()):
                return await self._answered(call)
        except BadRequest as error:
            return refused(error, call.request_id)
        except QueueFullError:
            return failed(503, FULL, call.request_id)
        except TimeoutError:
            return failed(504, LATE, call.request_id)
        except Exception:  # noqa: BLE001  a model may raise anything; the log says what
            _log.exception("request %s failed", call.request_id)
            return failed(500, OURS, call.request_id)
        finally:
            self.metrics.in_flight -= 1
            self.metrics.seconds.observe(time.monotonic() - began)

    def waiting(self) -> int:
        """How many requests wait for the model."""
        return self._batcher.waiting if self._batcher else 0

    async def _answered(self, call: Call) -> Reply:
        assert self.model is not None
        if asks_nothing(call.body):
            return NOTHING
        if isinstance(self.model, Foreign) and not call.tensors:
            return await self._foreign(self.model, call)
        request = self._decoded(call)
        self.model.check(request.instances)
        predictions = await self._run(lambda batcher: batcher.predict(request.instances, request.parameters))
        encoded = codec.encode(predictions, call.accept, request)
        self._record(call, lambda: (request.instances, predictions))
        return Reply(200, *encoded)

    async def _foreign(self, model: Foreign, call: Call) -> Reply:
        body, kind, accept, headers = call.body, call.content_type, call.accept, call.headers
        answer = await self._run(lambda batcher: batcher.call(lambda: model.invoke(body, kind, accept, headers)))
        self._record(call, lambda: foreign_rows(call, answer.body, answer.content_type))
        return Reply(200, *answer)

    async def _run(self, start: Callable[[Batcher], Any]) -> Any:
        assert self._batcher is not None
        try:
            return await start(self._batcher)
        except TimeoutError as error:  # raised by the model itself, not by our patience
            raise RuntimeError(str(error)) from error

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
        self.metrics.dropped += count


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
