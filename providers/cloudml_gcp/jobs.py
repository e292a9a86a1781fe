"""Jobs: custom jobs, which start the driver of cloudml.runtime on the script.

Vertex AI numbers its jobs itself and would make a second one if it were asked twice. What makes a name stand for one
run is its card in the bucket: only one of several can write it, it is written before anything is sent, and the job's
number is added to it. Who finds somebody else's card without a number looks for the job by its label before taking
over; who finds after the start that somebody has taken over takes the start back.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

from cloudml import clock, shipping
from cloudml.clouds import cards, settling, words
from cloudml.clouds.jobs import came_to_nothing
from cloudml.errors import (
    AlreadyExistsError,
    ConflictError,
    InvalidRequestError,
    NotFoundError,
    ProviderError,
    UnavailableError,
)
from cloudml.plan import Call, Plan
from cloudml.records import dataclass
from cloudml.status import JobState, JobStatus
from cloudml_gcp import finding, names, running
from cloudml_gcp.finding import JOB, SECTION
from cloudml_gcp.states import Told, lift, native_state
from cloudml_gcp.wire import operations

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from cloudml.clouds.cards import Held
    from cloudml.progress import Progress
    from cloudml.resources import Identity, JobResource
    from cloudml.storage import Storage
    from cloudml_gcp.clients import Clients
    from cloudml_gcp.logs import GcpLogs
    from cloudml_gcp.places import Places
    from cloudml_gcp.settings import GcpSettings

TAIL = 20
LOOK_S = 5.0
PATIENCE_LOOKS = 120
"""So often is looked whether a job has stopped: a machine is given 30 seconds, and the end is told a minute later."""
GONE_S = 600.0
CANCEL = "aiplatform:CancelCustomJob"
DELETE = "aiplatform:DeleteCustomJob"


def lower(resource: JobResource, places: Places, settings: GcpSettings) -> Plan:
    """The transfer of the code, and the one request that starts the job.

    Raises:
        UnsupportedError: There is no such machine or image; a word of the `gcp` block is set from the rest of the file.
    """
    there = running.container(resource, settings)
    job = words.said(running.body(resource, there, places, settings))
    merged = words.merge(f"{resource.identity.resource}.gcp", resource.spec.native.get("gcp", {}), job)
    create = Call(running.CREATE, {"parent": settings.parent, "customJob": merged})
    return Plan((running.upload(resource, places), create), tuple(running.notes(resource, there)))


@dataclass(frozen=True, slots=True)
class GcpJobs:
    """Jobs on Vertex AI."""

    clients: Clients
    places: Places
    logs: GcpLogs

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
        before, left = self._room(name)
        card = {**upload.body["card"], "created": clock.now().isoformat(), "attempt": cards.attempt()}
        held = self._changed(name, before, card)
        self._clear(name, left)
        with shipping.folder() as folder:
            shipping.lay_out(resource, upload.body["request"], folder)
            shipping.push_folder(self._storage(), folder, self.places.code(name), progress)
        if self._held(name).card != held.card:
            raise _exists(name)
        job = self._start(name, request, left)
        if not cards.change(self._storage(), self._card_path(name), held, {**held.card, JOB: job["name"]}):
            self._discard(job["name"])
            raise _exists(name)
        return lift(job, Told(card=card))

    def get(self, name: str) -> JobStatus:
        """How the job stands; once it is over, with what the driver left.

        Raises:
            NotFoundError: There is no such job.
        """
        native = names.fit(name)
        card = self._held(native).card
        job = self._job(native, card)
        if job is None:
            raise NotFoundError(f"there is no job `{native}`", operation=finding.GET)
        return lift(job, self._told(native, job, card))

    def list(self, project: str) -> Iterator[JobStatus]:
        """Every job of the project, as far as Vertex AI tells: no record is read for each.

        So a script that its driver ended because its time was up is a failed one here; `get` tells the difference.
        """
        yield from finding.jobs(self.clients, self._storage(), self.places, project)

    def cancel(self, name: str) -> None:
        """Ask the job to stop; its script has some seconds to clean up.

        Raises:
            NotFoundError: There is no such job.
        """
        native = names.fit(name)
        job = self._job(native, self._held(native).card)
        if job is None:
            raise NotFoundError(f"there is no job `{native}`", operation=CANCEL)
        if not native_state(job).over:
            self._stop(job["name"])

    def delete(self, name: str) -> None:
        """Stop the job, with its time to clean up, and remove all of it; returns when it is gone."""
        native = names.fit(name)
        card = self._held(native).card
        found = {job["name"]: job for job in finding.labelled(self.clients, native)}
        if card.get(JOB) and card[JOB] not in found and (job := finding.described(self.clients, card[JOB])):
            found[job["name"]] = job
        for one in found:
            self._discard(one)
        storage = self._storage()
        for folder in (self.places.job(native), self.places.checkpoints(native)):
            storage.delete(folder)
        cards.remove(storage, self._card_path(native))

    def _room(self, name: str) -> tuple[Held, str]:
        """The card that a new run replaces, and Vertex AI's name of the run that came to nothing.

        Raises:
            AlreadyExistsError: A run is there, and did not fail.
        """
        before = self._held(name)
        if before.seen is None:
            return before, ""
        found = str(before.card.get(JOB, ""))
        job = finding.described(self.clients, found) if found else finding.settled(self.clients, name)
        now = self._held(name)
        if now.card != before.card:  # whoever wrote the card has started the job meanwhile
            raise _exists(name)
        if job is not None and not came_to_nothing(native_state(job)):
            if not found:
                cards.change(self._storage(), self._card_path(name), before, {**before.card, JOB: job["name"]})
            raise _exists(name)
        return before, str(job["name"]) if job else found

    def _changed(self, name: str, before: Held, card: Mapping[str, Any]) -> Held:
        """Our card in the place of the one before.

        Raises:
            AlreadyExistsError: Somebody else was quicker.
        """
        if not cards.change(self._storage(), self._card_path(name), before, card):
            raise _exists(name)
        held = self._held(name)
        if held.card != card:
            raise _exists(name)
        return held

    def _start(self, name: str, request: Call, left: str) -> Mapping[str, Any]:
        """Send the one request; where no answer came, look first whether it was heard.

        Raises:
            ProviderError: It was refused; what was sent stays for the next start, but for the card.
        """
        try:
            return settling.sent(
                lambda: self.clients.send(request.operation, request.body),
                lambda: finding.settled(self.clients, name, left),
            )
        except UnavailableError:
            raise
        except ProviderError:
            self._take_back(name)
            raise

    def _take_back(self, name: str) -> None:
        """Remove what was sent for a job that was refused, as far as that can be done now."""
        with suppress(ProviderError):
            self._storage().delete(self.places.job(name))
            cards.remove(self._storage(), self._card_path(name))

    def _clear(self, name: str, left: str) -> None:
        """Remove a run that came to nothing, and what it left."""
        self._storage().delete(self.places.outputs(name))
        if left:
            self._discard(left)

    def _discard(self, job: str) -> None:
        """Remove a job by Vertex AI's name of it, which is stopped first; returns when it is gone."""
        for look in range(PATIENCE_LOOKS):
            found = finding.described(self.clients, job)
            if found is None:
                return
            state = native_state(found)
            if state.over:
                break
            if state is not JobState.STOPPING:
                self._stop(job)
            if look:
                self.clients.sleep(LOOK_S)
        else:
            raise ConflictError(f"the job `{job}` does not stop", operation=CANCEL)
        with suppress(NotFoundError):
            operations.waited(self.clients, self.clients.send(DELETE, {"name": job}), DELETE, GONE_S)

    def _stop(self, job: str) -> None:
        with suppress(NotFoundError, ConflictError, InvalidRequestError):  # it has ended
            self.clients.send(CANCEL, {"name": job})

    def _job(self, name: str, card: Mapping[str, Any]) -> dict[str, Any] | None:
        """Vertex AI's description of a job; found by its label while its card has no number."""
        if card.get(JOB):
            return finding.described(self.clients, card[JOB])
        found = next(iter(finding.labelled(self.clients, name)), None)
        # Under a card without a number somebody is about to start a run: what came to nothing is an earlier one.
        return None if found and card and came_to_nothing(native_state(found)) else found

    def _told(self, name: str, job: Mapping[str, Any], card: Mapping[str, Any]) -> Told:
        """What the card, the driver's record and the log say of a job."""
        found = native_state(job)
        record = shipping.read(self._storage(), self.places.record(name)) if found.over else None
        speechless = record is not None and not found.good and not record.tail
        return Told(card=card, record=record, tail=self.logs.tail_of_job(job["name"], TAIL) if speechless else ())

    def _held(self, name: str) -> Held:
        return cards.held(self._storage(), self._card_path(name))

    def _card_path(self, name: str) -> str:
        return self.places.card(SECTION, name)

    def _storage(self) -> Storage:
        return self.clients.storage(self.places.root)


def _exists(name: str) -> AlreadyExistsError:
    return AlreadyExistsError(f"the job `{name}` is there already", operation=running.CREATE)
