"""The state database as a file: made whole or not at all, opened for one transaction, or kept open by who holds it."""

from __future__ import annotations

import fcntl
import os
import sqlite3
from contextlib import closing, contextmanager
from dataclasses import field
from threading import Lock
from typing import TYPE_CHECKING

from cloudml.errors import SettingsError
from cloudml.records import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from cloudml_local.places import Places

VERSION = 1
BUSY_S = 30.0
"""How long a transaction waits for another's."""
SCHEMA = """
CREATE TABLE objects (
    section TEXT NOT NULL, name TEXT NOT NULL, project TEXT NOT NULL, resource TEXT NOT NULL, hash TEXT NOT NULL,
    state TEXT NOT NULL, reason TEXT NOT NULL, body TEXT NOT NULL, facts TEXT NOT NULL,
    created TEXT NOT NULL, updated TEXT NOT NULL,
    PRIMARY KEY (section, name)
) WITHOUT ROWID;
CREATE INDEX by_project ON objects (section, project);
CREATE TABLE numbers (family TEXT PRIMARY KEY, last INTEGER NOT NULL) WITHOUT ROWID;
"""


@dataclass(frozen=True, slots=True)
class Kept:
    """An open connection, and what tells whether it may be used: who opened it, and which file was there."""

    connection: sqlite3.Connection
    known: tuple[int, int, int]


NOWHERE = (0, 0, 0)
"""Instead of a file that was not there before it was opened."""
INHERITED: list[Kept] = []
"""What a forked process found open: it may not even close it (sqlite.org/howtocorrupt.html, 2.6)."""


@dataclass(slots=True)
class Connections:
    """Connections to one state database, each for one transaction at a time, whichever thread makes it.

    One is closed after its transaction, unless somebody is `holding` them: then the next transaction takes it. Opening
    costs two milliseconds, and closing the last one of the computer writes the log of transactions back into the file.
    """

    _holders: int = 0
    _idle: list[Kept] = field(default_factory=list)
    _lock: Lock = field(default_factory=Lock)

    @contextmanager
    def holding(self) -> Iterator[None]:
        """Keep connections open during the block."""
        with self._lock:
            self._holders += 1
        try:
            yield
        finally:
            with self._lock:
                self._holders -= 1
                done = [] if self._holders else [self._idle.pop() for _ in range(len(self._idle))]
            for one in done:
                _close(one)

    @contextmanager
    def lent(self, places: Places) -> Iterator[sqlite3.Connection]:
        """A connection for the block; one in which an error came is not used again.

        Raises:
            SettingsError: The database is of another version.
        """
        known = _known(places)
        one = self._taken(known) or Kept(connect(places), known)
        try:
            yield one.connection
        except BaseException:
            one.connection.close()
            raise
        with self._lock:
            kept = self._holders > 0 and known != NOWHERE
            if kept:
                self._idle.append(one)
        if not kept:
            one.connection.close()

    def _taken(self, known: tuple[int, int, int]) -> Kept | None:
        """A kept connection that may be used, if there is one."""
        while self._idle:
            with self._lock:
                one = self._idle.pop() if self._idle else None
            if one is None or one.known == known:
                return one
            _close(one)
        return None


def _close(one: Kept) -> None:
    if one.known[0] == os.getpid():
        one.connection.close()
    else:
        INHERITED.append(one)


def _known(places: Places) -> tuple[int, int, int]:
    """This process, and what the database's file is known by."""
    try:
        found = os.stat(places.database)  # noqa: PTH116  hot: each look at each job asks it
    except OSError:
        return NOWHERE
    return os.getpid(), found.st_dev, found.st_ino


def connect(places: Places) -> sqlite3.Connection:
    """A connection, which threads may use one after the other, and a forked process not at all.

    Raises:
        SettingsError: The database is of another version.
    """
    if not places.database.exists():
        _make(places)
    # `rw`: a database that was removed a moment ago is an error, and not an empty one in its place.
    address = f"{places.database.absolute().as_uri()}?mode=rw"
    connection = sqlite3.connect(address, uri=True, timeout=BUSY_S, isolation_level=None, check_same_thread=False)
    try:
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute("PRAGMA foreign_keys = ON")
        _check_version(connection, places)
    except BaseException:
        connection.close()
        raise
    return connection


def _check_version(connection: sqlite3.Connection, places: Places) -> None:
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version != VERSION:
        raise SettingsError(
            f"the state in `{places.home}` was made by {'a newer' if version > VERSION else 'another'} cloudml",
            hint="install that version, or set `state` of the target to another folder",
        )


def _make(places: Places) -> None:
    """Make the database beside its place and move it there in one step, so that nobody ever opens half of one.

    SQLite's busy timeout does not cover the switch to WAL: of two processes that switch a new database at once, one is
    told at once that it is locked. Here one process makes the file while the others wait, and the switch is over before
    anybody else can open it. What a killed one left half made is made anew by the next.
    """
    places.home.mkdir(parents=True, exist_ok=True)
    with _alone(places.home):
        if places.database.exists():
            return
        places.prepare()
        half = places.database.with_suffix(".new")
        for path in (half, half.with_name(f"{half.name}-wal"), half.with_name(f"{half.name}-shm")):
            path.unlink(missing_ok=True)
        with closing(sqlite3.connect(half, isolation_level=None)) as connection:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.executescript(f"BEGIN;{SCHEMA}PRAGMA user_version = {VERSION};COMMIT;")
        half.rename(places.database)


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Hold the lock of *folder*; the system lets go of it when this process dies, however it dies."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
