from __future__ import annotations

import time

import pytest

from cloudml.status import Verdict

pytestmark = pytest.mark.live
ROWS = [{"height": height, "weight": height / 2} for height in range(150, 160)] * 5
CAPTURED_WITHIN_S = 900
"""SageMaker writes captured requests some minutes later, the others sooner."""


def test_a_small_project_lives_and_leaves_nothing(client) -> None:
    session = client.session
    first = session.up()
    assert first.metrics["jobs.train.mean"] == 77.25
    assert session.plan().changes == ()
    assert session.up().reused == {*first.statuses}
    assert client.endpoints.invoke("scale", ROWS)[0] == pytest.approx(150 / 2 - 77.25)
    assert any("trained on 10 rows" in line for line in client.jobs.logs("train"))
    deadline = time.monotonic() + CAPTURED_WITHIN_S
    while (report := client.monitors.run("drift")).rows < len(ROWS):
        assert time.monotonic() < deadline, f"{report.rows} of {len(ROWS)} rows were captured"
    assert report.state is Verdict.OK
    assert report.html.startswith("<!doctype html>")
