"""Tables as a stream of record batches: Parquet, CSV, JSON lines, folders and globs of them."""

from __future__ import annotations

import glob
import gzip
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import islice
from pathlib import Path
from types import MappingProxyType
from typing import IO

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq
from pyarrow.types import is_time

from cloudml.errors import SpecError
from cloudml.profile import rows
from cloudml.profile.kinds import Kind, kind_of_type, read_as
from cloudml.profile.problems import Problems

ROWS = 65_536
"""Rows of a batch of Parquet."""

LINES = 4_096
"""Lines of a batch of JSON."""

_AT_ONCE = 8 * ROWS
_CSV_BLOCK = 4 << 20

Kinds = Mapping[str, Kind]


def read(
    paths: Iterable[str | Path], kinds: Kinds = MappingProxyType({}), problems: Problems | None = None
) -> Iterator[pa.RecordBatch]:
    """The rows of all files, one batch at a time; a file that is damaged is counted in *problems*.

    Columns of CSV named in *kinds* stay text, so that nothing is lost before they are read as what they are.

    Raises:
        SpecError: A path matches nothing, or is a file of a kind that is not read.
    """
    found = Problems() if problems is None else problems
    for path in files(paths, found):
        yield from batches(path, kinds, found)


def batches(path: Path, kinds: Kinds, problems: Problems) -> Iterator[pa.RecordBatch]:
    """The rows of one file."""
    try:
        yield from READERS[suffix(path)](path, kinds, problems)
    except (OSError, EOFError, pa.ArrowException, UnicodeDecodeError) as exc:
        problems.add(path.name, f"cannot be read to its end: {first_line(exc)}")


def files(paths: Iterable[str | Path], problems: Problems) -> list[Path]:
    """The files that *paths* mean: folders whole, globs expanded; hidden files and those that begin with `_` left out.

    Raises:
        SpecError: A path matches nothing, or is a file of a kind that is not read.
    """
    return [file for path in paths for file in _files(str(path), problems)]


def _files(pattern: str, problems: Problems) -> list[Path]:
    path = Path(pattern)
    if path.is_file():
        return [_readable(path)]
    inside = path.rglob("*") if path.is_dir() else map(Path, glob.glob(pattern, recursive=True))  # noqa: PTH207 -- the pattern may be absolute
    found = sorted(file for file in inside if file.is_file() and not file.name.startswith((".", "_")))
    if not found and not path.is_dir():
        raise SpecError(f"no file at `{pattern}`", hint="give a file, a folder or a glob such as data/*.parquet")
    for file in found:
        problems.add(file.name, "is not of a kind that is read", suffix(file) not in READERS)
    return [file for file in found if suffix(file) in READERS]


def _readable(path: Path) -> Path:
    if suffix(path) not in READERS:
        raise SpecError(f"`{path}` is of a kind that is not read", hint=f"one of: {', '.join(READERS)}")
    return path


def is_parquet(path: Path) -> bool:
    return READERS[suffix(path)] is _parquet


def suffix(path: Path) -> str:
    """The ending that says what a file holds, without that of its compression."""
    return Path(path.stem if path.suffix == ".gz" else path.name).suffix.lower()


def lines(path: Path) -> Iterator[list[str]]:
    """The lines of a text file that are not blank, some thousand at a time."""
    with _opened(path) as stream:
        filled = (line for line in stream if line.strip())
        while chunk := list(islice(filled, LINES)):
            yield chunk


def parquet(path: Path, columns: list[str] | None = None) -> Iterator[pa.RecordBatch]:
    with pq.ParquetFile(path) as file:
        yield from groups(file, columns)


def groups(file: pq.ParquetFile, columns: list[str] | None, *, threads: bool = True) -> Iterator[pa.RecordBatch]:
    """The rows of some groups after those of others: asked for all at once, pyarrow holds all that it has read."""
    pending: list[int] = []
    rows = 0
    for number in range(file.num_row_groups):
        pending.append(number)
        rows += file.metadata.row_group(number).num_rows
        if rows >= _AT_ONCE or number == file.num_row_groups - 1:
            yield from file.iter_batches(ROWS, row_groups=pending, columns=columns, use_threads=threads)
            pending, rows = [], 0


def _opened(path: Path) -> IO[str]:
    return gzip.open(path, "rt", encoding="utf-8-sig") if path.suffix == ".gz" else path.open("r", encoding="utf-8-sig")


def _parquet(path: Path, kinds: Kinds, problems: Problems) -> Iterator[pa.RecordBatch]:  # noqa: ARG001 -- one signature for all readers
    return parquet(path)


def _jsonl(path: Path, kinds: Kinds, problems: Problems) -> Iterator[pa.RecordBatch]:  # noqa: ARG001 -- one signature for all readers
    for chunk in lines(path):
        values = [value for line in chunk for value in _row(line, path, problems)]
        if values:
            yield rows.batch(values, rows.instance_names(None))


def _row(line: str, path: Path, problems: Problems) -> list[object]:
    """The row in a line; a line that holds a list of objects is all of them."""
    try:
        value = json.loads(line)
    except ValueError:
        problems.add(path.name, "a line is not JSON")
        return []
    return value if isinstance(value, list) and all(isinstance(item, dict) for item in value) else [value]


def _csv(path: Path, kinds: Kinds, problems: Problems) -> Iterator[pa.RecordBatch]:
    schema = _csv_schema(path)
    options = pa_csv.ConvertOptions(column_types={name: pa.string() for name in schema.names}, strings_can_be_null=True)
    with pa_csv.open_csv(path, _block(), _parse(path, problems), options) as stream:
        for batch in stream:
            yield _typed(batch, schema, kinds, (path.name, problems))


def _csv_schema(path: Path) -> pa.Schema:
    """The types as the first block of the file has them."""
    with pa_csv.open_csv(path, _block(), _parse(path, Problems())) as stream:
        return stream.schema


def _block() -> pa_csv.ReadOptions:
    return pa_csv.ReadOptions(block_size=_CSV_BLOCK)


def _parse(path: Path, problems: Problems) -> pa_csv.ParseOptions:
    def skip(row: pa_csv.InvalidRow) -> str:
        problems.add(path.name, f"a row has {row.actual_columns} fields instead of {row.expected_columns}")
        return "skip"

    delimiter = "\t" if suffix(path) == ".tsv" else ","
    return pa_csv.ParseOptions(delimiter=delimiter, newlines_in_values=True, invalid_row_handler=skip)


def _typed(batch: pa.RecordBatch, schema: pa.Schema, kinds: Kinds, where: tuple[str, Problems]) -> pa.RecordBatch:
    """Text columns as the types of the schema; a cell that is not of that type is null, and a problem."""
    arrays = [
        array if field.name in kinds else _as(array, field, where)
        for array, field in zip(batch.columns, schema, strict=True)
    ]
    return pa.record_batch(arrays, names=schema.names)


def _as(array: pa.Array, field: pa.Field, where: tuple[str, Problems]) -> pa.Array:
    kind = Kind.CATEGORY if is_time(field.type) else kind_of_type(field.type)
    values = read_as(array, kind)
    where[1].add(where[0], f"a value of column `{field.name}` is not a {kind}", values.null_count - array.null_count)
    return _timestamps(values) if kind is Kind.TIME else values


def _timestamps(seconds: pa.Array) -> pa.Array:
    return pc.round(pc.multiply(seconds, 1e6)).cast(pa.int64()).cast(pa.timestamp("us", "UTC"))


def first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]


READERS: Mapping[str, Callable[[Path, Kinds, Problems], Iterator[pa.RecordBatch]]] = {
    ".parquet": _parquet,
    ".pq": _parquet,
    ".csv": _csv,
    ".tsv": _csv,
    ".jsonl": _jsonl,
    ".ndjson": _jsonl,
    ".json": _jsonl,
}
