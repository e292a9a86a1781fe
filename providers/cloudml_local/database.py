"""The state database as a file: made whole or not at all, opened for one transaction."""

from __future__ import annotations

import fcntl
import os
import sqlite3
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

from cloudml.errors import SettingsError

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


def connect(places: Places) -> sqlite3.Connection:
    """A connection for one transaction: they cost two milliseconds, and no thread or process shares one.

    Raises:
        SettingsError: The database is of another version.
    """
    if not places.database.exists():
        _make(places)
    # `rw`: a database that was removed a moment ago is an error, and not an empty one in its place.
    address = f"{places.database.absolute().as_uri()}?mode=rw"
    connection = sqlite3.connect(address, uri=True, timeout=BUSY_S, isolation_level=None)
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
