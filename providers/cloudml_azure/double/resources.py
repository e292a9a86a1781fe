"""Everything in the workspace that has an ARM id: records by their path, in the form of GET's answers.

A record's keys with ``_`` are the double's own. Names of endpoints are compared without case, those of assets and jobs
with it, as the service does.
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

from cloudml_azure.double.refusals import Refused
from cloudml_azure.double.wire import answered

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from cloudml_azure.double.wire import Answer, Asked
    from cloudml_azure.double.world import World

Record = dict[str, Any]
PAGE = 10
"""How many records a page of a list has when nothing is said."""


class Resources:
    """Records by path below the workspace, such as ``models/delay/versions/3``."""

    def __init__(self) -> None:
        self._records: dict[str, Record] = {}

    def find(self, path: str) -> Record | None:
        return self._records.get(_key(path))

    def put(self, path: str, record: Record) -> Record:
        self._records[_key(path)] = record
        return record

    def remove(self, path: str) -> None:
        """Forget a record, and all below it."""
        for key in [key for key in self._records if key == _key(path) or key.startswith(f"{_key(path)}/")]:
            del self._records[key]

    def below(self, path: str) -> list[Record]:
        """The records directly below a path."""
        stem = f"{_key(path)}/"
        return [one for key, one in self._records.items() if key.startswith(stem) and "/" not in key[len(stem) :]]

    def all(self, stem: str) -> Iterator[tuple[str, Record]]:
        """All records whose path begins so, at whatever depth, with their paths."""
        return iter([(key, one) for key, one in self._records.items() if key.startswith(f"{stem}/")])


def _key(path: str) -> str:
    kind, _, rest = path.partition("/")
    return f"{kind}/{rest.lower()}" if kind == "onlineEndpoints" and rest else path


def make(world: World, path: str, body: dict[str, Any], properties: dict[str, Any]) -> Record:
    """Put a record with those properties, and what else the body says at its top."""
    old = world.resources.find(path)
    kinds = "/".join(path.split("/")[::2])
    top = {name: body[name] for name in ("location", "tags", "identity", "kind", "sku") if body.get(name) is not None}
    record = {
        "id": world.id(path),
        "name": path.rpartition("/")[2],
        "type": f"Microsoft.MachineLearningServices/workspaces/{kinds}",
        **top,
        "properties": properties,
        "systemData": world.system_data(old["systemData"] if old else None),
        "_born": old["_born"] if old else world.clock.seconds(),
        "_path": path,
    }
    return world.resources.put(path, record)


def need(world: World, path: str, missing: Refused) -> Record:
    """The record at a path; one that cannot be seen yet counts as missing.

    Raises:
        Refused: With *missing*.
    """
    record = world.resources.find(path)
    if record is None or world.hidden(path, record, "stale"):
        raise missing
    return record


def shown(record: Record) -> dict[str, Any]:
    """A record as it is answered: a copy, without what is the double's own."""
    return {name: copy.deepcopy(value) for name, value in record.items() if not name.startswith("_")}


def page(world: World, asked: Asked, records: Iterable[Record], size: int = PAGE) -> Answer:
    """One page of a list, and where the next begins.

    Raises:
        Refused: The place is none that was given.
    """
    items = [one for one in records if not world.hidden(one["_path"], one, "lag")]
    skip, top = asked.query.get("$skip", "0"), asked.query.get("$top") or asked.query.get("count")
    if not skip.isdigit():
        raise Refused("BadArgument", f"The skip token '{skip}' is not valid.")
    start = int(skip)
    end = start + min(int(top) if top and top.isdigit() else size, size)
    found: dict[str, Any] = {"value": [shown(one) for one in items[start:end]]}
    limit = asked.query.get("$top")
    if end < len(items) and not (limit and end >= int(limit)):
        found["nextLink"] = asked.link(asked.path, **{**asked.query, "$skip": str(end)})
    return answered(found)


def path_of(name: str) -> str:
    """The path below the workspace of an ARM id."""
    return name.rpartition("/workspaces/")[2].partition("/")[2]


def newest_first(records: Iterable[Record]) -> list[Record]:
    return sorted(records, key=lambda one: one["_born"], reverse=True)


def matches(said: dict[str, Any] | None, wanted: str) -> bool:
    """Whether tags or properties have all that a filter such as ``a,b=c`` asks for."""
    for part in filter(None, wanted.split(",")):
        name, cut, value = part.partition("=")
        if name not in (said or {}) or (cut and (said or {})[name] != value):
            return False
    return True
