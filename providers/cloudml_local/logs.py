"""Logs: the files into which jobs and endpoints print, read by byte offset."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from cloudml.errors import InvalidRequestError, NotFoundError
from cloudml.records import dataclass
from cloudml.status import JobState, LogPage
from cloudml_local.errors import translated

if TYPE_CHECKING:
    from cloudml_local.places import Places
    from cloudml_local.state import State

PAGE = 1 << 20
"""At most so many bytes a page, but for a single line that is longer."""
PRINTING = ("jobs", "endpoints")


def lines(written: bytes, *, whole: bool) -> tuple[tuple[str, ...], int]:
    """The lines in *written* and how many bytes they take.

    Args:
        written: Some bytes of a log, from the beginning of a line.
        whole: Whether nothing more will be written: then a last line without its end counts as well.
    """
    end = len(written) if whole else written.rfind(b"\n") + 1
    text = written[:end].decode("utf-8", "replace")
    found = text.removesuffix("\n").split("\n") if text else []
    return tuple(line.removesuffix("\r") for line in found), end


@dataclass(frozen=True, slots=True)
class LocalLogs:
    """The log.txt in each object's folder."""

    places: Places
    state: State

    def read(self, section: str, name: str, cursor: str) -> LogPage:
        """Whole lines since *cursor*; a last line without its end is held back while more may come.

        Raises:
            NotFoundError: There is no such job or endpoint.
            InvalidRequestError: The cursor is none of ours.
        """
        if section not in PRINTING:
            raise NotFoundError(f"{section} print nothing", hint="jobs and endpoints have logs")
        row = self.state.get(section, name)
        if not (cursor or "0").isdecimal():
            raise InvalidRequestError(f"`{cursor}` is no cursor of a log", hint="hand back the cursor of a page")
        over = section == "jobs" and JobState(row.state).over
        start = int(cursor or 0)
        with translated("local:ReadLog"):
            written, ended = self._written(section, name, start)
        found, length = lines(written, whole=over and ended)
        return LogPage(lines=found, cursor=str(start + length))

    def _written(self, section: str, name: str, start: int) -> tuple[bytes, bool]:
        """Bytes from *start* on, with at least one line if there is one, and whether these are all."""
        with suppress(FileNotFoundError), (self.places.folder(section, name) / "log.txt").open("rb") as file:
            file.seek(start)
            written = file.read(PAGE)
            while b"\n" not in written and (more := file.read(PAGE)):
                written += more
            return written, not file.peek(1)
        return b"", True
