"""Jobs: each a runner process of its own, which starts the driver of cloudml.runtime on the script."""

from __future__ import annotations

import hashlib
import json
import platform
import signal
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from cloudml.errors import SpecError
from cloudml.plan import Call, Plan
from cloudml.records import dataclass
from cloudml.shipping import requirements_file
from cloudml.status import JobState, JobStatus
from cloudml_local import images, machines, processes, runs, words
from cloudml_local.errors import translated
from cloudml_local.forkserver import SERVER
from cloudml_local.names import native
from cloudml_local.places import Run
from cloudml_local.state import Row, new

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path
    from threading import Event

    from cloudml.plan import Note
    from cloudml.progress import Progress
    from cloudml.resources import Identity, JobResource
    from cloudml_local.places import Places
    from cloudml_local.state import State

OPERATION = "local:StartJob"
GRACE_S = 30.0
"""What a script has to clean up between SIGTERM and SIGKILL, unless its job says otherwise."""
STOP_S = 10.0
"""What the runner has besides, to write down how it ended."""
OURS = ("./", "../", "/", "file:", "-e", "-r", "--editable", "--requirement")
"""Beginnings of a requirement that names a file: its content may change while its line does not."""


def lower(resource: JobResource, places: Places, at_once: int | None = None) -> dict[str, Any]:
    """The request of a job: what the driver is handed, and what its runner needs to know.

    Raises:
        SpecError: The job's `local` block is wrong.
    """
    spec, name = resource.spec, native(resource.identity)
    run = Run(places.folder("jobs", name))
    body: dict[str, Any] = {
        "name": name,
        "grace_s": GRACE_S,
        "at_once": at_once,
        "code": {"digest": resource.source.digest, "files": len(resource.source.files)},
        "requirements": resource.requirements,
        "metrics": list(spec.metrics),
    }
    path = f"{resource.identity.resource}.local"
    body |= words.read(path, spec.native.get("local", {}), words.JOB, {**body, "request": None})
    return {**body, "request": driver_request(resource, run, places, body["grace_s"])}


def driver_request(resource: JobResource, run: Run, places: Places, grace_s: float) -> dict[str, Any]:
    """The request of cloudml.runtime.driver; see there for its keys."""
    spec, text = resource.spec, resource.requirements
    return {
        "version": 1,
        "name": native(resource.identity),
        "resource": resource.identity.resource,
        "script": spec.script,
        "source": _path(run.code),
        "inputs": {name: _path(uri) for name, uri in resource.inputs.items()},
        "outputs": {output: _path(run.staging / output) for output in spec.outputs},
        "parameters": dict(spec.parameters),
        "environment": {**machines.threads(spec.machine), **spec.environment},
        "record": _path(run.record),
        "checkpoints": _path(places.checkpoints(native(resource.identity))),
        "requirements": requirements_file(spec) if text else None,
        "site": _path(places.site(site_digest(text, resource.source.digest))) if text else None,
        "timeout_s": spec.timeout.total_seconds(),
        "grace_s": grace_s,
        "hosts": ["localhost"],
        "current_host": "localhost",
    }


def _path(path: Path | str) -> str:
    """A path as a job request writes it, where ``${`` begins a variable."""
    return str(path).replace("${", "$${")


def site_digest(requirements: str, code: str) -> str:
    """What installed packages depend on: the lines, this Python, and the files of the code that a line may name."""
    lines = [line.strip() for line in requirements.splitlines()]
    files = code if any(line.startswith(OURS) for line in lines) else ""
    python = f"{platform.python_implementation()} {platform.python_version()} {platform.machine()}"
    return hashlib.sha256(json.dumps((requirements, files, python)).encode()).hexdigest()


def notes(resource: JobResource) -> Iterator[Note]:
    """What became of the fields that this computer cannot honour as they stand."""
    path, spec = resource.identity.resource, resource.spec
    yield from machines.notes(f"{path}.machine", spec.machine)
    yield from images.notes(path, spec)


def lift(row: Row, seen: runs.Seen, outputs: Mapping[str, str]) -> JobStatus:
    """The status in a row and the record that the driver keeps."""
    return JobStatus(
        resource=row.resource,
        name=row.name,
        project=row.project,
        hash=row.hash,
        state=JobState(row.state) if row.state in set(JobState) else JobState.UNKNOWN,
        reason=row.reason,
        created=row.created,
        updated=row.updated,
        native={"body": row.body, "facts": row.facts},
        metrics=seen.metrics,
        outputs=outputs,
        parameters=row.body.get("request", {}).get("parameters", {}),
        exit_code=seen.exit_code,
        tail=seen.tail,
        started=seen.started,
        ended=seen.ended,
    )


def may_be_made_anew(row: Row) -> bool:
    """Whether a job of the same name may take its place: its own came to nothing."""
    state = JobState(row.state)
    return state.over and not state.good


@dataclass(frozen=True, slots=True)
class LocalJobs:
    """Jobs in processes of this computer.

    Attributes:
        at_once: How many run at the same time; None for as many as there are CPUs.
    """

    places: Places
    state: State
    at_once: int | None = None

    def output(self, identity: Identity, output: str) -> str:
        """The folder of that output, there once the job has succeeded."""
        return str(Run(self.places.folder("jobs", native(identity))).outputs / output)

    def plan(self, resource: JobResource) -> Plan:
        """One request; nothing is started."""
        body = lower(resource, self.places, self.at_once)
        return Plan((Call(OPERATION, body),), tuple(notes(resource)))

    def create(self, resource: JobResource, progress: Progress) -> JobStatus:
        """Start a runner for the job; it waits for its turn.

        Raises:
            AlreadyExistsError: The job is there, and did not fail.
        """
        del progress  # files of this computer are linked, which takes no time
        name, body = native(resource.identity), lower(resource, self.places, self.at_once)
        before = self._settled(name)
        row = self.state.add(new(resource.identity, name, JobState.QUEUED, body), instead=may_be_made_anew)
        with self.state.making(row), translated(OPERATION):
            runner = self._start(row, resource, new=before is None)
        self.state.edit("jobs", name, lambda now: _handed_over(now, row, runner))
        return self.get(name)

    def _start(self, row: Row, resource: JobResource, *, new: bool) -> str:
        """Start the runner; with *new* there was no job of that name before."""
        from cloudml.source import pack

        run = Run(self.places.folder("jobs", row.name))
        if not new or run.folder.exists():
            processes.end(run.folder)
            self.state.clear("jobs", row.name)
        run.folder.mkdir(parents=True)
        pack(resource.source, run.code)
        if resource.requirements:
            file = run.code / requirements_file(resource.spec)
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(resource.requirements, "utf-8")
        run.request.write_text(json.dumps(row.body["request"]), "utf-8")
        attempt = str(row.facts["attempt"])
        return SERVER.start(str(self.places.home), row.name, attempt, folder=run.folder, log=run.log)

    def get(self, name: str) -> JobStatus:
        """How the job stands; one whose runner is gone is settled first."""
        return self._lifted(self._settled(name) or self.state.get("jobs", name))

    def wait_for_end(self, name: str, seconds: float, stopped: Event) -> bool:
        """Let *seconds* pass, or less when the runner ends or *stopped* is set; False, at once, where there is none."""
        row = self.state.look("jobs", name)
        if row is None or row.facts.get("role") != runs.RUNNER:
            return False
        return processes.wait_for_end(row.owner, seconds, stopped.is_set)

    def list(self, project: str) -> Iterator[JobStatus]:
        """Every job of the project."""
        for row in self.state.find("jobs", project):
            if now := self._settled(row.name, row):
                yield self._lifted(now)

    def cancel(self, name: str) -> None:
        """Ask the job to stop."""
        row = self._settled(name) or self.state.get("jobs", name)
        stopping = self.state.edit("jobs", name, _stopping)
        if stopping is not None and row.facts.get("role") == runs.RUNNER:
            processes.send(row.owner, signal.SIGTERM)

    def delete(self, name: str) -> None:
        """Stop the job, with its time to clean up, and remove all of it."""
        if self.state.look("jobs", name) is None:
            return
        self.cancel(name)
        row = self.state.look("jobs", name)
        if row is not None and row.facts.get("role") == runs.RUNNER:
            patience = float(row.body.get("grace_s", GRACE_S)) + STOP_S
            processes.wait_until(lambda: not processes.alive(row.owner), patience)
        processes.end(self.places.folder("jobs", name))
        self.state.drop("jobs", name)
        processes.remove(self.places.checkpoints(name))

    def run_in_process(self, resource: JobResource) -> JobStatus:
        """Run the script in this process, where breakpoints work.

        What it makes lies apart and does not count as the job's result: a debugger may have changed anything.

        Raises:
            SpecError: The script is not Python.
        """
        from cloudml_local.inprocess import run

        if not resource.spec.script.endswith(".py"):
            raise SpecError(
                f"`{resource.spec.script}` is not Python: it cannot run in this process",
                path=f"{resource.identity.resource}.script",
            )
        apart = Run(self.places.home / "debug" / native(resource.identity))
        body = lower(resource, self.places)
        request = driver_request(resource, apart, self.places, body["grace_s"])
        request["checkpoints"] = _path(apart.folder / "checkpoints")
        self.places.prepare()
        run(resource, request, apart)
        seen = runs.seen(apart)
        state, reason = runs.outcome(seen, stopping=False, driver=seen.exit_code or 0)
        row = new(resource.identity, native(resource.identity), state, {**body, "request": request})
        outputs = {output: str(apart.staging / output) for output in resource.spec.outputs}
        return lift(replace(row, reason=reason), seen, outputs)

    def _lifted(self, row: Row) -> JobStatus:
        run = Run(self.places.folder("jobs", row.name))
        named = row.body.get("request", {}).get("outputs", {})
        seen = runs.Seen() if row.state == JobState.QUEUED else runs.seen(run)
        return lift(row, seen, {output: str(run.outputs / output) for output in named})

    def _settled(self, name: str, row: Row | None = None) -> Row | None:
        """The row of a job, if there is one, once it says how the job ended whose runner was killed or never started.

        Args:
            name: The job's.
            row: What it was a moment ago, where that is known.
        """
        row = row or self.state.look("jobs", name)
        if row is None or JobState(row.state).over or not row.orphaned:
            return row
        runs.settle_orphan(self.state, row)
        return self.state.look("jobs", name)


def _handed_over(now: Row, ours: Row, runner: str) -> Row | None:
    """The runner looks after it from here on, unless it has said so itself."""
    if now.facts.get("attempt") != ours.facts["attempt"] or now.facts.get("role") == runs.RUNNER:
        return None
    return now.with_facts(owner=runner or "0@gone", role=runs.RUNNER)


def _stopping(now: Row) -> Row | None:
    return None if JobState(now.state).over else replace(now, state=JobState.STOPPING)
