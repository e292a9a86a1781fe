"""Jobs: command jobs, which start the driver of cloudml.runtime on the script.

A job of Azure ML that has ended keeps its name, and cannot be started again. So a name of ours stands for attempts: the
first is called as we call it, the next ``<name>-r2``; what counts is the last one, which is made only when the one
before came to nothing. What is kept of a job besides Azure ML's own description lies on a card in the container, which
is written first and removed last.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

from cloudml import clock, shipping
from cloudml.clouds import cards, settling, words
from cloudml.clouds.jobs import accepted, came_to_nothing
from cloudml.errors import AlreadyExistsError, ConflictError, InvalidRequestError, NotFoundError, ProviderError
from cloudml.plan import Call, Plan
from cloudml.records import dataclass
from cloudml.status import JobState, JobStatus
from cloudml_azure import finding, names, running, versions
from cloudml_azure.places import datastore
from cloudml_azure.states import Told, lift, native_state

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from cloudml.progress import Progress
    from cloudml.resources import Identity, JobResource
    from cloudml.runtime.record import Record
    from cloudml.storage import Storage
    from cloudml_azure.clients import Clients
    from cloudml_azure.logs import AzureLogs
    from cloudml_azure.places import Places
    from cloudml_azure.running import Container
    from cloudml_azure.settings import AzureSettings

SECTION = "jobs"
CREATE = "Jobs_CreateOrUpdate"
NEW = 201
"""The answer to a job that was not there before; 200 says that somebody else made it."""
TAIL = 20
LOOK_S = 5.0
PATIENCE_LOOKS = 240
"""So often is looked whether a job has stopped."""


def lower(resource: JobResource, places: Places, settings: AzureSettings) -> Plan:
    """The datastore, the transfer of the code, its assets, and the one request that starts the job.

    Raises:
        UnsupportedError: Azure ML has no such machine or image, or a limit is passed; a word of the `azure` block is
            set from the rest of the file.
    """
    identity, there = resource.identity, running.container(resource, settings)
    path, block = f"{identity.resource}.azure", resource.spec.native.get("azure", {})
    properties = words.merge(path, block, words.said(lower_properties(resource, there, places, settings)))
    own = (running.environment(identity, there.image.uri, settings),) if not there.image.environment else ()
    calls = (
        datastore(settings),
        running.upload(resource, places),
        versions.code(identity, places.uri(places.code(there.name)), settings),
        *own,
        Call(CREATE, {"name": names.native(identity), "properties": properties}),
    )
    return Plan(calls, tuple(running.notes(resource, there, settings)))


def lower_properties(
    resource: JobResource, there: Container, places: Places, settings: AzureSettings
) -> dict[str, Any]:
    """The properties of the job as cloudml makes it; None for what was not said."""
    spec, identity = resource.spec, resource.identity
    cluster = f"{settings.workspace_id}/computes/{settings.compute}" if settings.compute else None
    return {
        "jobType": "Command",
        "displayName": there.name,
        "experimentName": identity.project,
        "command": running.command(resource),
        "codeId": versions.id_of(versions.CODE, there.name, settings),
        "environmentId": running.environment_id(there, settings),
        "environmentVariables": running.variables(spec.environment),
        "computeId": cluster,
        "resources": {
            "instanceCount": spec.nodes,
            "instanceType": there.choice.instance_type if there.choice else None,
        },
        "distribution": {"distributionType": running.NODES, "processCountPerInstance": 1} if spec.nodes > 1 else None,
        "queueSettings": {"jobTier": running.SPOT} if spec.spot else None,
        "limits": {"jobLimitsType": "Command", "timeout": running.limit(spec.timeout)},
        "identity": running.identity(settings),
        "inputs": running.inputs(resource, settings),
        "outputs": running.outputs(resource, places, settings),
        "tags": names.tags(identity, settings),
        "properties": {finding.PROJECT: identity.project, finding.NAME: there.name},
    }


@dataclass(frozen=True, slots=True)
class AzureJobs:
    """Jobs on Azure ML."""

    clients: Clients
    places: Places
    logs: AzureLogs

    def output(self, identity: Identity, output: str) -> str:
        """The folder of that output, there once the job has succeeded."""
        return self.places.uri(self.places.output(names.native(identity), output))

    def plan(self, resource: JobResource) -> Plan:
        """The transfer of the code and the requests; nothing is sent."""
        return lower(resource, self.places, self.clients.settings)

    def create(self, resource: JobResource, progress: Progress) -> JobStatus:
        """Send the code and start the job; after attempts that came to nothing another one, under its own name.

        Raises:
            AlreadyExistsError: The job is there, and did not fail; of several who start it at once, one does.
        """
        store, upload, code, *environment, request = self.plan(resource).calls
        name = names.native(resource.identity)
        number = self._make_room(name)
        running.ensure(self.clients, store)
        self._upload(resource, upload, progress)
        attempt = {**request.body, "name": finding.attempt(name, number)}
        try:
            for asset in (code, *environment):
                versions.put(self.clients, asset)
            answer = self.clients.ask(request.operation, attempt)
        except ProviderError as error:
            if not error.retryable:
                self._take_back(name)
            raise
        if answer.status != NEW:
            raise _exists(name)
        return accepted(name, upload.body["card"], answer.document)

    def get(self, name: str) -> JobStatus:
        """How the job's last attempt stands; once it is over, with what the driver left.

        Raises:
            NotFoundError: There is no such job.
        """
        native = names.fit(name)
        attempts = finding.attempts(self.clients, native)
        if not attempts:
            raise NotFoundError(f"there is no job `{native}`", operation="Jobs_Get")
        return lift(attempts[-1], self._told(native, attempts[-1]))

    def list(self, project: str) -> Iterator[JobStatus]:
        """Every job of the project, as far as lists and cards tell: no request for each.

        So a script that its driver ended because its time was up is a failed one here; `get` tells the difference.
        """
        yield from finding.jobs(self.clients, self._storage(), self.places, project)

    def cancel(self, name: str) -> None:
        """Ask the job to stop; its script has 30 seconds to clean up.

        Raises:
            NotFoundError: There is no such job.
        """
        native = names.fit(name)
        attempts = finding.attempts(self.clients, native)
        if not attempts:
            raise NotFoundError(f"there is no job `{native}`", operation="Jobs_Cancel")
        if not native_state(attempts[-1]).over:
            self._stop(str(attempts[-1]["name"]))

    def delete(self, name: str) -> None:
        """Stop the job, with its time to clean up, and remove all of it; returns when it is gone."""
        native = names.fit(name)
        for one in reversed(finding.attempts(self.clients, native)):
            self._end(str(one["name"]))
        self._clear(native)
        for noun in (versions.CODE, versions.ENVIRONMENT):
            versions.remove(self.clients, noun, native)
        cards.remove(self._storage(), self.places.card(SECTION, native))

    def _make_room(self, name: str) -> int:
        """The number of the next attempt; what the one before left is removed, but for its checkpoints.

        Only that goes which lay there before the attempts were looked at: somebody else may have done all this
        meanwhile, and started it anew.

        Raises:
            AlreadyExistsError: It is there, and did not fail.
        """
        storage = self._storage()
        left = [one.path for one in storage.list(self.places.outputs(name))]
        attempts = finding.attempts(self.clients, name)
        if attempts and not came_to_nothing(native_state(attempts[-1])):
            raise _exists(name)
        if attempts:
            storage.remove(left)
        return len(attempts) + 1

    def _stop(self, attempt: str) -> None:
        try:
            self.clients.send("Jobs_Cancel", {"name": attempt})
        except NotFoundError:
            return
        except (AlreadyExistsError, ConflictError, InvalidRequestError):
            now = finding.described(self.clients, attempt)
            if now is not None and not native_state(now).over:
                raise

    def _end(self, attempt: str) -> None:
        """Stop an attempt, wait for its end, and delete it."""
        for look in range(PATIENCE_LOOKS):
            description = finding.described(self.clients, attempt)
            if description is None:
                return
            found = native_state(description)
            if found.over:
                break
            if found is not JobState.STOPPING:
                self._stop(attempt)
            if look:
                self.clients.sleep(LOOK_S)
        else:
            raise ConflictError(f"the job `{attempt}` does not stop", operation="Jobs_Cancel")
        with suppress(NotFoundError):
            self.clients.send("Jobs_Delete", {"name": attempt})
        settling.gone(lambda: self.clients.send("Jobs_Get", {"name": attempt}), f"job `{attempt}`", self.clients.sleep)

    def _upload(self, resource: JobResource, upload: Call, progress: Progress) -> None:
        name, storage = names.native(resource.identity), self._storage()
        card = {**upload.body["card"], "created": clock.now().isoformat()}
        cards.write(storage, self.places.card(SECTION, name), card)
        with shipping.folder() as folder:
            shipping.lay_out(resource, upload.body["request"], folder)
            shipping.push_folder(storage, folder, self.places.code(name), progress)

    def _take_back(self, name: str) -> None:
        """Remove what was sent for a job that was refused, as far as that can be done now; its card tells of the rest.

        Somebody else may have started it meanwhile, who needs what was sent.
        """
        with suppress(ProviderError):
            if not finding.attempts(self.clients, name):
                self._clear(name)
                cards.remove(self._storage(), self.places.card(SECTION, name))

    def _clear(self, name: str) -> None:
        """Remove what a job left in the container."""
        storage = self._storage()
        for folder in (self.places.job(name), self.places.checkpoints(name)):
            storage.delete(folder)

    def _told(self, name: str, description: Mapping[str, Any]) -> Told:
        """What the card, the driver's record, the run's details and the log say of a job."""
        card = finding.card(self._storage(), self.places, name)
        attempt, found = str(description["name"]), native_state(description)
        record = shipping.read(self._storage(), self.places.record(name)) if found.over else None
        details = self.logs.details(attempt) if found.over and not found.good else {}
        speechless = record is not None and not found.good and not record.tail
        return Told(
            name=name,
            parameters=card.get("parameters", {}),
            outputs=card.get("outputs", {}),
            metrics=self._metrics(attempt, card, found, record),
            record=record,
            tail=self.logs.tail(attempt, TAIL) if speechless else (),
            error=details.get("error") or {},
        )

    def _metrics(
        self, attempt: str, card: Mapping[str, Any], found: JobState, record: Record | None
    ) -> Mapping[str, float]:
        """The last values that Azure ML has, of a job that says which it reports, while its record does not tell."""
        waiting = found is JobState.RUNNING or (record is not None and not record.metrics)
        return finding.metrics(self.clients, attempt) if card.get("metrics") and waiting else {}

    def _storage(self) -> Storage:
        return self.clients.storage(self.places.root)


def _exists(name: str) -> AlreadyExistsError:
    return AlreadyExistsError(f"the job `{name}` is there already", operation=CREATE)
