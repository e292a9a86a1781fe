"""Cloud Scheduler: jobs that send a request when it is time, on the double's clock.

Requests to Vertex AI reach the double itself, with a token for the job's service account; others are not sent. Shapes
are those of the public discovery document of cloudscheduler v1.
"""

from __future__ import annotations

import base64
import binascii
import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from cloudml_gcp.double import records, wire
from cloudml_gcp.double.objects import when
from cloudml_gcp.double.refusals import CODES, Refused, exists, invalid, missing, precondition
from cloudml_gcp.double.wire import Answer, Asked, as_json

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from cloudml_gcp.double.wire import Request
    from cloudml_gcp.double.world import World

ID = re.compile(r"[a-zA-Z0-9_-]{1,500}")
KNOWN = frozenset({
    "name", "description", "schedule", "timeZone", "httpTarget", "retryConfig", "attemptDeadline", "state",
    "userUpdateTime", "scheduleTime", "lastAttemptTime", "status", "pubsubTarget", "appEngineHttpTarget",
    "satisfiesPzs",
})  # fmt: skip
OWN = frozenset({"state", "userUpdateTime", "scheduleTime", "lastAttemptTime", "status", "satisfiesPzs"})
"""What only the service says."""
MOST = 500
NUMBERS = {200: 0, **{status: number for number, status in reversed(list(CODES.values()))}}
"""Status of HTTP -> the number of google.rpc.Code that a job shows."""
VERBS = {"GET": "get", "PATCH": "patch", "DELETE": "delete"}


def read(_world: World, request: Request) -> Asked | None:
    """What a request asks of Cloud Scheduler."""
    match request.segments:
        case ["v1", "projects", _, "locations", _, "jobs"]:
            word = "list" if request.verb == "GET" else "create"
            name = request.path.removeprefix("/v1/").removesuffix("/jobs")
        case ["v1", "projects", _, "locations", _, "jobs", last]:
            word = last.partition(":")[2] or VERBS.get(request.verb, "nothing")
            name = request.path.removeprefix("/v1/").partition(":")[0]
        case _:
            return None
    body = request.json() if request.body else {}
    about = str(body.get("name", name)) if word == "create" else name
    said = {**request.parameters, "name": name, "body": body}
    return Asked(service="cloudscheduler", operation=f"jobs.{word}", about=about.rpartition("/")[2], parameters=said)


def answer(world: World, _request: Request, asked: Asked) -> Answer:
    """Carry out what is asked of Cloud Scheduler.

    Raises:
        Refused: It says no.
    """
    operation = OPERATIONS.get(asked.operation)
    if operation is None:
        return wire.NOWHERE
    with world.lock:
        return as_json(operation(world, asked.parameters))


def refused(_request: Request, refusal: Refused) -> Answer:
    return wire.error(refusal)


def _check(job: Mapping[str, Any]) -> None:
    """The rules of a job.

    Raises:
        Refused: One is broken.
    """
    for key in job:
        if key not in KNOWN:
            text = f"Invalid JSON payload received. Unknown name \"{key}\" at 'job': Cannot find field."
            raise Refused("INVALID_ARGUMENT", text, [("job", text)])
    if sum(key in job for key in ("httpTarget", "pubsubTarget", "appEngineHttpTarget")) != 1:
        raise Refused("INVALID_ARGUMENT", "Job must have exactly one target.")
    target = job.get("httpTarget")
    if target is None:
        raise Refused("UNIMPLEMENTED", "The double has no targets but httpTarget.")
    if not str(target.get("uri", "")).startswith(("http://", "https://")):
        raise invalid("job.http_target.uri", "The URI must begin with http:// or https://.")
    try:
        base64.b64decode(target.get("body", ""), validate=True)
    except binascii.Error:
        raise invalid("job.http_target.body", "Base64 decoding failed.") from None
    _times(job)


def _times(job: Mapping[str, Any]) -> Any:
    """The moments of a job's schedule, from now on."""
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

    from cronsim import CronSim, CronSimError

    try:
        zone = ZoneInfo(job.get("timeZone") or "UTC")
    except (ZoneInfoNotFoundError, ValueError):
        raise Refused("INVALID_ARGUMENT", f"Invalid time zone: {job.get('timeZone')}") from None
    try:
        CronSim(job.get("schedule", ""), datetime.now(zone))
    except CronSimError:
        raise Refused("INVALID_ARGUMENT", f"Schedule or time zone is invalid: {job.get('schedule')}") from None
    return lambda now: CronSim(job["schedule"], now.astimezone(zone))


def create(world: World, said: Mapping[str, Any]) -> dict[str, Any]:
    parent = records.normal(world, said["name"]).replace(world.number, world.project)
    job = {key: value for key, value in said["body"].items() if key not in OWN}
    _check(job)
    if world.faults.denies("iam:serviceAccounts.actAs"):
        raise Refused("PERMISSION_DENIED", 'The principal lacks IAM permission "iam.serviceAccounts.actAs".')
    number = str(job.get("name", "")).rpartition("/")[2] or world.identifier()
    if not ID.fullmatch(number):
        raise invalid("job.name", f"{number} does not match {ID.pattern}.")
    job["name"] = f"{parent}/jobs/{number}"
    if job["name"] in world.schedules:
        raise exists(job["name"])
    job |= {"state": "ENABLED", "userUpdateTime": when(world.clock.now())}
    job.setdefault("timeZone", "UTC")
    job.setdefault("attemptDeadline", "180s")
    world.schedules[job["name"]] = job
    _plan(world, job)
    return job


def _need(world: World, said: Mapping[str, Any]) -> dict[str, Any]:
    name = records.normal(world, said["name"]).replace(world.number, world.project)
    if name not in world.schedules:
        raise missing(name)
    return world.schedules[name]


def list_(world: World, said: Mapping[str, Any]) -> dict[str, Any]:
    stem = f"{records.normal(world, said['name']).replace(world.number, world.project)}/jobs/"
    rows = [job for name, job in sorted(world.schedules.items()) if name.startswith(stem)]
    start, count = int(said.get("pageToken") or 0), min(int(said.get("pageSize") or MOST), MOST)
    more = {"nextPageToken": str(start + count)} if start + count < len(rows) else {}
    return {**({"jobs": rows[start : start + count]} if rows else {}), **more}


def patch(world: World, said: Mapping[str, Any]) -> dict[str, Any]:
    """Change a job; without a mask everything that is said."""
    job = _need(world, said)
    given = {key: value for key, value in said["body"].items() if key not in OWN and key != "name"}
    mask = [part for part in str(said.get("updateMask", "")).split(",") if part]
    wanted = {_camel(part.partition(".")[0]) for part in mask} or set(given)
    new = {**{key: value for key, value in job.items() if key not in wanted}, **given, "name": job["name"]}
    _check(new)
    job.clear()
    job.update(new, userUpdateTime=when(world.clock.now()))
    _plan(world, job)
    return job


def _camel(name: str) -> str:
    return re.sub(r"_(\w)", lambda found: found[1].upper(), name)


def delete(world: World, said: Mapping[str, Any]) -> dict[str, Any]:
    job = _need(world, said)
    del world.schedules[job["name"]]
    _call_off(world, job)
    return {}


def pause(world: World, said: Mapping[str, Any]) -> dict[str, Any]:
    job = _need(world, said)
    if job["state"] != "ENABLED":
        raise precondition(f"Job {job['name']} must be in state ENABLED to be paused.")
    job["state"] = "PAUSED"
    _call_off(world, job)
    return job


def resume(world: World, said: Mapping[str, Any]) -> dict[str, Any]:
    job = _need(world, said)
    if job["state"] != "PAUSED":
        raise precondition(f"Job {job['name']} must be in state PAUSED to be resumed.")
    job["state"] = "ENABLED"
    _plan(world, job)
    return job


def run(world: World, said: Mapping[str, Any]) -> dict[str, Any]:
    """Let a job send its request now."""
    job = _need(world, said)
    world.clock.at(0, lambda: _attempt(world, job))
    return job


def _call_off(world: World, job: Mapping[str, Any]) -> None:
    call_off = world.live.pop(f"schedule/{job['name']}", None)
    if call_off is not None:
        call_off()


def _plan(world: World, job: dict[str, Any]) -> None:
    """Note when the job is due next."""
    _call_off(world, job)
    if job["state"] != "ENABLED":
        return
    now = world.clock.now()
    due = next(_times(job)(now)).astimezone(UTC)
    job["scheduleTime"] = when(due)

    def act() -> None:
        if world.schedules.get(job["name"]) is job and job["state"] == "ENABLED":
            _attempt(world, job)
            _plan(world, job)

    world.live[f"schedule/{job['name']}"] = world.clock.at((due - now).total_seconds(), act)


def _attempt(world: World, job: dict[str, Any]) -> None:
    job["lastAttemptTime"] = when(world.clock.now())
    number = NUMBERS.get(_sent(world, job["httpTarget"]), 2)
    job["status"] = {"code": number} if number else {}


def _sent(world: World, target: Mapping[str, Any]) -> int:
    """Send a job's request; the status of the answer."""
    place = urlsplit(target["uri"])
    if not (place.hostname or "").endswith("aiplatform.googleapis.com") and not target["uri"].startswith(world.url):
        return CODES["UNAVAILABLE"][1]
    own = {name.lower(): value for name, value in target.get("headers", {}).items()}
    headers = {"content-type": "application/json", **own, "host": place.netloc}
    email = str(target.get("oauthToken", {}).get("serviceAccountEmail", ""))
    if not email.endswith(world.account.partition("@")[2]):
        return CODES["UNAUTHENTICATED"][1]
    headers["authorization"] = f"Bearer {world.tokens.grant()['access_token']}"
    where = f"{place.path}?{place.query}" if place.query else place.path
    body = base64.b64decode(target.get("body", ""))
    request = wire.request(target.get("httpMethod", "POST"), where, headers, body)
    status: int = world.live["send"](request).status
    return status


OPERATIONS: Mapping[str, Callable[[World, Mapping[str, Any]], dict[str, Any]]] = {
    "jobs.create": create,
    "jobs.delete": delete,
    "jobs.get": _need,
    "jobs.list": list_,
    "jobs.patch": patch,
    "jobs.pause": pause,
    "jobs.resume": resume,
    "jobs.run": run,
}
