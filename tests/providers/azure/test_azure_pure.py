"""What is decided about Azure without asking it: names, tables, requests, errors, states, schedules."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from azureml_resources import HASH, PLACES, endpoint, job, model, monitor, settings
from hypothesis import given
from hypothesis import strategies as st

from cloudml.errors import (
    AlreadyExistsError,
    AuthenticationError,
    ConflictError,
    InvalidRequestError,
    NotFoundError,
    PermissionDeniedError,
    ProviderError,
    QuotaExceededError,
    SpecError,
    ThrottledError,
    UnavailableError,
    UnsupportedError,
)
from cloudml.plan import Call, Plan
from cloudml.runtime.record import Record
from cloudml.specs import FrameworkSpec, MachineSpec
from cloudml.status import JobState, State
from cloudml_azure import (
    analysing,
    endpoints,
    errors,
    images,
    invoking,
    jobs,
    logs,
    machines,
    models,
    monitors,
    names,
    permissions,
    quotas,
    requests,
    rollout,
    scaling,
    schedules,
    states,
)
from cloudml_azure.clients import verify
from cloudml_azure.live import Live

GOLDEN = Path(__file__).parent / "golden"
ENUMS = requests.contract()["enums"]


class TestNames:
    @given(st.text(min_size=1, max_size=300))
    def test_every_name_fits_and_what_was_fitted_stays(self, name: str) -> None:
        found, bounds = names.fit(name), requests.contract()["names"]["jobs"]
        assert re.fullmatch(bounds["pattern"], found)
        assert names.fit(found) == found

    @given(st.text(min_size=1, max_size=100))
    def test_every_endpoints_name_is_good_and_what_was_fitted_stays(self, name: str) -> None:
        found, bounds = names.endpoint(name, settings()), requests.contract()["names"]["onlineEndpoints"]
        assert re.fullmatch(bounds["pattern"], found)
        assert "--" not in found
        assert bounds["min_length"] <= len(found) <= bounds["max_length"]
        assert names.endpoint(found, settings()) == found

    def test_an_endpoint_has_another_name_in_another_workspace(self) -> None:
        assert names.endpoint("flights-delay", settings()) != names.endpoint(
            "flights-delay", settings(workspace="other")
        )

    def test_a_versions_number_stands_at_the_end_of_its_name(self) -> None:
        assert names.asset("flights-delay-3fa9c1d2e4") == ("flights-delay", "3fa9c1d2e4")
        assert names.asset("by-hand") == ("by-hand", "1")


class TestMachines:
    @pytest.mark.parametrize(
        ("asked", "wanted"),
        [
            ({}, "Standard_DS3_v2"),
            ({"cpus": 4, "memory": "16GiB"}, "Standard_E4s_v3"),
            ({"cpus": 2, "memory": "8GiB"}, "Standard_E2s_v3"),
            ({"gpus": 1, "gpu": "T4"}, "Standard_NC4as_T4_v3"),
            ({"gpu": "H100"}, "Standard_NC40ads_H100_v5"),
            ({"cpus": 1, "disk": "100GiB"}, "Standard_E8s_v3"),
            ({"exact": {"azure": "Standard_X"}, "cpus": 99}, "Standard_X"),
        ],
    )
    def test_the_smallest_that_fits_is_taken_and_the_plan_says_which(self, asked, wanted: str) -> None:
        found = machines.choose("jobs.train.machine", MachineSpec.model_validate(asked), "endpoint")
        assert found.instance_type == wanted
        assert wanted in found.notes[0].text

    def test_what_there_is_not_is_refused_with_what_comes_near(self) -> None:
        with pytest.raises(UnsupportedError) as caught:
            machines.choose("jobs.train.machine", MachineSpec(gpus=3, gpu="T4"), "job")
        assert "Standard_NC64as_T4_v3" in caught.value.hint

    def test_a_family_is_the_same_however_it_is_written(self) -> None:
        assert quotas.family_key("Standard_DS3_v2") == quotas.family_key("standardDSv2Family") == "dsv2"
        assert quotas.family_key("Standard_F4s_v2") == quotas.family_key("standardFSv2Family")
        assert quotas.Wanted("Standard_DS3_v2", "endpoint", 10).cores == 48


class TestImages:
    @pytest.mark.parametrize(
        ("name", "version", "wanted"),
        [
            ("sklearn", "1.5", "sklearn-1.5"),
            ("sklearn", "1.5.2", "sklearn-1.5"),
            ("sklearn", "1.3", "sklearn-1.5"),
            ("xgboost", "1.7", "lightgbm-3.3"),
            ("pytorch", "2.8", "acpt-pytorch-2.8-cuda12.6"),
        ],
    )
    def test_the_nearest_curated_environment_is_taken(self, name: str, version: str, wanted: str) -> None:
        found = images.resolve("jobs.train", FrameworkSpec(name=name, version=version), "Standard_DS3_v2")
        assert found.environment == f"azureml://registries/azureml/environments/{wanted}/labels/latest"

    def test_a_framework_without_one_is_refused(self) -> None:
        with pytest.raises(UnsupportedError, match="Hugging Face"):
            images.resolve("jobs.train", FrameworkSpec(name="huggingface", version="4"), "Standard_DS3_v2")


def plans(root: Path) -> dict[str, Plan]:
    """One of each: the least, and the most."""
    target = settings(tags={"team": "ml"}, identity="/subscriptions/s/resourceGroups/g/providers/p")
    full = job(
        root, inputs={"table": "az://cloudml/cloudml/flights/datasets/t", "other": "az://cloudml/x"},
        outputs=["model", "more"], metrics=["auc"], nodes=3, spot=True, packages="pandas\n",
        requirements="requirements.txt", image="registry.example/own:1", machine={"gpus": 1, "gpu": "T4"},
        environment={"A": "b"}, parameters={"n": 3}, native={"azure": {"resources": {"shmSize": "8g"}}},
    )  # fmt: skip
    scaled = endpoint(
        capture=0.5, instances={"min": 1, "max": 4},
        native={"azure": {"requestSettings": {"requestTimeout": "PT9S"}, "publicNetworkAccess": "Disabled"}},
    )  # fmt: skip
    card = monitors.lower(monitor(), PLACES, settings())
    return {
        "job": jobs.lower(job(root), PLACES, settings()),
        "job-full": jobs.lower(full, PLACES, target),
        "job-cluster": jobs.lower(job(root), PLACES, settings(compute="cpus")),
        "model": Plan(models.lower(model(), PLACES, settings())),
        "endpoint": Plan(endpoints.lower(endpoint(), PLACES, settings())),
        "endpoint-full": Plan(endpoints.lower(scaled, PLACES, settings(authentication="entra"))),
        "monitor": Plan(
            (Call(monitors.SCHEDULE, card["schedule"]), Call(jobs.CREATE, analysing.once(card["job"], "drift", "r1")))
        ),
    }


class TestRequests:
    @pytest.mark.parametrize(
        "name", ["job", "job-full", "job-cluster", "model", "endpoint", "endpoint-full", "monitor"]
    )
    def test_a_request_is_as_it_was_looked_at_and_keeps_to_the_contract(self, name: str, tmp_path) -> None:
        plan = plans(tmp_path)[name]
        verify(plan)
        found = {f"{number} {call.operation}": call.body for number, call in enumerate(plan.calls)}
        text = re.sub(r'"digest": "[0-9a-f]+"', '"digest": "…"', json.dumps(found, indent=1, sort_keys=True))
        text = re.sub(r"engine/[0-9a-f]{16}", "engine/…", text)
        assert text + "\n" == (GOLDEN / f"{name}.json").read_text("utf-8")

    @pytest.mark.parametrize(
        ("change", "said"),
        [
            ({"comand": "x"}, "`properties.comand` is unknown; is `command` meant?"),
            ({"command": None}, "`properties.command` is missing"),
            ({"jobType": "Comand"}, "`properties.jobType` is 'Comand', and must be one of Command"),
            ({"status": "Running"}, "`properties.status` is set by the service alone"),
            ({"limits": {"jobLimitsType": "Command", "timeout": "3600"}}, "a duration of ISO 8601"),
            ({"tags": {"a": 1}}, "`properties.tags.a` is 1, and must be text"),
            ({"queueSettings": {"jobTier": "Spott"}}, "is `Spot` meant?"),
            ({"command": ""}, "a length of at least 1"),
        ],
    )
    def test_what_the_service_would_refuse_is_refused_before_it_is_sent(self, change, said: str, tmp_path) -> None:
        *_, call = jobs.lower(job(tmp_path), PLACES, settings()).calls
        with pytest.raises(SpecError) as caught:
            requests.check(Call(call.operation, {**call.body, "properties": {**call.body["properties"], **change}}))
        assert said in str(caught.value)

    def test_every_request_with_a_body_is_in_the_contract(self) -> None:
        assert {route.root for route in requests.ROUTES.values() if route.root} <= set(requests.contract()["roots"])

    def test_an_address_has_the_names_in_its_path_and_the_version_in_its_query(self) -> None:
        body = {"endpoint": "e", "deployment": "d", "tail": 3}
        found = requests.address("OnlineDeployments_GetLogs", body, settings())
        assert found.path.endswith("/workspaces/acme/onlineEndpoints/e/deployments/d/getLogs")
        assert (found.query, found.body) == ({"api-version": "2025-12-01"}, {"tail": 3})

    def test_a_word_that_is_set_from_the_file_is_refused(self, tmp_path) -> None:
        with pytest.raises(UnsupportedError, match=r"jobs\.train\.azure\.command"):
            jobs.lower(job(tmp_path, native={"azure": {"command": "x"}}), PLACES, settings())

    def test_spot_and_a_cluster_exclude_each_other(self, tmp_path) -> None:
        with pytest.raises(UnsupportedError, match="tier of its own"):
            jobs.lower(job(tmp_path, spot=True), PLACES, settings(compute="cpus"))


class TestErrors:
    @pytest.mark.parametrize(
        ("status", "code", "message", "kind"),
        [
            (401, "ExpiredAuthenticationToken", "", AuthenticationError),
            (403, "AuthorizationFailed", "", PermissionDeniedError),
            (404, "ResourceNotFound", "", NotFoundError),
            (404, "UserError", "Job x was not found", NotFoundError),
            (400, "UserError", "Asset paths cannot be updated.", AlreadyExistsError),
            (409, "Conflict", "it is in Updating provisioning state", ConflictError),
            (409, "Conflict", "The name is already in use in region x", ConflictError),
            (409, "ResourceExists", "", AlreadyExistsError),
            (400, "BadRequest", "Not enough quota for DSv2", QuotaExceededError),
            (429, "TooManyRequests", "", ThrottledError),
            (503, "Whatever", "", UnavailableError),
            (400, "ValidationError", "x", InvalidRequestError),
            (418, "Teapot", "", ProviderError),
        ],
    )
    def test_a_code_its_message_and_its_status_say_what_is_raised(self, status, code, message, kind) -> None:
        found = errors.answered("Jobs_Get", status, {"error": {"code": code, "message": message}}, "r1")
        assert type(found) is kind
        assert (found.code, found.request_id) == (code, "r1")

    def test_nobody_being_signed_in_is_told_in_a_line(self) -> None:
        from azure.core.exceptions import ClientAuthenticationError

        found = errors.raised("Jobs_Get", ClientAuthenticationError("No token.\nAttempted credentials:\n\tOne: no"))
        assert type(found) is AuthenticationError
        assert found.message == "Jobs_Get: No token."
        assert "az login" in found.hint

    def test_a_conflict_that_can_pass_and_one_that_cannot_have_other_advice(self) -> None:
        taken = errors.answered("o", 409, {"error": {"code": "Conflict", "message": "already in use in region"}})
        busy = errors.answered("o", 409, {"error": {"code": "Conflict", "message": "in Updating provisioning state"}})
        assert taken.hint != busy.hint

    @pytest.mark.parametrize("code", ["OutOfQuota", "ImageBuildFailure", "BadArgument", "ResourceNotReady"])
    def test_an_operation_that_failed_after_it_was_accepted_is_told_with_what_to_do(self, code: str) -> None:
        found = errors.failure({"status": "Failed", "error": {"code": code, "message": "because"}})
        assert str(found).startswith(f"{code}: because (")
        deeper = {"code": "OperationFailed", "message": "it", "details": [{"code": code, "message": "because"}]}
        assert errors.failure({"error": deeper}).code == code

    def test_one_that_goes_on_has_no_failure(self) -> None:
        assert errors.failure({"status": "InProgress"}) is None


def described(status: str, name: str = "flights-train-3fa9c1d2e4") -> dict[str, object]:
    return {"name": name, "properties": {"status": status, "tags": {"cloudml-resource": "jobs.train"}}}


class TestStates:
    def test_every_state_of_the_contract_is_known(self) -> None:
        assert set(states.STATES) == set(ENUMS["JobStatus"])
        assert set(rollout.STATES) == {*ENUMS["EndpointProvisioningState"], *ENUMS["DeploymentProvisioningState"]}
        assert set(models.STATES) == set(ENUMS["AssetProvisioningState"])

    def test_a_word_that_nobody_knows_is_not_over(self) -> None:
        assert states.lift(described("Dreaming"), states.Told()).state is JobState.UNKNOWN

    def test_the_driver_says_that_the_time_was_up(self) -> None:
        record = Record("", state="timed_out", exit_code=0, reason="2s are over", ended="2026-01-01T00:00:00Z")
        assert states.lift(described("Failed"), states.Told(record=record)).state is JobState.TIMED_OUT

    def test_azure_says_that_the_time_was_up(self) -> None:
        error = {"error": {"message": "The job was canceled because it ran longer than its limit of PT2S."}}
        assert states.lift(described("Canceled"), states.Told(error=error)).state is JobState.TIMED_OUT
        assert states.lift(described("Canceled"), states.Told()).state is JobState.CANCELLED

    def test_quota_image_and_script_are_told_apart(self) -> None:
        def reason(message: str) -> str:
            return states.lift(described("Failed"), states.Told(error={"error": {"message": message}})).reason

        assert "more cores" in reason("OutOfQuota: not enough cores")
        assert "build log" in reason("Image build failed.")
        failed = states.lift(
            described("Failed"), states.Told(error={"error": {"message": "exited with status code 4"}})
        )
        assert (failed.exit_code, failed.reason) == (4, "exited with status code 4")


def live(state: str = "Succeeded", traffic: dict[str, int] | None = None, **deployments: str) -> Live:
    """An endpoint that shall be HASH, with deployments `wanted` and `old` in those states."""
    digests = {"wanted": HASH, "old": "a" * 64}
    made = {
        names.deployment(digests[key]): {
            "name": names.deployment(digests[key]),
            "tags": {"cloudml-hash": digests[key]},
            "properties": {"provisioningState": value},
        }
        for key, value in deployments.items()
    }
    shares = {names.deployment(digests[key]): share for key, share in (traffic or {}).items()}
    return Live(
        endpoint={
            "name": "e",
            "tags": {"cloudml-hash": HASH},
            "properties": {"provisioningState": state, "traffic": shares},
        },
        deployments=made,
        failed=errors.Failure("OutOfQuota", "too much", "ask for more"),
    )


class TestRollout:
    @pytest.mark.parametrize(
        ("there", "state", "step"),
        [
            (live("Creating"), State.CREATING, rollout.Step.NOTHING),
            (live(), State.UNFINISHED, rollout.Step.DEPLOYMENT),
            (live(wanted="Creating"), State.CREATING, rollout.Step.NOTHING),
            (live(wanted="Creating", old="Succeeded", traffic={"old": 100}), State.UPDATING, rollout.Step.NOTHING),
            (live(wanted="Succeeded", old="Succeeded", traffic={"old": 100}), State.UNFINISHED, rollout.Step.TRAFFIC),
            (live(wanted="Succeeded", traffic={"wanted": 100}), State.READY, rollout.Step.NOTHING),
            (live(wanted="Failed"), State.FAILED, rollout.Step.NOTHING),
            (live("Deleting", wanted="Succeeded"), State.DELETING, rollout.Step.NOTHING),
        ],
    )
    def test_the_next_step_follows_from_what_is_there(self, there, state, step) -> None:
        found = rollout.standing(there)
        assert (found.state, found.step, found.hash) == (state, step, HASH)

    def test_a_deployment_that_failed_leaves_the_old_one_answering_and_says_why(self) -> None:
        found = rollout.standing(live(wanted="Failed", old="Succeeded", traffic={"old": 100}))
        assert (found.state, found.hash) == (State.READY, "a" * 64)
        assert "OutOfQuota: too much" in found.reason

    @pytest.mark.parametrize("what", ["endpoint", "deployment"])
    @pytest.mark.parametrize("scaling", ["", "it does not scale"])
    def test_what_lacks_after_somebody_elses_change_is_not_what_lacked_before_it(self, what: str, scaling: str) -> None:
        """Another `up` may have put the deployment anew when ours was about to send the traffic, and sent nothing."""

        def reason(changed: str) -> str:
            there = replace(live(wanted="Succeeded", traffic={"wanted": 100} if scaling else None), scaling=scaling)
            for one in (there.endpoint, *there.deployments.values()):
                one["systemData"] = {"lastModifiedAt": "2026-03-01T12:00:00.000001Z"}
            changed_one = there.endpoint if what == "endpoint" else there.wanted
            changed_one["systemData"] = {"lastModifiedAt": changed}
            return rollout.standing(there).reason

        assert reason("2026-03-01T12:00:07.000001Z") != reason("2026-03-01T12:00:09.000001Z")

    def test_a_new_deployment_begins_with_as_many_instances_as_the_load_has_made(self) -> None:
        assert [rollout.kept_count(count, 2, 5) for count in (1, 3, 9)] == [2, 3, 5]

    def test_scaling_is_missing_until_it_is_as_asked(self) -> None:
        resource = endpoint(instances={"min": 1, "max": 4})
        asked = scaling.wanted(resource, settings())
        (call,) = scaling.lower("e", resource, settings())
        assert scaling.missing(asked, None)
        assert scaling.missing(asked, call.body) == ""
        assert scaling.missing("1-5 at 70", call.body)
        directions = [rule["scaleAction"]["direction"] for rule in call.body["properties"]["profiles"][0]["rules"]]
        assert directions == ["Increase", "Decrease"]


def fires(trigger: dict, moment: datetime) -> bool:
    """Whether a trigger of Azure ML fires at that minute, read as its documentation says."""
    if trigger["triggerType"] == "Recurrence":
        when = trigger["schedule"]
        return moment.day in when["monthDays"] and moment.hour in when["hours"] and moment.minute in when["minutes"]
    minutes, hours, _, _, week = trigger["expression"].split()
    return all(
        within(field, value)
        for field, value in ((minutes, moment.minute), (hours, moment.hour), (week, moment.isoweekday() % 7))
    )


def within(field: str, value: int) -> bool:
    ranges = [part.partition("-")[::2] for part in field.split(",")]
    return field == "*" or any(int(first) <= value <= int(last or first) for first, last in ranges)


class TestSchedules:
    @pytest.mark.parametrize(
        "cron", ["0 * * * *", "*/15 6-8 * * *", "30 5 * * 1,3,5", "0 0 * * 7", "0 6 1,15 * *", "5 4 * * 1-5"]
    )
    def test_a_trigger_fires_when_cron_does(self, cron: str) -> None:
        from cronsim import CronSim

        start = datetime(2026, 1, 30, tzinfo=UTC)
        end = start + timedelta(days=18)
        wanted = set()
        for moment in CronSim(cron, start - timedelta(minutes=1)):
            if moment >= end:
                break
            wanted.add(moment)
        trigger = schedules.trigger(cron, "monitors.drift.schedule")
        minutes = [start + timedelta(minutes=number) for number in range(18 * 24 * 60)]
        assert {moment for moment in minutes if fires(trigger, moment)} == wanted

    @pytest.mark.parametrize("cron", ["0 0 1 1 *", "0 0 L * *", "0 0 * * 1#2", "0 0 1 * 1"])
    def test_what_azure_cannot_say_is_refused(self, cron: str) -> None:
        with pytest.raises(UnsupportedError, match=re.escape(cron)):
            schedules.trigger(cron, "monitors.drift.schedule")

    def test_what_the_service_adds_makes_no_other_schedule(self) -> None:
        wanted = monitors.lower(monitor(), PLACES, settings())["schedule"]
        there = json.loads(json.dumps(wanted))
        there["properties"] |= {"provisioningState": "Succeeded"}
        there["properties"]["action"]["jobDefinition"]["isArchived"] = False
        assert schedules.same(wanted, there)
        there["properties"]["isEnabled"] = False
        assert not schedules.same(wanted, there)


class TestLogs:
    def test_the_last_line_waits_for_its_end_while_the_job_runs(self) -> None:
        assert logs.lines("user_logs/std_log.txt", b"one\ntw", whole=False) == (["one"], 4)
        assert logs.lines("user_logs/std_log.txt", b"tw", whole=True) == (["tw"], 2)

    def test_lines_of_further_machines_are_marked_and_other_files_left_out(self) -> None:
        found = logs.files({"logFiles": {"user_logs/std_log_process_01.txt": "b", "azureml-logs/x.txt": "c",
                                         "user_logs/std_log.txt": "a"}})  # fmt: skip
        assert list(found.values()) == ["a", "b"]
        assert logs.lines("user_logs/std_log_process_01.txt", b"x\n", whole=False)[0] == ["[node-1] x"]

    def test_reading_goes_on_after_the_lines_that_were_read_last(self) -> None:
        assert list(logs.after(["b", "c"], ["a", "b", "c", "d"])) == ["d"]
        assert list(logs.after(["gone"], ["a", "b"])) == ["a", "b"]


class TestInvoking:
    @pytest.mark.parametrize(
        ("status", "head", "kind"),
        [
            (424, {"ms-azureml-model-error-statuscode": "400"}, InvalidRequestError),
            (424, {"ms-azureml-model-error-statuscode": "500"}, UnavailableError),
            (424, {"ms-azureml-model-error-statuscode": "429"}, ThrottledError),
            (404, {}, UnavailableError),
            (408, {}, UnavailableError),
            (429, {}, ThrottledError),
            (401, {}, AuthenticationError),
            (502, {}, UnavailableError),
        ],
    )
    def test_an_answer_that_is_no_prediction_becomes_an_error(self, status, head, kind) -> None:
        assert type(invoking.refused("e", status, head, b'{"error": {"message": "row 1"}}')) is kind


class TestPermissions:
    def test_a_role_grants_by_pattern_and_what_it_takes_back_is_denied(self) -> None:
        roles = [{"actions": [f"{permissions.ML}/*/write"], "notActions": [f"{permissions.ML}/computes/*/write"]}]
        assert permissions.granted(f"{permissions.ML}/jobs/write", roles)
        assert not permissions.granted(f"{permissions.ML}/jobs/delete", roles)
        assert not permissions.granted(f"{permissions.ML}/computes/a/write", roles)
