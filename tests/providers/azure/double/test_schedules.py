"""Schedules fire on the double's clock, and are listed, switched off and removed as the service does."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from cloudml_azure.double import double

START = datetime(2026, 11, 2, 9, 30, tzinfo=UTC)
CRON = {"triggerType": "Cron", "expression": "0 * * * *", "timeZone": "UTC"}
DAILY = {
    "triggerType": "Recurrence", "frequency": "Day", "interval": 1, "timeZone": "UTC",
    "schedule": {"hours": [12], "minutes": [15]},
}  # fmt: skip


@pytest.fixture
def cloud(cloud_at):
    return cloud_at(START)


@pytest.fixture
def cloud_at(request):
    from contextlib import ExitStack

    cloud_type = request.getfixturevalue("cloud_type")
    with ExitStack() as stack:
        yield lambda start: cloud_type(stack.enter_context(double(start=start)))


def body(cloud, trigger, **said):
    job = {
        "jobType": "Command",
        "command": "python main.py",
        "codeId": cloud.code("scheduled", b"print('fired')"),
        "environmentId": "azureml://registries/azureml/environments/sklearn-1.5/versions/10",
    }
    return {"properties": {"trigger": trigger, "action": {"actionType": "CreateJob", "jobDefinition": job}, **said}}


def runs(cloud):
    return [one["name"] for one in cloud.ask("GET", "jobs").json["value"]]


@pytest.mark.parametrize(
    ("trigger", "hours", "fired"),
    [
        (CRON, 2, ["own_20261102T110000", "own_20261102T100000"]),
        (DAILY, 28, ["own_20261103T121500", "own_20261102T121500"]),
        (
            {"triggerType": "Recurrence", "frequency": "Hour", "interval": 3},
            7,
            ["own_20261102T153005", "own_20261102T123005"],
        ),
    ],
)
def test_a_schedule_fires_when_it_is_time(cloud, trigger, hours, fired):
    done = cloud.settled(cloud.ask("PUT", "schedules/own", body(cloud, trigger)))
    assert done["status"] == "Succeeded"
    cloud.azure.clock.advance(hours * 3600)
    assert [name[:19] for name in runs(cloud)] == fired
    assert cloud.ended(runs(cloud)[0])["status"] == "Completed"


def test_one_that_is_switched_off_does_not_fire_and_is_hidden(cloud):
    cloud.settled(cloud.ask("PUT", "schedules/own", body(cloud, CRON)))
    cloud.settled(cloud.ask("PUT", "schedules/own", body(cloud, CRON, isEnabled=False)))
    cloud.azure.clock.advance(3 * 3600)
    assert runs(cloud) == []
    assert cloud.ask("GET", "schedules").json["value"] == []
    found = cloud.ask("GET", "schedules", listViewType="DisabledOnly").json["value"]
    assert [one["name"] for one in found] == ["own"]


def test_one_that_is_removed_is_gone(cloud):
    cloud.settled(cloud.ask("PUT", "schedules/own", body(cloud, CRON)))
    assert cloud.settled(cloud.ask("DELETE", "schedules/own")).status == 204
    assert cloud.ask("GET", "schedules/own").code == "UserError"
    cloud.azure.clock.advance(2 * 3600)
    assert runs(cloud) == []


def test_it_can_be_fired_by_hand(cloud):
    cloud.settled(cloud.ask("PUT", "schedules/own", body(cloud, CRON)))
    name = cloud.ask("POST", "schedules/own/trigger", {}).json["submissionId"]
    assert runs(cloud) == [name]


def test_a_trigger_that_cannot_be_read_is_refused(cloud):
    wrong = {"triggerType": "Cron", "expression": "every hour"}
    assert "is not valid" in cloud.ask("PUT", "schedules/own", body(cloud, wrong)).message


def test_a_native_monitor_is_held_to_the_contract_and_kept(cloud):
    signal = {
        "signalType": "DataDrift",
        "metricThresholds": [{"dataType": "Numerical", "metric": "PopulationStabilityIndex"}],
    }
    definition = {"computeConfiguration": {"computeType": "ServerlessSpark"}, "signals": {"drift": signal}}
    action = {"actionType": "CreateMonitor", "monitorDefinition": definition}
    refused = cloud.ask("PUT", "schedules/own", {"properties": {"trigger": CRON, "action": action}})
    assert refused.code == "ValidationError"
    assert "productionData` is required" in refused.message
