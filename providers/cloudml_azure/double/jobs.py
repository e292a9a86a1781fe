"""Jobs: taken on, looked at, changed where they may be, cancelled, deleted, listed."""

from __future__ import annotations

import re
import threading
from typing import TYPE_CHECKING, Any

from cloudml_azure.double import execution, operations, resources, states, sweeps
from cloudml_azure.double.refusals import conflict, user_error
from cloudml_azure.double.routes import route
from cloudml_azure.double.wire import Answer, answered

if TYPE_CHECKING:
    from cloudml_azure.double.resources import Record
    from cloudml_azure.double.wire import Asked
    from cloudml_azure.double.world import World

CHANGED = ("description", "displayName", "tags", "properties", "isArchived", "services", "notificationSetting")
"""What of a job may change after it was taken on."""
BINDING = re.compile(r"\$\{\{\s*(inputs|outputs|search_space)\.([A-Za-z0-9_]+)\s*\}\}")
KINDS = ("Command", "Sweep")
ENVIRONMENT = re.compile(
    r"azureml://registries/[^/]+/environments/[^/]+/(labels|versions)/[^/]+|"
    r"(?:azureml:)?(?P<path>.*/environments/[^/]+/(?:versions|labels)/[^/]+)|(?:azureml:)?[^/:@]+[:@][^/:@]+",
)


def put(world: World, asked: Asked) -> Answer:
    """Take a job on, or change what may be changed of one."""
    name, said = asked.names["job"], asked.document["properties"]
    old = world.resources.find(f"jobs/{name}")
    if old is not None:
        return answered(resources.shown(_changed(world, old, said)))
    _check(world, said)
    record = make(world, name, asked.document, said)
    runner = sweeps.run if said["jobType"] == "Sweep" else execution.run
    world.clock.work(states.worked, world, record, runner)
    return answered(resources.shown(record), 201)


def make(world: World, name: str, body: dict[str, Any], said: dict[str, Any]) -> Record:
    """The record of a job that has been taken on."""
    studio = f"https://ml.azure.com/runs/{name}?wsid={world.root}&tid={world.identity.tenant}"
    host = f"{world.region}.api.azureml.ms"
    facts: dict[str, Any] = {
        "displayName": name,
        "experimentName": "Default",
        "isArchived": False,
        **said,
        "tags": said.get("tags") or {},
        "properties": {"azureml.runsource": "experiment", **(said.get("properties") or {})},
        "status": "NotStarted",
        "outputs": {
            **(said.get("outputs") or {}),
            "default": {
                "jobOutputType": "uri_folder",
                "mode": "ReadWriteMount",
                "uri": f"azureml://datastores/workspaceartifactstore/ExperimentRun/dcid.{name}",
            },
        },
        "services": {
            **(said.get("services") or {}),
            "Tracking": {"jobServiceType": "Tracking", "endpoint": f"azureml://{host}/mlflow/v1.0{world.root}?"},
            "Studio": {"jobServiceType": "Studio", "endpoint": studio},
        },
    }
    record = resources.make(world, f"jobs/{name}", body, facts)
    record |= {
        "_asked": said,
        "_stop": threading.Event(),
        "_started": "",
        "_ended": "",
        "_error": None,
        "_warnings": [],
        "_metrics": [],
        "_params": {},
        "_tags": {},
        "_attempt": 0,
        "_states": ["NotStarted"],
    }
    return record


def _changed(world: World, old: Record, said: dict[str, Any]) -> Record:
    """The record with what may change of it.

    Raises:
        Refused: The request wants another job under the name.
    """
    given, before = {**said}, old["_asked"]
    for key in sorted(set(given) | set(before)):
        if key not in CHANGED and given.get(key) != before.get(key) and given.get(key) is not None:
            raise user_error(
                f"A job with this name already exists, and {key} cannot be changed. If you are trying to create a new "
                "job, use a different name. If you are trying to update an existing job, the existing job's properties "
                "cannot be changed. Only description, displayName, experimentName, tags, and isArchived can be updated."
            )
    facts = old["properties"]
    for name, value in (given.get("properties") or {}).items():
        if facts["properties"].get(name, value) != value:
            raise user_error(f"The property {name} already exists and cannot be changed.")
    merged = {**facts["properties"], **(given.get("properties") or {})}
    facts |= {
        key: given[key] for key in CHANGED if given.get(key) is not None and key not in {"properties", "services"}
    }
    facts["properties"] = merged
    old["systemData"] = world.system_data(old["systemData"])
    return old


def _check(world: World, said: dict[str, Any]) -> None:
    """Refuse a job that refers to what is not there.

    Raises:
        Refused: In the service's words.
    """
    if said["jobType"] not in KINDS:
        raise user_error(f"The double runs jobs of the types {', '.join(KINDS)}, and not {said['jobType']}.")
    trial = said.get("trial") or said
    _check_environment(world, str(trial["environmentId"]))
    if (code := trial.get("codeId")) and world.resources.find(resources.path_of(code)) is None:
        raise user_error(f"The code asset {code} was not found.", 404)
    cluster = str(said.get("computeId") or "")
    if cluster and world.resources.find(f"computes/{cluster.rpartition('/')[2]}") is None:
        raise user_error(f"Compute {cluster.rpartition('/')[2]} not found.", 404)
    for found in BINDING.finditer(str(trial["command"])):
        section = {"search_space": "searchSpace"}.get(found[1], found[1])
        if found[2] not in (said.get(section) or {}):
            raise user_error(f"The command refers to {found[1]}.{found[2]}, which the job does not define.")


def _check_environment(world: World, name: str) -> None:
    found = ENVIRONMENT.fullmatch(name)
    if found is None:
        raise user_error(f"The environment {name} could not be parsed.")
    if found["path"] and "registries" not in name and world.resources.find(resources.path_of(found["path"])) is None:
        raise user_error(f"The environment {name} was not found.", 404)


def _need(world: World, asked: Asked) -> Record:
    name = asked.names["job"]
    return resources.need(world, f"jobs/{name}", user_error(f"Run {name} was not found.", 404))


def get(world: World, asked: Asked) -> Answer:
    return answered(resources.shown(_need(world, asked)))


def list_(world: World, asked: Asked) -> Answer:
    """Jobs, newest first; a filter of tags has one key, one of properties several."""
    query = asked.query
    archived = {"ArchivedOnly": (True,), "All": (True, False)}.get(query.get("listViewType", "ActiveOnly"), (False,))
    found = [
        one
        for one in resources.newest_first(world.resources.below("jobs"))
        if one["properties"]["isArchived"] in archived
        and query.get("jobType") in {None, "", one["properties"]["jobType"]}
        and resources.matches(one["properties"]["tags"], query.get("tag", ""))
        and resources.matches(one["properties"]["properties"], query.get("properties", ""))
        and not one.get("_parent")
    ]
    return resources.page(world, asked, found)


def cancel(world: World, asked: Asked) -> Answer:
    """Ask a job to stop."""
    record = _need(world, asked)
    if record["properties"]["status"] in states.OVER:
        return Answer()
    states.step(world, record, "CancelRequested")
    record["_stop"].set()
    world.clock.wake(record["id"])

    def ended() -> None:
        while record["properties"]["status"] not in states.OVER:
            world.clock.wait(1.0)

    return operations.begun(world, asked, operations.begin(world, f"jobs/{record['name']}", ended))


def delete(world: World, asked: Asked) -> Answer:
    """Forget a job that has ended."""
    name = asked.names["job"]
    record = world.resources.find(f"jobs/{name}")
    if record is None:
        return Answer(status=204)
    if record["properties"]["status"] not in states.OVER:
        raise conflict(f"The job {name} is {record['properties']['status']}; only jobs that ended can be deleted.")
    done = operations.begin(world, f"jobs/{name}", lambda: _forget(world, name))
    return operations.begun(world, asked, done)


def _forget(world: World, name: str) -> None:
    world.pass_time("deleting")
    world.resources.remove(f"jobs/{name}")


ROUTES = (
    route("PUT", "jobs/{job}", "Jobs_CreateOrUpdate", put, action="jobs/write", root="jobs"),
    route("GET", "jobs/{job}", "Jobs_Get", get, action="jobs/read"),
    route("DELETE", "jobs/{job}", "Jobs_Delete", delete, action="jobs/delete"),
    route("GET", "jobs", "Jobs_List", list_, action="jobs/read"),
    route("POST", "jobs/{job}/cancel", "Jobs_Cancel", cancel, action="jobs/cancel/action"),
)
