"""The resources of one kind: named records in the form of Describe's answers. Keys with ``_`` are our own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cloudml_aws.double.refusals import Refused, invalid

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from datetime import datetime

Record = dict[str, Any]
PAGE = 10
"""How many summaries a page of List has when nothing is said, as AWS's."""


class Table:
    """Records by name.

    Args:
        kind: As in ARNs.
        missing: What is raised when there is none of that name; it is handed the name and the ARN.
    """

    def __init__(self, kind: str, missing: Callable[[str, str], Refused]) -> None:
        self.kind = kind
        self._missing = missing
        self._records: dict[str, Record] = {}

    def __contains__(self, name: str) -> bool:
        return name in self._records

    def __iter__(self) -> Iterator[Record]:
        return iter(list(self._records.values()))

    def add(self, name: str, record: Record) -> Record:
        self._records[name] = record
        return record

    def get(self, name: str) -> Record | None:
        return self._records.get(name)

    def need(self, name: str, arn: str = "") -> Record:
        """The record of that name.

        Raises:
            Refused: There is none.
        """
        found = self._records.get(name)
        if found is None:
            raise self._missing(name, arn)
        return found

    def remove(self, name: str) -> None:
        self._records.pop(name, None)


def page(items: list[Record], asked: Mapping[str, Any], key: str, size: int = PAGE) -> dict[str, Any]:
    """One page of an answer under *key*, and where the next begins.

    Raises:
        Refused: The token is none that was given.
    """
    token = str(asked.get("NextToken") or "0")
    if not token.isdigit():
        raise invalid("Invalid NextToken")
    start, count = int(token), int(asked.get("MaxResults") or size)
    more = {"NextToken": str(start + count)} if start + count < len(items) else {}
    return {key: items[start : start + count], **more}


def chosen(
    records: list[Record], asked: Mapping[str, Any], *, name: str, status: str, changed: str = "LastModifiedTime"
) -> list[Record]:
    """The records that a List request asks for, in its order; SageMaker's lists share these filters."""
    found = [record for record in records if _wanted(record, asked, name, status, changed)]
    by = {"Name": name, "Status": status, "LastModifiedTime": changed}.get(asked.get("SortBy", ""), "CreationTime")
    found.sort(key=lambda record: record.get(by) or record["CreationTime"])
    return found if asked.get("SortOrder") == "Ascending" else found[::-1]


def _wanted(record: Record, asked: Mapping[str, Any], name: str, status: str, changed: str) -> bool:
    if asked.get("NameContains", "").lower() not in str(record.get(name, "")).lower():
        return False
    if asked.get("StatusEquals") not in {None, record.get(status)}:
        return False
    times = (("CreationTime", "CreationTime"), ("LastModifiedTime", changed))
    return all(_within(record.get(field), asked, said) for said, field in times)


def _within(moment: datetime | None, asked: Mapping[str, Any], said: str) -> bool:
    if moment is None:
        return True
    after, before = asked.get(f"{said}After"), asked.get(f"{said}Before")
    stamp = moment.timestamp()
    return not (after is not None and stamp < float(after)) and not (before is not None and stamp > float(before))
