"""Bodies of requests and answers."""

import json
import math
import unittest

from cloudml.runtime import codec, table, tensors
from cloudml.runtime.refusal import BadRequest, NotAcceptable, UnknownContentType


def request(value, content_type="application/json"):
    return codec.decode(json.dumps(value).encode(), content_type)


class CodecTest(unittest.TestCase):
    def refusal(self, body, content_type="application/json"):
        with self.assertRaises(BadRequest) as caught:
            codec.decode(body, content_type)
        return caught.exception

    def test_every_wrapping_of_json_gives_the_same_rows(self):
        rows = [{"a": 1, "b": None}, {"a": 2.5, "b": "x"}]
        for wrapped in (
            {"instances": rows},
            rows,
            {"dataframe_records": rows},
            {"dataframe_split": {"columns": ["a", "b"], "data": [[1, None], [2.5, "x"]]}},
            {"dataframe_split": {"index": [0, 1], "columns": ["a", "b"], "data": [[1, None], [2.5, "x"]]}},
            {"inputs": rows},
            {"inputs": {"a": [1, 2.5], "b": [None, "x"]}},
        ):
            with self.subTest(wrapped=wrapped):
                self.assertEqual(request(wrapped).instances, rows)

    def test_lines_and_tables_give_those_rows_too(self):
        rows = [{"a": 1, "b": None}, {"a": 2.5, "b": "x"}]
        self.assertEqual(
            codec.decode(b'{"a":1,"b":null}\n\n{"a":2.5,"b":"x"}', "application/jsonlines").instances, rows
        )
        self.assertEqual(codec.decode(b"a,b\n1,\n2.5,x\n", "text/csv; charset=utf-8").instances, rows)

    def test_an_answer_comes_as_the_request_came(self):
        for body, kind, expected in (
            (b'{"instances": [1, 2]}', "application/json", b'{"predictions":[0.5,null]}'),
            (b"[1, 2]", None, b"[0.5,null]"),
            (b"1\n2\n", "application/x-ndjson", b"0.5\nnull\n"),
            (b"1\n2\n", "text/csv", b'0.5\n""\n'),
        ):
            with self.subTest(kind=kind):
                decoded = codec.decode(body, kind)
                self.assertEqual(codec.encode([0.5, math.nan], "*/*", decoded).body, expected)

    def test_accept_chooses_the_form_of_the_answer(self):
        for accept, kind in (
            ("text/csv", codec.CSV),
            ("application/jsonlines", codec.LINES),
            ("text/html, application/json;q=0.5", codec.JSON),
            ("application/json;q=0.1, text/csv;q=0.9", codec.CSV),
            ("text/*", codec.CSV),
            ("image/png, */*;q=0.1", codec.JSON),
            ("", codec.JSON),
            (None, codec.JSON),
        ):
            with self.subTest(accept=accept):
                self.assertEqual(codec.accepted(accept, codec.JSON), kind)
        for accept in ("text/html", "application/json;q=0"):
            with self.subTest(accept=accept), self.assertRaises(NotAcceptable) as caught:
                codec.accepted(accept, codec.JSON)
            self.assertEqual(caught.exception.status, 406)

    def test_what_is_no_json_is_refused_with_its_place(self):
        self.assertIn("line 1, column 16", str(self.refusal(b'{"instances": [')))
        self.assertIn("NaN", str(self.refusal(b'{"instances": [NaN]}')))
        self.assertIn("nested too deeply", str(self.refusal(b"[" * 200_000)))
        self.assertIn("byte 2", str(self.refusal(b'["\xff"]')))
        self.assertIn("`instanses`", str(self.refusal(b'{"instanses": []}')))
        self.assertIn("found a number", str(self.refusal(b"5")))
        self.assertEqual(self.refusal(b'{"instances": {}}').field, "instances")
        self.assertEqual(self.refusal(b'{"instances": [], "parameter": {}}').field, "parameter")
        self.assertEqual(self.refusal(b'{"instances": [], "parameters": 1}').field, "parameters")

    def test_a_bad_line_is_named(self):
        self.assertEqual(self.refusal(b"1\n2\n{", "application/jsonlines").row, 2)
        self.assertEqual(self.refusal(b"a,b\n1,2\n3\n", "text/csv").row, 1)
        self.assertEqual(self.refusal(b'1,2\n3,"', "text/csv").row, 1)

    def test_an_unknown_content_type_is_refused_with_the_known_ones(self):
        with self.assertRaisesRegex(UnknownContentType, "image/png.*text/csv") as caught:
            codec.decode(b"", "image/png")
        self.assertEqual(caught.exception.status, 415)

    def test_parameters_and_a_byte_order_mark_are_read(self):
        decoded = codec.decode(b'\xef\xbb\xbf{"instances": [1], "parameters": {"k": 2}}')
        self.assertEqual((decoded.instances, decoded.parameters), ([1], {"k": 2}))

    def test_predictions_of_foreign_code_are_found_in_every_wrapping(self):
        for body, kind in (
            (b'{"predictions": [1, 2]}', "application/json"),
            (b"[1, 2]", None),
            (b'"[1, 2]"', "application/json"),
            (b"1\n2\n", "text/csv"),
            (b"1\n2\n", "application/jsonlines"),
        ):
            with self.subTest(body=body):
                self.assertEqual(codec.predictions(body, kind), [1, 2])

    def test_what_is_written_is_json_whatever_it_was(self):
        class Array:
            def tolist(self):
                return [1.5, math.inf]

        class Number(float):
            pass

        value = {"a": Array(), 1: (Number(2), b"x", -math.inf), "c": "\ud800é"}
        self.assertEqual(json.loads(codec.dumps(value)), {"a": [1.5, None], "1": [2.0, "x", None], "c": "\ud800é"})
        with self.assertRaises(TypeError):
            codec.dumps(object())


class TableTest(unittest.TestCase):
    def test_a_header_is_told_by_its_looks_or_by_the_content_type(self):
        for text, said, names, expected in (
            ("a,b\n1,2\n", None, (), True),
            ("a,b\nx,y\n", None, (), False),
            ("a,b\nx,y\n", None, ("b", "a", "c"), True),
            ("a,b\nx,y\n", "present", (), True),
            ("a,b\n1,2\n", "absent", (), False),
            ("a,a\n1,2\n", None, (), False),
            ("a,\n1,2\n", None, (), False),
            ("a,7\n1,2\n", None, (), False),
            ("a,b\n", None, (), False),
        ):
            with self.subTest(text=text, said=said, names=names):
                rows = table.read(text, said, names)
                self.assertEqual(len(rows), text.count("\n") - expected)
                self.assertIsInstance(rows[0], dict if expected else list)

    def test_cells_are_numbers_where_json_would_have_them(self):
        for text, value in (
            ("1", 1), ("-2.5", -2.5), ("1e3", 1000.0), (".5", 0.5), ("+5", 5), ("", None), (" ", None),
            ("007", "007"), ("true", "true"), ("nan", "nan"), ("1_000", "1_000"), ("0x10", "0x10"), (" x", " x"),
        ):  # fmt: skip
            with self.subTest(text=text):
                found = table.cell(text)
                self.assertEqual((found, type(found)), (value, type(value)))

    def test_objects_are_written_under_a_header(self):
        self.assertEqual(table.write([{"a": 1, "b": True}, {"a": None, "b": "x,y"}]), 'a,b\n1,true\n,"x,y"\n')
        self.assertEqual(table.write([[1, 2], [3, 4.5]]), "1,2\n3,4.5\n")

    def test_what_has_no_form_in_a_table_is_refused(self):
        for rows in ([[[1]]], [{"a": 1}, {"b": 1}], [{"a": []}], [1, {"a": 1}]):
            with self.subTest(rows=rows), self.assertRaises(NotAcceptable):
                table.write(rows)


class TensorTest(unittest.TestCase):
    def tensor(self, **said):
        return {"name": "x", "shape": [2, 2], "datatype": "FP64", "data": [1, 2, 3, 4], **said}

    def refusal(self, *inputs, **said):
        with self.assertRaises(BadRequest) as caught:
            tensors.read({"inputs": list(inputs), **said})
        return caught.exception

    def test_one_tensor_is_a_batch_of_rows_flat_or_nested(self):
        for data in ([1, 2, 3, 4], [[1, 2], [3, 4]]):
            self.assertEqual(tensors.read({"inputs": [self.tensor(data=data)]})[0], [[1, 2], [3, 4]])
        deep = self.tensor(shape=[1, 2, 2])
        self.assertEqual(tensors.read({"inputs": [deep]})[0], [[[1, 2], [3, 4]]])

    def test_several_tensors_are_columns(self):
        columns = [
            self.tensor(name="a", shape=[2], data=[1, 2]),
            self.tensor(name="b", shape=[2, 1], data=["u", "v"], datatype="BYTES"),
        ]
        self.assertEqual(tensors.read({"inputs": columns})[0], [{"a": 1, "b": "u"}, {"a": 2, "b": "v"}])

    def test_a_tensor_that_is_not_what_it_says_is_refused_by_name(self):
        self.assertIn("4 values, `data` has 3", str(self.refusal(self.tensor(data=[1, 2, 3]))))
        self.assertEqual(self.refusal(self.tensor(data=[1, 2, "x", 4])).row, 1)
        self.assertEqual(self.refusal(self.tensor(datatype="UINT8", data=[1, 2, 3, 256])).field, "x")
        self.assertIn("INT4", str(self.refusal(self.tensor(datatype="INT4"))))
        self.assertIn("shape", str(self.refusal(self.tensor(shape=[2, -2]))))
        self.assertIn("binary", str(self.refusal({"name": "x", "shape": [1], "datatype": "FP32"})))
        self.assertEqual(self.refusal(self.tensor(), self.tensor()).field, "x")
        one, two = self.tensor(name="a", shape=[4]), self.tensor(name="b")
        self.assertEqual(self.refusal(one, two).field, "b")

    def test_an_answer_repeats_the_id_and_tells_shape_and_datatype(self):
        asked = request({"id": "7", "inputs": [self.tensor()]})
        for predictions, expected in (
            ([1, 2], ([2], "INT64", [1, 2])),
            ([0.5, None], ([2], "FP64", [0.5, None])),
            ([True, False], ([2], "BOOL", [True, False])),
            (["a", "b"], ([2], "BYTES", ["a", "b"])),
            ([[0.1, 0.9], [1, 0]], ([2, 2], "FP64", [0.1, 0.9, 1, 0])),
            ([[1], [1, 2]], ([2], "BYTES", ["[1]", "[1,2]"])),
        ):
            with self.subTest(predictions=predictions):
                answer = json.loads(codec.encode(predictions, None, asked).body)
                output = answer["outputs"][0]
                self.assertEqual((output["shape"], output["datatype"], output["data"]), expected)
                self.assertEqual((answer["id"], output["name"]), ("7", "predict"))

    def test_objects_become_an_output_for_each_key_and_a_caller_may_choose(self):
        rows = [{"label": 1, "p": 0.5}, {"label": 0, "p": 0.25}]
        _, facts = tensors.read({"inputs": [self.tensor()], "outputs": [{"name": "p"}]})
        self.assertEqual([output["name"] for output in tensors.write(rows, facts)["outputs"]], ["p"])
        with self.assertRaisesRegex(BadRequest, "there is: label, p"):
            tensors.write(rows, {"outputs": ["q"]})


if __name__ == "__main__":
    unittest.main()
