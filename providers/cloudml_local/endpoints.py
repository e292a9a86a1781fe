"""Endpoints: each a supervisor process of its own, which holds the port and keeps the workers that answer."""

from __future__ import annotations

import json
import os
import secrets
import signal
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from cloudml.errors import AlreadyExistsError, NotFoundError, ProviderError, UnavailableError
from cloudml.plan import Call, Plan
from cloudml.records import dataclass
from cloudml.status import Answer, EndpointStatus, State
from cloudml_local import machines, processes, runs, words
from cloudml_local.errors import ANSWERS, translated
from cloudml_local.names import native
from cloudml_local.state import Row, new

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from cloudml.plan import Note
    from cloudml.resources import EndpointResource
    from cloudml.serving.local import Local
    from cloudml_local.places import Places
    from cloudml_local.state import State as Database

OPERATION = "local:ServeModel"
HOST = "127.0.0.1"
SUPERVISOR = "supervisor"
"""The role of an owner that is the endpoint's supervisor, not the process that is about to start one."""
BLOCKED = (signal.SIGHUP,)
"""Held back from a supervisor until it can understand it."""
ROUTE = "/invocations"
ANSWER_S = 75.0
"""How long one request may take; the server gives up earlier, and says so."""
STOP_S = 40.0
"""How long a supervisor may take to let its workers finish what they are at."""
DOWN = "it is not running: its process was killed, or this computer was restarted"


def lower(resource: EndpointResource, places: Places) -> dict[str, Any]:
    """The request of an endpoint: which model answers, how many times, and where.

    Raises:
        SpecError: The endpoint's `local` block is wrong.
    """
    spec, name = resource.spec, native(resource.identity)
    folder = places.folder("endpoints", name)
    body: dict[str, Any] = {
        "name": name,
        "model": resource.model,
        "folder": str(places.folder("models", resource.model)),
        "workers": max(1, spec.scale.min),
        "environment": dict(machines.threads(spec.machine)),
        "capture": spec.capture,
        "capture_folder": str(folder / "capture"),
        "token_file": str(folder / "token"),
        "port": None,
    }
    path = f"{resource.identity.resource}.local"
    return {**body, **words.read(path, spec.native.get("local", {}), words.ENDPOINT, body)}


def notes(resource: EndpointResource) -> Iterator[Note]:
    """What became of the fields that this computer cannot honour as they stand."""
    yield from machines.notes(f"{resource.identity.resource}.machine", resource.spec.machine)


def lift(row: Row, *, running: bool, deleting: bool) -> EndpointStatus:
    """The status in a row.

    Args:
        row: The row.
        running: Whether the process that looks after it is there.
        deleting: Whether somebody is removing it.
    """
    state, reason = State(row.state) if row.state in set(State) else State.UNKNOWN, row.reason
    if deleting:
        state = State.DELETING
    elif state is not State.FAILED and not running:
        state, reason = State.FAILED, DOWN
    port = row.facts.get("port")
    return EndpointStatus(
        resource=row.resource,
        name=row.name,
        project=row.project,
        hash=row.hash,
        state=state,
        reason=reason,
        created=row.created,
        updated=row.updated,
        native={"body": row.body, "facts": row.facts},
        url=f"http://{HOST}:{port}{ROUTE}" if port else "",
        model=row.body["model"],
        instances=int(row.facts.get("workers", 0)) if running else 0,
    )


@dataclass(frozen=True, slots=True)
class LocalEndpoints:
    """Endpoints on 127.0.0.1."""

    places: Places
    state: Database

    def plan(self, resource: EndpointResource) -> Plan:
        """One request; nothing is started."""
        return Plan((Call(OPERATION, lower(resource, self.places)),), tuple(notes(resource)))

    def create(self, resource: EndpointResource) -> EndpointStatus:
        """Start a supervisor; it answers when the model is loaded.

        Raises:
            AlreadyExistsError: The endpoint is there, and did not fail.
        """
        name, body = native(resource.identity), lower(resource, self.places)
        mine = new(resource.identity, name, State.CREATING, body)
        wanted = {"hash": mine.hash, "body": body, "attempt": mine.facts["attempt"]}
        old = self.state.look("endpoints", name)
        if old is not None and lift(old, running=not old.orphaned, deleting=_deleting(old)).state is not State.FAILED:
            raise AlreadyExistsError(f"endpoint `{name}` is there already", operation=OPERATION, code="AlreadyExists")
        row = self.state.add(mine.with_facts(wanted=wanted), instead=lambda now: now.orphaned)
        self._start(row)
        return self.get(name)

    def update(self, resource: EndpointResource) -> EndpointStatus:
        """Let the supervisor bring the new version in; start one where there is none."""
        name, body = native(resource.identity), lower(resource, self.places)
        mine = new(resource.identity, name, State.UPDATING, body)
        wanted = {"hash": mine.hash, "body": body, "attempt": mine.facts["attempt"]}
        self.state.get("endpoints", name)

        def want(now: Row) -> Row:
            row = replace(now, state=State.UPDATING, reason="").with_facts(wanted=wanted, deleter=None)
            if not now.orphaned:
                return row
            return row.with_facts(owner=processes.me(), role=None, workers=None, starter=wanted["attempt"])

        row = self.state.edit("endpoints", name, want)
        if row is None:
            raise NotFoundError(f"endpoint `{name}` was deleted at this moment", operation=OPERATION)
        if row.facts.get("role") == SUPERVISOR:
            processes.send(row.owner, signal.SIGHUP)
        elif row.facts.get("starter") == wanted["attempt"]:
            self._start(row)
        return self.get(name)

    def _start(self, row: Row) -> None:
        folder = self.places.folder("endpoints", row.name)
        with self.state.making(row), translated(OPERATION):
            folder.mkdir(parents=True, exist_ok=True)
            make_token(folder / "token")
            supervisor = processes.start(
                "cloudml_local.supervisor",
                str(self.places.home),
                row.name,
                row.owner,
                folder=folder,
                log=folder / "log.txt",
                blocked=BLOCKED,
            )
        self.state.edit("endpoints", row.name, lambda now: _handed_over(now, row, supervisor))

    def get(self, name: str) -> EndpointStatus:
        """How the endpoint stands; FAILED when its supervisor is gone."""
        return self._lifted(self.state.get("endpoints", name))

    def list(self, project: str) -> Iterator[EndpointStatus]:
        """Every endpoint of the project."""
        yield from map(self._lifted, self.state.find("endpoints", project))

    def _lifted(self, row: Row) -> EndpointStatus:
        return lift(row, running=not row.orphaned, deleting=_deleting(row))

    def invoke(self, name: str, body: bytes, *, content_type: str, accept: str) -> Answer:
        """One request to the endpoint's port."""
        row = self.state.get("endpoints", name)
        port = row.facts.get("port")
        if row.orphaned or not port:
            raise UnavailableError(
                f"endpoint `{name}` does not answer: {row.reason or DOWN}",
                operation="local:Invoke",
                hint="`cloudml up` starts it again",
            )
        token = (self.places.folder("endpoints", name) / "token").read_text("ascii")
        headers = {"Content-Type": content_type, "Accept": accept, "Authorization": f"Bearer {token}"}
        status, answered, kind = ask(int(port), body, headers)
        if status >= 300:  # noqa: PLR2004  every success of HTTP is below
            raise refusal(name, status, answered)
        return Answer(status=status, body=answered, content_type=kind, model=row.body["model"])

    def delete(self, name: str) -> None:
        """Let the workers finish, stop everything, remove all of it."""
        me = processes.me()
        row = self.state.edit("endpoints", name, lambda now: now.with_facts(deleter=me))
        if row is None:
            return
        if row.facts.get("role") == SUPERVISOR and processes.send(row.owner, signal.SIGTERM):
            processes.wait_until(lambda: not processes.alive(row.owner), STOP_S)
        processes.end(self.places.folder("endpoints", name))
        self.state.drop("endpoints", name)

    def local_model(self, name: str) -> Local:
        """The endpoint's model in this process, to be called without a socket; nothing is captured.

        Raises:
            NotFoundError: There is no such endpoint.
            ModelError: The model cannot be loaded.
        """
        from cloudml_local.inprocess import local_model

        return local_model(self.state.get("endpoints", name).body)


def ask(port: int, body: bytes, headers: dict[str, str]) -> tuple[int, bytes, str]:
    """Send one request to a port of this computer: HTTP status, body and content type of the answer.

    Raises:
        UnavailableError: Nobody answers there.
    """
    import http.client

    with translated("local:Invoke"), closing(http.client.HTTPConnection(HOST, port, timeout=ANSWER_S)) as connection:
        try:
            connection.request("POST", ROUTE, body, headers)
            answer = connection.getresponse()
            return answer.status, answer.read(), answer.getheader("Content-Type", "")
        except (http.client.HTTPException, TimeoutError) as error:
            raise UnavailableError(
                f"the endpoint at port {port} did not answer: {str(error) or type(error).__name__}",
                operation="local:Invoke",
                hint="`cloudml endpoint logs` shows what it printed",
            ) from error


def refusal(name: str, status: int, body: bytes) -> ProviderError:
    """The error for an answer that is none, with the server's own words."""
    kind, hint = ANSWERS.get(status, (UnavailableError, f"`cloudml endpoint logs {name}` shows what it printed"))
    try:
        said = json.loads(body)["error"]
        message, request = str(said["message"]), str(said.get("request_id", ""))
    except (ValueError, KeyError, TypeError):
        message, request = body[:500].decode("utf-8", "replace"), ""
    return kind(
        f"endpoint `{name}` answered {status}: {message}",
        operation="local:Invoke",
        code=str(status),
        request_id=request,
        hint=hint,
    )


def make_token(path: Path) -> None:
    """Write a random token that only this user can read, unless there is one."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return
    with os.fdopen(descriptor, "w") as file:
        file.write(secrets.token_urlsafe(32))


def failure(log: Path, since: int) -> str:
    """What a worker that could not start printed last."""
    printed = [line for line in runs.last_lines(log, since) if line.strip()]
    return printed[-1].strip() if printed else "it printed nothing"


def _deleting(row: Row) -> bool:
    return bool(row.facts.get("deleter")) and processes.alive(str(row.facts["deleter"]))


def _handed_over(now: Row, ours: Row, supervisor: str) -> Row | None:
    """The supervisor looks after it from here on, unless it has said so itself."""
    if now.owner != ours.owner or now.facts.get("role") == SUPERVISOR:
        return None
    return now.with_facts(owner=supervisor or "0@gone", role=SUPERVISOR)
