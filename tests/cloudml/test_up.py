"""`up` at a provider whose endpoints need several requests with waiting between them."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import pytest

from cloudml.errors import AlreadyExistsError, NotFoundError, RunFailedError
from cloudml.events import Event, Happened
from cloudml.graph import Action, Step, judge
from cloudml.plan import Plan
from cloudml.resources import EndpointResource, Identity
from cloudml.seam import Provider
from cloudml.specs import EndpointSpec
from cloudml.status import Answer, EndpointStatus, State
from cloudml.up import Up, UpResult
from cloudml.waiting import Waiter

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass
class Staged:
    """Endpoints in memory: one request makes it, one more for each of *stages*, each at work for one look.

    Attributes:
        stages: What is to be sent after the first request, in this order.
        stuck: From here on a request changes nothing.
        sent: The requests that came.
    """

    stages: tuple[str, ...] = ("autoscaling", "alarms")
    stuck: str = ""
    left: list[str] = field(default_factory=list)
    there: dict[str, EndpointStatus] = field(default_factory=dict)
    sent: list[str] = field(default_factory=list)

    def plan(self, resource: EndpointResource) -> Plan:
        return Plan(calls=())

    def create(self, resource: EndpointResource) -> EndpointStatus:
        name, identity = resource.identity.name, resource.identity
        if name in self.there:
            raise AlreadyExistsError("it is there")
        self.sent.append("create")
        self.left = list(self.stages)
        self.there[name] = EndpointStatus(
            resource=identity.resource, name=name, project=identity.project, hash=identity.hash, state=State.CREATING
        )
        return self.there[name]

    def update(self, resource: EndpointResource) -> EndpointStatus:
        name = resource.identity.name
        assert self.there[name].state is State.UNFINISHED
        self.sent.append(self.left[0])
        if self.left[0] != self.stuck:
            del self.left[0]
        self.there[name] = replace(self.there[name], state=State.UPDATING, reason="")
        return self.there[name]

    def get(self, name: str) -> EndpointStatus:
        if name not in self.there:
            raise NotFoundError(f"no endpoint `{name}`")
        now = self.there[name]
        if not now.state.over:  # by the next look it is through
            over = State.UNFINISHED if self.left else State.READY
            self.there[name] = replace(now, state=over, reason=f"{self.left[0]} is to be set up" if self.left else "")
        return now

    def list(self, project: str) -> Iterator[EndpointStatus]:
        yield from self.there.values()

    def invoke(self, name: str, body: bytes, *, content_type: str, accept: str) -> Answer:
        assert self.there[name].state is State.READY
        return Answer(status=200, body=b'{"predictions": []}', content_type="application/json", model="m")

    def delete(self, name: str) -> None:
        self.there.pop(name, None)


@dataclass
class Turns(Staged):
    """One whose two stages undo each other, for ever."""

    def update(self, resource: EndpointResource) -> EndpointStatus:
        self.left.append(self.left[0])
        return super().update(resource)


@dataclass
class Counted(Staged):
    """One that counts how often it is looked at."""

    looks: int = 0

    def get(self, name: str) -> EndpointStatus:
        self.looks += 1
        return super().get(name)


RESOURCE = EndpointResource(
    spec=EndpointSpec(name="e", model="models.m"),
    identity=Identity(project="p", resource="endpoints.e", hash="ab" * 32),
    model="p-m-1",
)


def up(endpoints: Staged, events: list[Event] | None = None, **said: Any) -> UpResult:
    provider = Provider(None, None, None, endpoints, None, None, **said)
    step = Step(resource=RESOURCE, action=Action.CREATE, why="", plan=endpoints.plan(RESOURCE), notes=(), status=None)
    waiter = Waiter(1.0, 1.0, sleep=lambda _: None)
    return Up(provider, waiter, (events if events is not None else []).append).run((step,), "there")


def test_what_is_left_to_be_sent_is_sent_stage_by_stage_and_then_nothing() -> None:
    endpoints, events = Staged(), []
    result = up(endpoints, events)
    assert endpoints.sent == ["create", "autoscaling", "alarms"]
    assert (result.statuses["endpoints.e"].state, result.reused) == (State.READY, frozenset())
    states = [event.state for event in events if event.event is Happened.STATE]
    assert states == ["unfinished", "unfinished", "ready"]
    assert up(endpoints).reused == {"endpoints.e"}
    assert endpoints.sent == ["create", "autoscaling", "alarms"]


def test_what_is_there_is_looked_at_once() -> None:
    endpoints = Counted()
    up(endpoints)
    before = endpoints.looks
    assert up(endpoints).reused == {"endpoints.e"}
    assert endpoints.looks == before + 1


def test_all_is_done_while_the_provider_is_told_that_much_is_to_come() -> None:
    endpoints, seen = Staged(), []

    @contextmanager
    def working() -> Iterator[None]:
        seen.append([*endpoints.sent])
        yield
        seen.append([*endpoints.sent])

    up(endpoints, working=working)
    assert seen == [[], ["create", "autoscaling", "alarms"]]


@pytest.mark.parametrize("stages", [0, 1, 2])
def test_an_up_that_was_killed_between_two_stages_is_finished_by_the_next(stages: int) -> None:
    endpoints = Staged()
    endpoints.create(RESOURCE)
    for _ in range(stages):
        while not endpoints.get(RESOURCE.identity.name).state.over:
            pass
        endpoints.update(RESOURCE)
    assert up(endpoints).statuses["endpoints.e"].state is State.READY
    assert endpoints.sent == ["create", "autoscaling", "alarms"]


def test_one_that_stays_unfinished_for_the_same_reason_fails_with_it() -> None:
    endpoints = Staged(stuck="alarms")
    with pytest.raises(RunFailedError, match=r"`endpoints\.e` ended as unfinished: alarms is to be set up") as caught:
        up(endpoints)
    assert endpoints.sent == ["create", "autoscaling", "alarms"]
    assert caught.value.status.state is State.UNFINISHED
    assert "cloudml up" in caught.value.hint
    endpoints.stuck = ""
    assert up(endpoints).statuses["endpoints.e"].state is State.READY


def test_one_whose_reasons_come_again_in_turns_does_not_loop() -> None:
    endpoints = Turns()
    with pytest.raises(RunFailedError, match="autoscaling is to be set up"):
        up(endpoints)
    assert endpoints.sent == ["create", "autoscaling", "alarms"]


def test_unfinished_with_the_same_content_is_to_be_finished_and_with_another_to_be_updated() -> None:
    status = EndpointStatus(
        resource="endpoints.e", name=RESOURCE.identity.name, project="p", hash="ab" * 32, state=State.UNFINISHED
    )
    assert judge(RESOURCE, status) == (Action.FINISH, "more is to be sent")
    assert judge(RESOURCE, replace(status, reason="alarms")) == (Action.FINISH, "alarms")
    assert judge(RESOURCE, replace(status, hash="cd" * 32))[0] is Action.UPDATE
    assert (State.UNFINISHED.over, State.UNFINISHED.good) == (True, False)
