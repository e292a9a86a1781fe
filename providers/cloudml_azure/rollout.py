"""How an endpoint gets to its next content: a second deployment beside the one that answers, tried, then the traffic.

Each step is one request, and the next is sent when it is done. Which one that is, is read from what is there: the
endpoint's tag says what it shall be, its deployments are named by their content, its traffic says who answers. Pure.
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Any

from cloudml.records import dataclass
from cloudml.status import State
from cloudml_azure import names
from cloudml_azure.live import FAILED, provisioning

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cloudml_azure.live import Live

ALL = 100
STATES: Mapping[str, State] = {
    "Creating": State.CREATING,
    "Updating": State.UPDATING,
    "Scaling": State.READY,
    "Succeeded": State.READY,
    "Deleting": State.DELETING,
    "Failed": State.FAILED,
    "Canceled": State.FAILED,
}
"""The provisioning states of endpoints and deployments; one that is scaling answers."""


class Step(Enum):
    """What is to be sent next."""

    NOTHING = "nothing"
    DEPLOYMENT = "deployment"
    TRAFFIC = "traffic"
    SCALING = "scaling"


@dataclass(frozen=True, slots=True)
class Standing:
    """Where an endpoint stands.

    Attributes:
        state: In our words.
        hash: Of the content that answers, or that is on its way to it.
        reason: Why, or what is lacking.
        step: What is to be sent next.
    """

    state: State
    hash: str
    reason: str = ""
    step: Step = Step.NOTHING


def standing(live: Live) -> Standing:
    """Where an endpoint stands, by what is there."""
    state = STATES.get(provisioning(live.endpoint), State.UNKNOWN)
    if state is not State.READY:
        moving = state in {State.CREATING, State.UPDATING}
        now = (State.UPDATING if live.answering else State.CREATING) if moving else state
        return Standing(now, live.hash, _why(live) if state is State.FAILED else "")
    name, wanted = names.deployment(live.hash), live.wanted
    if not live.hash and live.answering:
        return Standing(state, "")  # cloudml did not make it, and knows nothing else that it should be
    if wanted is None:
        return Standing(State.UNFINISHED, live.hash, f"its deployment `{name}` is not made", Step.DEPLOYMENT)
    if provisioning(wanted) in FAILED:
        return _failed(live)
    if STATES.get(provisioning(wanted)) is not State.READY:
        return Standing(State.UPDATING if live.answering else State.CREATING, live.hash)
    return _made(live, name)


def _made(live: Live, name: str) -> Standing:
    """The wanted deployment is there: does it answer, and does it scale?"""
    # The moment tells one time from the next: a request of somebody else may have put the traffic back, or have made
    # the deployment busy when ours was to be sent.
    since = max(_modified(live.endpoint), _modified(live.wanted or {}))
    if live.traffic.get(name) != ALL:
        return Standing(State.UNFINISHED, live.hash, f"its traffic does not go to `{name}` since {since}", Step.TRAFFIC)
    if live.scaling:
        return Standing(State.UNFINISHED, live.hash, f"{live.scaling} since {since}", Step.SCALING)
    return Standing(State.READY, live.hash)


def _modified(record: Mapping[str, Any]) -> str:
    """When somebody changed it last, as Azure writes it."""
    return str(record.get("systemData", {}).get("lastModifiedAt", ""))


def _failed(live: Live) -> Standing:
    """The new deployment failed: the one before goes on, where there is one."""
    before = live.answering
    if before is None or before is live.wanted:
        return Standing(State.FAILED, live.hash, _why(live))
    return Standing(State.READY, names.ours(before).get("cloudml-hash", ""), _why(live))


def _why(live: Live) -> str:
    reasons = [str(live.failed) if live.failed else "Azure ML says that it failed, and not why"]
    if live.tail:
        reasons.append("the container's last lines: " + " | ".join(live.tail))
    return "; ".join(reasons)


def traffic(endpoint: Mapping[str, Any], shares: Mapping[str, int]) -> dict[str, Any]:
    """The request that makes an endpoint, with other shares: all of it, since what is left out would be unset."""
    return dict(endpoint, properties=dict(endpoint["properties"], traffic=dict(shares)))


def kept_count(current: int, least: int, most: int) -> int:
    """How many instances a new deployment begins with: as many as the load has made of the one before."""
    return min(max(current, least), most)
