"""The folder that every run leaves behind."""

import json
import math
import os
import shutil
import tempfile
import unittest

from cloudml.runtime import record
from cloudml.runtime.record import Metric, begin, parse_metrics, read_metrics, read_record


class RecordTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.path = folder.name

    def test_metrics_are_read_as_logged(self):
        points = [Metric("auc", 0.1, 1, "t"), Metric("auc", 1 / 3, None, "t"), Metric("n", 3.0, 0, "t")]
        for point in points:
            record.append_metric(self.path, point)
        self.assertEqual(read_metrics(self.path), points)
        self.assertEqual(read_record(self.path).metrics, {"auc": 1 / 3, "n": 3.0})

    def test_a_step_that_was_not_given_is_absent(self):
        self.assertEqual(
            json.loads(record.metric_line(Metric("a", 1.0, None, "t"))), {"name": "a", "value": 1, "time": "t"}
        )

    def test_numbers_that_json_lacks_are_kept(self):
        for value, word in {math.nan: "NaN", math.inf: "Infinity", -math.inf: "-Infinity"}.items():
            line = record.metric_line(Metric("loss", value))
            self.assertEqual(json.loads(line, parse_constant=self.fail)["value"], word)
            self.assertEqual(str(parse_metrics(line)[0].value), str(value))

    def test_a_truncated_last_line_is_passed_over(self):
        whole = record.metric_line(Metric("auc", 0.5))
        for cut in range(1, len(whole) - 1):
            self.assertEqual([point.value for point in parse_metrics(whole + whole[:cut])], [0.5])

    def test_lines_that_are_no_metrics_are_passed_over(self):
        self.assertEqual(parse_metrics('[]\n1\n{"name": "a"}\n{"name": "a", "value": "x"}\n\x00\n'), [])

    def test_an_empty_folder_is_a_record_of_unknown_state(self):
        found = read_record(os.path.join(self.path, "absent"))
        self.assertEqual((found.state, found.points, found.parameters, found.tail), ("unknown", (), {}, ""))

    def test_a_status_that_is_cut_off_is_unknown(self):
        with open(os.path.join(self.path, "status.json"), "w") as file:
            file.write('{"state": "runn')
        self.assertEqual(read_record(self.path).state, "unknown")

    def test_a_new_run_starts_its_metrics_anew_and_a_resumed_one_carries_on(self):
        record.append_metric(self.path, Metric("auc", 0.5))
        with open(os.path.join(self.path, "metrics.jsonl"), "a") as file:
            file.write('{"name": "auc", "val')
        begin(self.path, {}, resumed=True)
        record.append_metric(self.path, Metric("auc", 0.6))
        self.assertEqual([point.value for point in read_metrics(self.path)], [0.5, 0.6])
        begin(self.path, {}, resumed=False)
        self.assertEqual(read_metrics(self.path), [])

    def test_a_new_run_forgets_how_the_last_one_ended(self):
        record.write_json(self.path, "status.json", {"state": "failed"})
        record.write_text(self.path, "tail.log", "old")
        begin(self.path, {"a": 1}, resumed=True)
        found = read_record(self.path)
        self.assertEqual((found.state, found.tail, found.parameters), ("unknown", "", {"a": 1}))

    def test_files_are_replaced_in_one_step(self):
        record.write_text(self.path, "tail.log", "one")
        before = os.stat(os.path.join(self.path, "tail.log")).st_ino
        record.write_text(self.path, "tail.log", "two")
        self.assertNotEqual(os.stat(os.path.join(self.path, "tail.log")).st_ino, before)
        self.assertEqual(os.listdir(self.path), ["tail.log"])

    def test_packages_that_came_or_went_since_are_told(self):
        for moment, (name, version) in enumerate((("first", "1.0"), ("second", "2.5"))):
            info = os.path.join(self.path, f"{name}-{version}.dist-info")
            os.makedirs(info)
            with open(os.path.join(info, "METADATA"), "w", encoding="utf-8") as file:
                file.write(f"Name: {name}\nVersion: {version}\n")
            os.utime(self.path, (moment, moment))
            self.assertEqual(record.versions(self.path)["packages"][name], version)
        shutil.rmtree(info)
        self.assertEqual(record.versions(self.path)["packages"]["first"], "1.0")
        self.assertNotIn("second", record.versions(self.path)["packages"])

    def test_versions_tell_this_python(self):
        found = record.versions()
        self.assertEqual(found["python"].split(".")[0], "3")
        self.assertTrue(found["platform"])
        self.assertIsInstance(found["packages"], dict)
