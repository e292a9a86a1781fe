"""What training and processing jobs share: names once only, steps in order, stopping, deleting, listing."""

from __future__ import annotations

import shutil
import threading
from typing import TYPE_CHECKING, Any

from cloudml.doubles.clock import ClosedError
from cloudml_aws.double.refusals import in_use, invalid
from cloudml_aws.double.tables import Record, chosen, page

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from cloudml_aws.double.world import World

OVER = frozenset({"Completed", "Failed", "Stopped"})
REASON = 1024
"""Characters of a FailureReason."""


class DownloadError(Exception):
    """An input cannot be fetched."""


class Kind:
    """One kind of job.

    Args:
        noun: ``Training`` or ``Processing``: with it the names of members and operations are made.
        run: What a worker does with a job.
    """

    def __init__(self, noun: str, run: Callable[[World, Record], None]) -> None:
        self.noun, self._run = noun, run
        self.kind = f"{noun.lower()}-job"
        self.name, self.status, self.arn = f"{noun}JobName", f"{noun}JobStatus", f"{noun}JobArn"

    def create(self, world: World, asked: Mapping[str, Any], **more: Any) -> dict[str, Any]:
        """Take a job on."""
        name = asked[self.name]
        with world.lock:
            self.refuse_second(world, name)
            now, arn = world.clock.now(), world.arn("sagemaker", self.kind, name)
            own = {"_arn": arn, "_stop": threading.Event(), self.arn: arn, self.status: "InProgress"}
            times = {"CreationTime": now, "LastModifiedTime": now}
            record = world.table(self.kind).add(name, {**asked, **times, **own, **more})
            world.clock.work(self._worked, world, record)
        return {self.arn: arn}

    def refuse_second(self, world: World, name: str) -> None:
        """Refuse a name that is taken.

        Raises:
            Refused: It is.
        """
        if name in world.table(self.kind):
            arn = world.arn("sagemaker", self.kind, name)
            raise in_use(
                "Job name must be unique within an AWS account and region, and a job with this name already exists "
                f"({arn})"
            )

    def describe(self, world: World, asked: Mapping[str, Any]) -> dict[str, Any]:
        return dict(world.need(self.kind, asked[self.name]))

    def list(self, world: World, asked: Mapping[str, Any]) -> dict[str, Any]:
        records = [record for record in world.table(self.kind) if not world.hidden(record[self.name], record, "lag")]
        found = chosen(records, asked, name=self.name, status=self.status)
        return page(found, asked, f"{self.noun}JobSummaries")

    def stop(self, world: World, asked: Mapping[str, Any]) -> dict[str, Any]:
        """Ask a job to stop."""
        with world.lock:
            record = world.need(self.kind, asked[self.name])
            if record[self.status] in OVER:
                word = self.noun.lower()
                raise invalid(f"The request was rejected because the {word} job is in status {record[self.status]}.")
            record[self.status] = "Stopping"
            self.touch(world, record)
            record["_stop"].set()
        world.clock.wake(record["_arn"])
        return {}

    def delete(self, world: World, asked: Mapping[str, Any]) -> dict[str, Any]:
        """Remove a job that has ended; its name can be used again."""
        with world.lock:
            record = world.need(self.kind, asked[self.name])
            if record[self.status] not in OVER:
                raise in_use(
                    f"The {self.noun.lower()} job {record[self.arn]} is in status {record[self.status]}; only jobs "
                    "that are Completed, Failed or Stopped can be deleted."
                )
            world.table(self.kind).remove(asked[self.name])
        return {}

    def touch(self, world: World, record: Record) -> None:
        record["LastModifiedTime"] = world.clock.now()

    def finish(self, world: World, record: Record, status: str, reason: str = "") -> None:
        """Write down how a job ended."""
        record[f"{self.noun}EndTime"] = world.clock.now()
        if reason:
            record["FailureReason"] = reason[:REASON]
        self.touch(world, record)
        record[self.status] = status
        world.clock.happened()

    def _worked(self, world: World, record: Record) -> None:
        folder = world.folder / f"{self.kind}-{id(record)}"
        record["_folder"] = folder
        try:
            self._run(world, record)
        except DownloadError as error:
            self.finish(world, record, "Failed", f"ClientError: {error}")
        except Exception as error:
            if not isinstance(error, ClosedError):  # the double's own mistake, which pytest shows as well
                self.finish(world, record, "Failed", f"InternalServerError: {error!r}")
            raise
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def operations(self, create: Any) -> dict[str, Any]:
        """The operations by name."""
        verbs = {"Create": create, "Describe": self.describe, "Stop": self.stop, "Delete": self.delete}
        named = {f"{verb}{self.noun}Job": operation for verb, operation in verbs.items()}
        return {**named, f"List{self.noun}Jobs": self.list}


def fetch(world: World, source: Mapping[str, Any], folder: Path, share: tuple[int, int] = (0, 1)) -> None:
    """Lay what an S3 source names into a folder: all of it, or the share of one host of several.

    Raises:
        DownloadError: There is nothing, or it cannot be read.
    """
    from cloudml_aws.double.objects import manifest, relative, split

    uri = source["S3Uri"]
    try:
        if source.get("S3DataType") == "ManifestFile":
            bucket, pairs = manifest(world.objects.get(*split(uri)))
        else:
            bucket, pairs = split(uri)[0], relative(split(uri)[1], world.objects.keys(uri))
    except (KeyError, ValueError) as error:
        raise DownloadError(f"Data download failed:{uri}: {error}") from error
    if not pairs:
        raise DownloadError(
            f'Data download failed:No S3 objects found under S3 URL "{uri}" given in input data source. Please ensure '
            f"that the bucket exists in the selected region ({world.region}), that objects exist under that S3 prefix."
        )
    if source.get("S3DataDistributionType") == "ShardedByS3Key":
        pairs = pairs[share[0] :: share[1]]
    folder.mkdir(parents=True, exist_ok=True)
    try:
        world.objects.fetch(bucket, pairs, folder)
    except KeyError as error:
        raise DownloadError(f"Data download failed:NoSuchKey (404): {error}") from error
