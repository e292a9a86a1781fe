"""The codec, with values that nobody thought of."""

from __future__ import annotations

import json
import math

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from cloudml.runtime import codec, table, tensors
from cloudml.runtime.refusal import BadRequest

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text()
)
VALUES = st.recursive(SCALARS, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=8)
CELLS = (
    st.integers(-(10**17), 10**17)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(codec="utf-8", exclude_characters="\0")).filter(
        lambda text: isinstance(table.cell(text), str)
    )
)
settings.register_profile("quick", max_examples=25, deadline=None)
settings.load_profile("quick")


@given(st.lists(VALUES), st.dictionaries(st.text(), VALUES))
def test_json_comes_back_as_it_went(rows, parameters) -> None:
    found = codec.decode(codec.dumps({"instances": rows, "parameters": parameters}))
    assert (found.instances, found.parameters) == (rows, parameters or None)
    assert json.loads(codec.encode(rows, None, found).body) == {"predictions": rows}


@given(st.lists(VALUES))
def test_lines_come_back_as_they_went(rows) -> None:
    body = codec.encode(rows, codec.LINES, codec.Request([])).body
    assert codec.decode(body, codec.LINES).instances == rows


@given(st.integers(1, 4).flatmap(lambda width: st.lists(st.lists(CELLS | st.none(), min_size=width, max_size=width))))
def test_tables_come_back_as_they_went(rows) -> None:
    assert table.read(table.write(rows), "absent", ()) == rows


@given(st.lists(st.fixed_dictionaries({"a": st.integers(), "b": CELLS | st.none()}), min_size=1))
def test_tables_of_objects_come_back_as_they_went(rows) -> None:
    rows = [{**row, "a": row["a"] % 10**6} for row in rows]
    assert table.read(table.write(rows), None, ()) == rows


@given(st.lists(st.integers(1, 3), min_size=1, max_size=3), st.integers(-(2**31), 2**31))
def test_tensors_keep_their_values_and_their_shape(shape, first) -> None:
    values = list(range(first, first + math.prod(shape)))
    nested = tensors.nested(values, shape)
    assert tensors.flat(nested) == values
    output = tensors.write(nested, {})["outputs"][0]
    assert (output["shape"], output["data"], output["datatype"]) == (shape, values, "INT64")


@given(
    st.sampled_from(["bool", "int8", "uint64", "float16", "float32", "float64", "object"]),
    st.lists(st.floats(0, 100), min_size=1),
    st.sampled_from([0.0, math.nan, math.inf]),
)
def test_an_array_is_written_as_each_of_its_values_is(dtype: str, values: list[float], last: float) -> None:
    array = np.array([*values, last if "float" in dtype else 0], dtype)
    assert codec.plain(array) == [codec.plain(one) for one in array.tolist()]
    assert codec.plain(array[:, None]) == [[codec.plain(one)] for one in array.tolist()]
    assert json.loads(codec.dumps(array)) == codec.plain(array)


def read_or_refused(read, *statuses: int) -> None:
    """Every other exception fails the test."""
    try:
        read()
    except BadRequest as error:
        status = error.status
    else:
        status = 400
    assert status in {400, *statuses}


@given(st.binary(), st.sampled_from(sorted(codec.KINDS)))
def test_every_body_is_read_or_refused(body: bytes, kind: str) -> None:
    read_or_refused(lambda: codec.decode(body, kind))


@given(VALUES, st.sampled_from(["instances", "inputs", "dataframe_split", "dataframe_records"]))
def test_every_json_is_read_or_refused(value, key: str) -> None:
    read_or_refused(lambda: codec.decode(codec.dumps({key: value})))


TENSOR = st.fixed_dictionaries(
    {
        "name": SCALARS,
        "shape": VALUES,
        "datatype": st.sampled_from(sorted(tensors.DATATYPES)) | SCALARS,
        "data": VALUES,
    }
)


@given(st.lists(TENSOR, min_size=1, max_size=2), VALUES, VALUES)
def test_every_tensor_is_read_or_refused(inputs, parameters, outputs) -> None:
    body = codec.dumps({"inputs": inputs, "parameters": parameters, "outputs": outputs})
    read_or_refused(lambda: codec.decode(body))


@given(st.text())
def test_every_accept_is_understood_or_refused(accept: str) -> None:
    read_or_refused(lambda: codec.accepted(accept, codec.JSON), 406)
