"""Jobs at a cloud: what their cards tell before the cloud has anything to tell."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cloudml import clock
from cloudml.status import JobState, JobStatus

if TYPE_CHECKING:
    from collections.abc import Mapping

NOT_STARTED = "its code is being sent, or starting it was interrupted"


def came_to_nothing(state: JobState) -> bool:
    """Whether another run may take the place of one in that state."""
    return state.over and not state.good


def accepted(name: str, card: Mapping[str, Any], answer: Mapping[str, Any]) -> JobStatus:
    """The status of a job whose request was accepted just now."""
    tags = card["tags"]
    return JobStatus(
        resource=tags["cloudml-resource"],
        name=name,
        project=tags["cloudml-project"],
        hash=tags["cloudml-hash"],
        state=JobState.QUEUED,
        created=clock.now(),
        native=dict(answer),
        outputs=card["outputs"],
        parameters=card["parameters"],
    )


def not_started(name: str, card: Mapping[str, Any]) -> JobStatus:
    """The status of a job of which there is a card and no more."""
    tags = card["tags"]
    return JobStatus(
        resource=tags["cloudml-resource"],
        name=name,
        project=tags["cloudml-project"],
        hash=tags.get("cloudml-hash", ""),
        state=JobState.UNKNOWN,
        reason=NOT_STARTED,
        created=clock.moment(card.get("created")),
        native=dict(card),
        parameters=card.get("parameters", {}),
        outputs=card.get("outputs", {}),
    )
