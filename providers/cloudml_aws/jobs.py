"""Jobs: training jobs and processing jobs, which start the driver of cloudml.runtime on the script.

A name stands for one run, of either kind. What is kept of it besides SageMaker's own description lies on a card in the
bucket, which is written first and removed last.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

from cloudml import clock, shipping
from cloudml.clouds import cards, words
from cloudml.clouds.jobs import accepted, came_to_nothing
from cloudml.errors import (
    AlreadyExistsError,
    ConflictError,
    InvalidRequestError,
    NotFoundError,
    ProviderError,
)
from cloudml.plan import Call, Plan
from cloudml.records import dataclass
from cloudml.status import JobState, JobStatus
from cloudml_aws import finding, names, running
from cloudml_aws.kinds import KINDS, TRAINING, Kind, kind, processing, training
from cloudml_aws.states import DELETING, Told, lift, native_state

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from cloudml.progress import Progress
    from cloudml.resources import Identity, JobResource
    from cloudml.storage import Storage
    from cloudml_aws.clients import Clients
    from cloudml_aws.logs import AwsLogs
    from cloudml_aws.places import Places
    from cloudml_aws.settings import AwsSettings

SECTION = "jobs"
TAIL = 20
LOOK_S = 2.0
PATIENCE_LOOKS = 300
"""So often is looked whether a job has stopped or gone: SageMaker gives a script 120 seconds, then it uploads."""
REFUSED = (AlreadyExistsError, ConflictError, InvalidRequestError)
"""How SageMaker refuses to stop a job that has ended, or to delete one that runs."""


def lower(resource: JobResource, places: Places, settings: AwsSettings) -> Plan:
    """The transfer of the code, and the one request that starts the job.

    Raises:
        UnsupportedError: SageMaker has no such machine or image, or a limit is passed; a word of the `aws` block is
            set from the rest of the file.
    """
    path, found = resource.identity.resource, kind(resource.spec)
    lowering = training if found is TRAINING else processing
    there = running.container(resource, settings)
    request = words.said(lowering.body(resource, there, places, settings))
    merged = words.merge(f"{path}.aws", resource.spec.native.get("aws", {}), request)
    calls = (running.upload(resource, found, places), Call(found.operation("Create"), merged))
    return Plan(calls, (*running.notes(resource, there, settings), *lowering.notes(resource)))


@dataclass(frozen=True, slots=True)
class AwsJobs:
    """Jobs on SageMaker."""

    clients: Clients
    places: Places
    logs: AwsLogs

    def output(self, identity: Identity, output: str) -> str:
        """The folder of that output, there once the job has succeeded."""
        return self.places.uri(self.places.output(names.native(identity), output))

    def plan(self, resource: JobResource) -> Plan:
        """The transfer of the code and one request; nothing is sent."""
        return lower(resource, self.places, self.clients.settings)

    def create(self, resource: JobResource, progress: Progress) -> JobStatus:
        """Send the code and start the job; one that came to nothing is removed first, but for its checkpoints.

        Raises:
            AlreadyExistsError: The job is there, and did not fail; of several who start it at once, one does.
        """
        upload, request = self.plan(resource).calls
        name = names.native(resource.identity)
        self._make_room(name)
        self._upload(resource, upload, progress)
        try:
            answer = self.clients.send(request.operation, request.body)
        except ProviderError as error:
            if not error.retryable and not isinstance(error, AlreadyExistsError):
                self._take_back(name)
            raise
        return accepted(name, upload.body["card"], answer)

    def get(self, name: str) -> JobStatus:
        """How the job stands; once it is over, with what the driver left.

        Raises:
            NotFoundError: There is no such job, or it is being deleted.
        """
        native = names.fit(name)
        card = self._card(native)
        for one in self._kinds(card):
            description = self._describe(one, native)
            if description is not None and one.status(description) != DELETING:
                return lift(one, description, self._told(one, description, card))
        raise NotFoundError(f"there is no job `{native}`", operation=TRAINING.operation("Describe"))

    def list(self, project: str) -> Iterator[JobStatus]:
        """Every job of the project, as far as summaries and tags tell: no request for each.

        So a script that its driver ended because its time was up is a failed one here; `get` tells the difference.
        """
        yield from finding.jobs(self.clients, self._storage(), self.places, project)

    def cancel(self, name: str) -> None:
        """Ask the job to stop; its script has 100 seconds to clean up.

        Raises:
            NotFoundError: There is no such job.
        """
        there = self._there(names.fit(name))
        if not there:
            raise NotFoundError(f"there is no job `{names.fit(name)}`", operation=TRAINING.operation("Stop"))
        for one, description in there:
            if not native_state(one, description).over:
                self._stop(one, one.name(description))

    def delete(self, name: str) -> None:
        """Stop the job, with its time to clean up, and remove all of it; returns when it is gone."""
        native = names.fit(name)
        for one, _ in self._there(native):
            description = self._ended(one, native)
            self._clear(native)
            if description is not None:
                self._remove(one, native)
            self.logs.remove(one.group, f"{native}/")
        self._forget(native)

    def _make_room(self, name: str) -> None:
        """Remove a run of that name that came to nothing.

        What it left goes first, and the run itself last, so that the next call goes on where this one was interrupted.
        Only that goes which lay there before the run was looked at: somebody else may have done all this meanwhile, and
        started it anew.

        Raises:
            AlreadyExistsError: It is there, and did not fail.
        """
        storage = self._storage()
        left = [one.path for one in storage.list(self.places.outputs(name))]
        for one, description in self._there(name):
            if one.status(description) == DELETING:
                self._gone(one, name)
                continue
            if not came_to_nothing(native_state(one, description)):
                raise _exists(one, name)
            storage.remove(left)
            self.logs.remove(one.group, f"{name}/", clock.moment(description.get("LastModifiedTime")))
            self._remove(one, name)

    def _remove(self, one: Kind, name: str) -> None:
        """Delete a run at SageMaker that is over, and wait until its name is free.

        Raises:
            AlreadyExistsError: Another one has taken its place, and runs.
        """
        try:
            self.clients.send(one.operation("Delete"), one.named(name))
        except NotFoundError:
            return
        except REFUSED as error:
            now = self._describe(one, name)
            if now is not None and came_to_nothing(native_state(one, now)):
                raise
            if now is not None and one.status(now) != DELETING:
                raise _exists(one, name) from error
        self._gone(one, name)

    def _gone(self, one: Kind, name: str) -> None:
        for _ in range(PATIENCE_LOOKS):
            if self._describe(one, name) is None:
                return
            self.clients.sleep(LOOK_S)
        raise ConflictError(f"the {one.title} `{name}` is still being deleted", operation=one.operation("Delete"))

    def _stop(self, one: Kind, name: str) -> None:
        try:
            self.clients.send(one.operation("Stop"), one.named(name))
        except NotFoundError:
            return
        except REFUSED:
            now = self._describe(one, name)
            if now is not None and not native_state(one, now).over:
                raise

    def _ended(self, one: Kind, name: str) -> Mapping[str, Any] | None:
        """The description of a run once it is over, which is stopped first; None when it is gone."""
        for look in range(PATIENCE_LOOKS):
            description = self._describe(one, name)
            if description is None or native_state(one, description).over:
                return description
            if native_state(one, description) is not JobState.STOPPING and one.status(description) != DELETING:
                self._stop(one, name)
            if look:
                self.clients.sleep(LOOK_S)
        raise ConflictError(f"the {one.title} `{name}` does not stop", operation=one.operation("Stop"))

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
            if not self._there(name):
                self._forget(name)

    def _clear(self, name: str) -> None:
        """Remove what a run left in the bucket."""
        storage = self._storage()
        for folder in (self.places.job(name), self.places.checkpoints(name)):
            storage.delete(folder)

    def _forget(self, name: str) -> None:
        """Remove all of a job from the bucket, its card last."""
        self._clear(name)
        cards.remove(self._storage(), self.places.card(SECTION, name))

    def _card(self, name: str) -> dict[str, Any]:
        """The job's card; empty where cloudml did not start it."""
        with suppress(NotFoundError):
            return cards.read(self._storage(), self.places.card(SECTION, name))
        return {}

    def _kinds(self, card: Mapping[str, Any]) -> tuple[Kind, ...]:
        """Both kinds, the one that the card names first."""
        return tuple(sorted(KINDS.values(), key=lambda one: one.key != card.get("kind")))

    def _there(self, name: str) -> tuple[tuple[Kind, Mapping[str, Any]], ...]:
        """What SageMaker has under that name."""
        found = ((one, self._describe(one, name)) for one in KINDS.values())
        return tuple((one, description) for one, description in found if description is not None)

    def _describe(self, one: Kind, name: str) -> dict[str, Any] | None:
        try:
            return self.clients.send(one.operation("Describe"), one.named(name))
        except NotFoundError:
            return None

    def _told(self, one: Kind, description: Mapping[str, Any], card: Mapping[str, Any]) -> Told:
        """What the card, the driver's record and the log say of a job."""
        name = one.name(description)
        tags = card.get("tags") or finding.tags(self.clients, str(description[f"{one.noun}Arn"]))
        found = native_state(one, description)
        record = shipping.read(self._storage(), self.places.record(name)) if found.over else None
        speechless = record is not None and not found.good and not record.tail
        return Told(
            tags=tags,
            parameters=card.get("parameters", {}),
            outputs=card.get("outputs", {}),
            record=record,
            tail=self.logs.tail(one.group, f"{name}/", TAIL) if speechless else (),
        )

    def _storage(self) -> Storage:
        return self.clients.storage(self.places.root)


def _exists(one: Kind, name: str) -> AlreadyExistsError:
    return AlreadyExistsError(f"the {one.title} `{name}` is there already", operation=one.operation("Create"))
