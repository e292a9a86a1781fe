"""The profile of a file that holds a table.

Parquet is a hot path: its columns lie apart, so that each is read and counted on its own, several at a time, in the
order of its rows. What comes out does not depend on how many threads there are. Any other file is read as a stream.
"""

from __future__ import annotations

import json
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq
import pyarrow.types as pt

from cloudml.profile import parts, reading, table
from cloudml.profile.counting import ColumnCounter
from cloudml.profile.parts import Part
from cloudml.profile.table import Profile

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from cloudml.profile.columns import Column
    from cloudml.profile.kinds import Kind
    from cloudml.profile.parts import Group, Shelf
    from cloudml.profile.problems import Problems

THREADS = 8
"""At most so many columns are read at a time."""


def whole(
    paths: Iterable[str | Path], kinds: Mapping[str, Kind], problems: Problems, shelf: Shelf | None = None
) -> Profile:
    """The profile of all files; values are read as these *kinds*, as far as they are known.

    Args:
        paths: Files, folders, globs.
        kinds: The kinds.
        problems: What could not be read.
        shelf: Where the profiles of parts are kept.

    Raises:
        SpecError: A path matches nothing, or is a file of a kind that is not read.
    """
    found = list(parts.groups(paths, problems))

    def read(group: Group, features: Mapping[str, Kind], _: Mapping[str, Kind]) -> Part:
        def make() -> Part:
            return _part(group, features, kinds)

        if shelf is None:
            return make()
        setting = json.dumps(["table", features, kinds], sort_keys=True)
        return shelf.part(group, setting, make, fits=lambda part: part)

    profiles, _ = parts.merged(found, read, (kinds, {}), problems)
    if shelf is not None:
        shelf.tidy(found)
    return profiles


def _part(group: Group, kinds: Mapping[str, Kind], like: Mapping[str, Kind]) -> Part:
    part = Part(Profile())
    for path in group.paths:
        read = profile(path, {**part.features.kinds, **kinds}, like, part.problems)
        part = replace(part, features=table.merge(part.features, read))
    return part


def profile(path: Path, kinds: Mapping[str, Kind], like: Mapping[str, Kind], problems: Problems) -> Profile:
    """The profile of one file; one that is damaged is read as far as it goes, and counted in *problems*.

    Args:
        path: The file.
        kinds: As what the columns are counted, as far as it is known.
        like: The columns whose text is not to be understood while CSV is read.
        problems: What could not be read.
    """
    if reading.is_parquet(path):
        try:
            return _by_columns(path, kinds)
        except (OSError, EOFError, pa.ArrowException):
            pass  # to know how far all columns go, they are read side by side
    return table.stream(reading.batches(path, like, problems), kinds)


def _by_columns(path: Path, kinds: Mapping[str, Kind]) -> Profile:
    with pq.ParquetFile(path) as file:
        metadata, schema = file.metadata, file.schema_arrow
    if not metadata.num_rows:
        return Profile()
    if any("." in name for name in schema.names) or len({*schema.names}) < len(schema.names):
        return table.stream(reading.parquet(path), kinds)  # a column cannot be asked for by its name
    sizes = _sizes(metadata)
    largest_first = sorted(schema.names, key=lambda name: -sizes.get(name, 0))

    def counted(name: str) -> Column:
        return _column(path, metadata, schema.field(name), kinds.get(name))

    with ThreadPoolExecutor(min(_processors(), THREADS)) as threads:
        found = dict(zip(largest_first, threads.map(counted, largest_first), strict=True))
    return Profile(metadata.num_rows, {name: found[name] for name in schema.names})


def _column(path: Path, metadata: pq.FileMetaData, field: pa.Field, kind: Kind | None) -> Column:
    """The profile of one column; text is read as numbers in the dictionary that the file has of it."""
    counter = ColumnCounter(kind)
    texts = [field.name] if pt.is_string(field.type) else None
    with pq.ParquetFile(path, metadata=metadata, read_dictionary=texts) as file:
        for batch in reading.groups(file, [field.name], threads=False):
            counter.add(batch.column(0))
    return counter.column()


def _sizes(metadata: pq.FileMetaData) -> dict[str, int]:
    """Bytes of the columns in the first group of rows, which stands for all."""
    group = metadata.row_group(0)
    chunks = [group.column(number) for number in range(group.num_columns)]
    return {chunk.path_in_schema.partition(".")[0]: chunk.total_uncompressed_size for chunk in chunks}


def _processors() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
