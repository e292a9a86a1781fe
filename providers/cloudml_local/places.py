"""Where things lie in the state folder."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cloudml.records import dataclass

if TYPE_CHECKING:
    from pathlib import Path

FOLDERS = {"datasets": "store/datasets", "jobs": "runs", "models": "models", "endpoints": "endpoints",
           "monitors": "monitors"}  # fmt: skip
IGNORE = "# Everything here is made by cloudml and can be made again.\n*\n"


@dataclass(frozen=True, slots=True)
class Places:
    """The paths below one state folder.

    Attributes:
        home: The state folder, absolute.
    """

    home: Path

    @property
    def database(self) -> Path:
        return self.home / "state.db"

    @property
    def store(self) -> Path:
        """The root of the content-addressed storage."""
        return self.home / "store"

    @property
    def trash(self) -> Path:
        """Where folders go in one step before they are removed in many."""
        return self.home / "trash"

    def folder(self, section: str, name: str) -> Path:
        """The folder of one object."""
        return self.home / FOLDERS[section] / name

    def checkpoints(self, job: str) -> Path:
        """Where a job keeps what it needs to go on; it outlives a run that failed."""
        return self.home / "checkpoints" / job

    def site(self, digest: str) -> Path:
        """Where the packages of requirements with that digest are installed, once for all who ask for the same."""
        return self.home / "site" / digest[:16]

    def prepare(self) -> None:
        """Make the state folder, invisible to git."""
        self.home.mkdir(parents=True, exist_ok=True)
        ignore = self.home / ".gitignore"
        if not ignore.exists() or not ignore.stat().st_size:  # empty: whoever made it was killed before it wrote
            ignore.write_text(IGNORE, "utf-8")


@dataclass(frozen=True, slots=True)
class Run:
    """The paths of one run of a job.

    Attributes:
        folder: The run's folder.
    """

    folder: Path

    @property
    def request(self) -> Path:
        """What the driver of cloudml.runtime is handed."""
        return self.folder / "request.json"

    @property
    def code(self) -> Path:
        return self.folder / "code"

    @property
    def staging(self) -> Path:
        """Where the script writes its outputs; they move to `outputs` in one step when it has succeeded."""
        return self.folder / "staging"

    @property
    def outputs(self) -> Path:
        return self.folder / "outputs"

    @property
    def record(self) -> Path:
        return self.folder / "_cloudml"

    @property
    def log(self) -> Path:
        return self.folder / "log.txt"
