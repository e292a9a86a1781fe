"""Cron in Cloud Scheduler's words fires at the same times, or is refused."""

from __future__ import annotations

import pytest
from cronsim import CronSim

from cloudml.clock import EPOCH
from cloudml.errors import UnsupportedError
from cloudml_gcp.schedules import expression


@pytest.mark.parametrize("cron", ["0 * * * *", "*/15 8-18 * * 1-5", "0 0 1 * *", "30 6 1 1 7", "0 12 13 * 5"])
def test_it_fires_at_the_same_times(cron: str) -> None:
    said = CronSim(expression(cron, "monitors.drift.schedule"), EPOCH)
    asked = CronSim(cron, EPOCH)
    assert [next(said) for _ in range(40)] == [next(asked) for _ in range(40)]


@pytest.mark.parametrize("cron", ["0 0 L * *", "0 0 * * 1#2", "0 0 */2 * 1"])
def test_what_cannot_be_said_is_refused(cron: str) -> None:
    with pytest.raises(UnsupportedError, match="Cloud Scheduler cannot honour"):
        expression(cron, "monitors.drift.schedule")
