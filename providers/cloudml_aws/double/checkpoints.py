"""Checkpoints: a folder that SageMaker keeps equal to a place in S3, in both directions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cloudml_aws.double.objects import files, relative, split

if TYPE_CHECKING:
    from pathlib import Path

    from cloudml_aws.double.tables import Record
    from cloudml_aws.double.world import World


def fetch(world: World, record: Record, folder: Path) -> None:
    """What an earlier run left; nothing there is no error."""
    uri = record["CheckpointConfig"]["S3Uri"].rstrip("/") + "/"
    world.objects.fetch(split(uri)[0], relative(split(uri)[1], world.objects.keys(uri)), folder)


class Sync:
    """Sends what has changed in the folder of checkpoints, if the job has one.

    Args:
        folder: That of the first host.
    """

    def __init__(self, world: World, record: Record, folder: Path) -> None:
        self._world, self._folder = world, folder
        self._uri = record.get("CheckpointConfig", {}).get("S3Uri", "").rstrip("/")
        self._sent: dict[Path, tuple[int, int]] = {}

    def send(self) -> None:
        """Upload what is new since the last time."""
        if not self._uri:
            return
        for path in files(self._folder):
            try:
                facts, content = path.stat(), path.read_bytes()
            except FileNotFoundError:  # the code has just removed it
                continue
            if self._sent.get(path) != (facts.st_mtime_ns, facts.st_size):
                self._sent[path] = facts.st_mtime_ns, facts.st_size
                self._world.objects.put(f"{self._uri}/{path.relative_to(self._folder).as_posix()}", content)
