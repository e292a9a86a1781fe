"""The job request: what is read, what is refused."""

import json
import tempfile
import unittest

from cloudml.runtime import RequestError
from cloudml.runtime.request import _KINDS, Request, document, expand, parse, read

MINIMAL = {"version": 1, "name": "n", "script": "train.py", "source": "/src", "record": "/r"}


class RequestTest(unittest.TestCase):
    def refused(self, changes, *words):
        content = {key: value for key, value in {**MINIMAL, **changes}.items() if value != "ABSENT"}
        with self.assertRaises(RequestError) as caught:
            parse(content, {})
        text = "%s %s" % (caught.exception, caught.exception.hint)
        for word in words:
            self.assertIn(word, text)

    def test_a_minimal_request_has_defaults(self):
        request = parse(MINIMAL, {})
        self.assertEqual(request.checkpoints, "/r/checkpoints")
        self.assertEqual((request.hosts, request.current_host, request.leads), (("localhost",), "localhost", True))
        self.assertEqual((request.timeout_s, request.grace_s), (None, 30))

    def test_every_field_is_checked(self):
        self.assertEqual(set(_KINDS), {"version", *Request._fields})

    def test_null_is_the_default(self):
        self.assertEqual(parse({**MINIMAL, "inputs": None, "grace_s": None, "hosts": None}, {}), parse(MINIMAL, {}))

    def test_another_version_is_refused(self):
        self.refused({"version": 2}, "version 2", "reads version 1")

    def test_a_missing_key_is_named(self):
        for key in MINIMAL:
            self.refused({key: "ABSENT"}, "`%s`" % key)

    def test_an_unknown_key_is_refused_with_the_nearest(self):
        self.refused({"paramters": {}}, "`paramters`", "`parameters`")

    def test_a_value_of_the_wrong_kind_is_refused(self):
        for key, value in {
            "name": 3, "inputs": ["a"], "outputs": {"model": 1}, "parameters": [], "environment": {"A": 1},
            "arguments": "train", "timeout_s": "2h", "grace_s": -1, "hosts": [], "script": "",
        }.items():  # fmt: skip
            self.refused({key: value}, "`%s`" % key)

    def test_what_is_no_object_is_refused(self):
        with self.assertRaises(RequestError):
            parse([MINIMAL], {})

    def test_paths_name_variables(self):
        content = {**MINIMAL, "inputs": {"train": "${DATA}/train"}, "outputs": {"model": "${AIP_MODEL_DIR}"}}
        request = parse(content, {"DATA": "/data", "AIP_MODEL_DIR": "gs://bucket/job/model/"})
        self.assertEqual(request.inputs, {"train": "/data/train"})
        self.assertEqual(request.outputs, {"model": "/gcs/bucket/job/model"})

    def test_an_unset_variable_is_named(self):
        self.refused({"inputs": {"train": "${DATA}/x"}}, "`DATA`", "--set")

    def test_a_variable_that_is_not_closed_is_refused(self):
        self.refused({"inputs": {"train": "${DATA"}}, "`DATA`")

    def test_an_escaped_variable_stays(self):
        self.assertEqual(expand("$${HOME}/$HOME/${A}", {"A": "a", "HOME": "x"}), "${HOME}/$HOME/a")

    def test_parameters_and_environment_are_not_expanded(self):
        content = {**MINIMAL, "parameters": {"a": "${A}"}, "environment": {"B": "${A}"}}
        request = parse(content, {"A": "x"})
        self.assertEqual((request.parameters["a"], request.environment["B"]), ("${A}", "${A}"))

    def test_an_address_that_is_no_path_is_refused(self):
        self.refused({"inputs": {"train": "s3://bucket/x"}}, "s3://bucket/x")

    def test_requirements_are_relative_to_the_source(self):
        self.assertEqual(parse({**MINIMAL, "requirements": "r/q.txt"}, {}).requirements, "/src/r/q.txt")

    def test_a_request_survives_being_written_and_read(self):
        odd = {**MINIMAL, "inputs": {"a": "/$${x}/$$${y}"}, "parameters": {"n": None, "s": "${x}"}, "arguments": ["a"]}
        request = parse(odd, {"y": "1"})
        again = parse(json.loads(json.dumps(document(request))), {"x": "other"})
        self.assertEqual(again, request)

    def test_a_file_that_is_no_json_is_named(self):
        with tempfile.NamedTemporaryFile("w") as file:
            file.write("{")
            file.flush()
            with self.assertRaisesRegex(RequestError, file.name):
                read(file.name, {})

    def test_a_file_that_is_not_there_is_named(self):
        with self.assertRaisesRegex(RequestError, "/nowhere/request.json"):
            read("/nowhere/request.json", {})
