"""The state database: one row for each object, and short transactions that decide who does what.

Several processes use it at once and each may be killed at any moment. So a row says what is true and a folder counts
only while a row names it; who may make, change or remove a thing is decided by an edit of its row, in one transaction.
"""

from __future__ import annotations

import json
import os
from contextlib import contextmanager
from dataclasses import field, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from cloudml import clock
from cloudml.errors import AlreadyExistsError, ConflictError, NotFoundError
from cloudml.records import dataclass
from cloudml_local import database, processes
from cloudml_local.errors import translated

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path

    from cloudml.resources import Identity
    from cloudml_local.places import Places

COLUMNS = ("section", "name", "project", "resource", "hash", "state", "reason", "body", "facts", "created", "updated")


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One object.

    Attributes:
        body: The native request that it was made from.
        facts: What was seen since: owner, port, version.
    """

    section: str
    name: str
    project: str
    resource: str
    hash: str
    state: str
    reason: str = ""
    body: Mapping[str, Any] = field(default_factory=dict)
    facts: Mapping[str, Any] = field(default_factory=dict)
    created: datetime = field(default_factory=clock.now)
    updated: datetime = field(default_factory=clock.now)

    @property
    def owner(self) -> str:
        """The process that looks after it; see `cloudml_local.processes.identity`."""
        return str(self.facts.get("owner", ""))

    @property
    def orphaned(self) -> bool:
        """Whether nobody looks after it any more."""
        return not processes.alive(self.owner)

    def with_facts(self, **facts: Any) -> Row:
        """The row with *facts* besides those that it has; None takes one away."""
        merged = {**self.facts, **facts}
        return replace(self, facts={key: value for key, value in merged.items() if value is not None})


def new(identity: Identity, name: str, state: str, body: Mapping[str, Any]) -> Row:
    """The row of a new object that this process looks after for now."""
    return Row(
        section=identity.section,
        name=name,
        project=identity.project,
        resource=identity.resource,
        hash=identity.hash,
        state=state,
        body=body,
        facts={"owner": processes.me(), "attempt": attempt()},
    )


def attempt() -> str:
    """By what one try to make an object is told from the others."""
    return os.urandom(16).hex()


@dataclass(frozen=True, slots=True)
class State:
    """The state database of one state folder."""

    places: Places
    _connections: database.Connections = field(default_factory=database.Connections, repr=False, compare=False)

    def holding(self) -> AbstractContextManager[None]:
        """For the block, keep the database open from one transaction to the next."""
        return self._connections.holding()

    @contextmanager
    def _transaction(self, what: str) -> Iterator[sqlite3.Connection]:
        """A write transaction; other writers wait, readers do not."""
        with translated(what), self._connections.lent(self.places) as connection:
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
            except BaseException:
                connection.execute("ROLLBACK")
                raise
            connection.execute("COMMIT")

    def add(
        self, row: Row, *, instead: Callable[[Row], bool] = lambda _: False, family: str = "", keep: bool = False
    ) -> Row:
        """Put *row* there unless one of its name is; its version is then the next of *family*, when one is given.

        Args:
            row: The new object.
            instead: Whether a row that is there may be taken away for it, with its folder.
            family: Whose versions are counted; a row that is replaced hands its number on.
            keep: Leave the folder of the row that is taken away.

        Raises:
            AlreadyExistsError: There is one, and it stays.
        """
        old: Row | None = None
        with self._transaction(f"create {row.name}") as connection:
            old = _select(connection, row.section, row.name)
            if old is not None:
                _refuse(old, row, instead)
                _delete(connection, old.section, old.name)
                if not keep:
                    self._bin(self.places.folder(old.section, old.name))
            if family:
                version = old.facts.get("version") if old else None
                row = row.with_facts(version=version or _next(connection, family))
            _insert(connection, row)
        if old is not None:
            self.empty_trash()
        return row

    def look(self, section: str, name: str) -> Row | None:
        """The row of that name, if there is one."""
        if not self.places.database.exists():
            return None
        with translated(f"look at {name}"), self._connections.lent(self.places) as connection:
            return _select(connection, section, name)

    def get(self, section: str, name: str) -> Row:
        """The row of that name.

        Raises:
            NotFoundError: There is none.
        """
        row = self.look(section, name)
        if row is None:
            noun = section[:-1]
            raise NotFoundError(
                f"no {noun} `{name}` here",
                operation=f"local:Get{noun.capitalize()}",
                code="NotFound",
                hint=f"`cloudml {noun} list` shows what there is",
            )
        return row

    def find(self, section: str, project: str | None = None) -> list[Row]:
        """All rows of a section, of one project or of all; the oldest first."""
        return self._listed(section, lambda connection: _find(connection, section, project))

    def brief(self, section: str, among: Sequence[str]) -> list[Row]:
        """All rows of a section in one of the states *among*, without their bodies; the oldest first."""
        return self._listed(section, lambda connection: _brief(connection, section, among))

    def _listed(self, section: str, find: Callable[[sqlite3.Connection], list[Row]]) -> list[Row]:
        if not self.places.database.exists():
            return []
        with translated(f"list {section}"), self._connections.lent(self.places) as connection:
            return find(connection)

    def edit(self, section: str, name: str, change: Callable[[Row], Row | None]) -> Row | None:
        """Replace a row by what *change* makes of it, in one transaction.

        *change* may be called with the database locked, so it only thinks; None leaves the row as it is.

        Returns:
            The new row; None when it was left or there is none.
        """
        with self._transaction(f"change {name}") as connection:
            old = _select(connection, section, name)
            row = change(old) if old is not None else None
            return _put(connection, row)

    def claim(
        self, section: str, name: str, may: Callable[[Row, list[Row]], Row | None], *, among: Sequence[str]
    ) -> Row | None:
        """As `edit` for a row in one of the states *among*, with all those rows in view, without their bodies."""
        with self._transaction(f"claim {name}") as connection:
            mine = _select(connection, section, name)
            row = may(mine, _brief(connection, section, among)) if mine is not None and mine.state in among else None
            return _put(connection, row)

    @contextmanager
    def making(self, row: Row, *, then: str = "") -> Iterator[None]:
        """Write down how the making of *row* in the block ended: failed with why, or in the state *then*.

        Without *then*, whoever goes on with it writes that down. A row that was replaced meanwhile is left alone.
        """

        def became(state: str, reason: str) -> Callable[[Row], Row | None]:
            def change(now: Row) -> Row | None:
                if now.facts.get("attempt") != row.facts["attempt"]:
                    return None
                return replace(now, state=state, reason=reason).with_facts(owner=None)

            return change

        try:
            yield
        except BaseException as error:
            self.edit(row.section, row.name, became("failed", str(error) or "it was interrupted"))
            raise
        if then:
            self.edit(row.section, row.name, became(then, ""))

    def drop(self, section: str, name: str) -> None:
        """Take a row away, and its folder with it; no error if there is none."""
        with self._transaction(f"delete {name}") as connection:
            row = _select(connection, section, name)
            if row is not None:
                _delete(connection, section, name)
                self._bin(self.places.folder(section, name))
        self.empty_trash()

    def _bin(self, folder: Path) -> None:
        """Move a folder away in one step; a crash before the commit leaves a row without one, which is well."""
        if folder.exists():
            self.places.trash.mkdir(exist_ok=True)
            folder.rename(self.places.trash / os.urandom(16).hex())

    def bin_when_empty(self, section: str, folder: Path) -> bool:
        """Remove *folder*, which serves a whole section, when the section has no object; whether it was so."""
        with self._transaction(f"tidy {section}") as connection:
            (number,) = connection.execute("SELECT count(*) FROM objects WHERE section = ?", (section,)).fetchone()
            if not number:
                self._bin(folder)
        self.empty_trash()
        return not number

    def clear(self, section: str, name: str) -> None:
        """Remove a folder that a crash left without a row, before a new one takes its place."""
        with self._transaction(f"clear {name}"):
            self._bin(self.places.folder(section, name))
        self.empty_trash()

    def empty_trash(self) -> None:
        """Remove what was thrown away, also by those who were killed before they could.

        The folder itself stays: somebody may be about to throw something into it.
        """
        if self.places.trash.is_dir():
            for folder in self.places.trash.iterdir():
                processes.remove(folder)


def _refuse(old: Row, row: Row, instead: Callable[[Row], bool]) -> None:
    if (old.project, old.resource) != (row.project, row.resource):
        raise ConflictError(
            f"`{row.name}` is `{old.resource}` of project `{old.project}` already",
            code="NameTaken",
            hint="rename one of them, or give one of the projects a state folder of its own",
        )
    if not instead(old):
        raise AlreadyExistsError(f"{row.section[:-1]} `{row.name}` is there already", code="AlreadyExists")


def _next(connection: sqlite3.Connection, family: str) -> int:
    (number,) = connection.execute(
        "INSERT INTO numbers VALUES (?, 1) ON CONFLICT (family) DO UPDATE SET last = last + 1 RETURNING last", (family,)
    ).fetchone()
    return int(number)


def _find(connection: sqlite3.Connection, section: str, project: str | None) -> list[Row]:
    return _rows(connection, COLUMNS, "section = ? AND project = coalesce(?, project)", (section, project))


def _brief(connection: sqlite3.Connection, section: str, among: Sequence[str]) -> list[Row]:
    columns = ["'{}'" if column == "body" else column for column in COLUMNS]
    return _rows(connection, columns, f"section = ? AND state IN ({', '.join('?' * len(among))})", (section, *among))


def _rows(
    connection: sqlite3.Connection, columns: Sequence[str], condition: str, values: Sequence[str | None]
) -> list[Row]:
    rows = connection.execute(
        f"SELECT {', '.join(columns)} FROM objects"  # noqa: S608  column names of ours, and marks
        f" WHERE {condition} ORDER BY created, name",
        values,
    ).fetchall()
    return [_row(one) for one in rows]


def _select(connection: sqlite3.Connection, section: str, name: str) -> Row | None:
    found = connection.execute(
        f"SELECT {', '.join(COLUMNS)} FROM objects WHERE section = ? AND name = ?",  # noqa: S608  column names of ours
        (section, name),
    ).fetchone()
    return None if found is None else _row(found)


def _delete(connection: sqlite3.Connection, section: str, name: str) -> None:
    connection.execute("DELETE FROM objects WHERE section = ? AND name = ?", (section, name))


def _insert(connection: sqlite3.Connection, row: Row) -> None:
    values = [_column(getattr(row, column)) for column in COLUMNS]
    connection.execute(f"INSERT INTO objects VALUES ({', '.join('?' * len(COLUMNS))})", values)  # noqa: S608  only marks


def _put(connection: sqlite3.Connection, row: Row | None) -> Row | None:
    """Put the changed row in the place of the old one; None is no change."""
    if row is None:
        return None
    changed = replace(row, updated=clock.now())
    _delete(connection, row.section, row.name)
    _insert(connection, changed)
    return changed


def _column(value: Any) -> str:
    if isinstance(value, datetime):
        return value.isoformat()
    return str(value) if isinstance(value, str) else json.dumps(value)


def _row(values: tuple[str, ...]) -> Row:
    said: dict[str, Any] = dict(zip(COLUMNS, values, strict=True))
    for column in ("body", "facts"):
        said[column] = json.loads(said[column])
    for column in ("created", "updated"):
        said[column] = datetime.fromisoformat(said[column])
    return Row(**said)
