"""What a script gets on its command line."""

import argparse
import unittest

from cloudml.runtime.arguments import ARGUMENT_BYTES, Option, declared, line, text

SCRIPT = """
import argparse, click
parser = argparse.ArgumentParser()
parser.add_argument("--max-iter", type=int)
parser.add_argument("-n", "--number", type=int)
parser.add_argument("-k", type=int)
parser.add_argument("--flag", action="store_true")
parser.add_argument("--quiet", action=argparse.BooleanOptionalAction)
parser.add_argument("positional")
group = parser.add_argument_group()
group.add_argument("--data", dest="folder")
@click.option("--shout/--no-shout", default=False)
@click.option("--loud", is_flag=True)
def main(): pass
name = "--computed"
parser.add_argument(name)
"""


class ArgumentsTest(unittest.TestCase):
    def test_declared_options_are_found_without_running_the_script(self):
        self.assertEqual(
            declared(SCRIPT),
            {
                "max_iter": Option("--max-iter"), "n": Option("-n"), "number": Option("--number"), "k": Option("-k"),
                "flag": Option("--flag", "", True), "quiet": Option("--quiet", "--no-quiet", True),
                "data": Option("--data"), "shout": Option("--shout", "--no-shout", True),
                "loud": Option("--loud", "", True),
            },
        )  # fmt: skip

    def test_a_declaration_in_letters_that_python_takes_for_the_same_is_found(self):
        self.assertEqual(declared("parser.\uff41dd_argument('--n')"), {"n": Option("--n")})
        self.assertEqual(declared("parser.\uff41dd_argument('--n')".encode()), {"n": Option("--n")})

    def test_what_is_not_python_declares_nothing(self):
        self.assertEqual(declared("print 'add_argument'"), {})
        self.assertEqual(declared(b"\0"), {})

    def arguments(self, parameters, paths=None, script="", listed=()):
        return line(parameters, paths or {}, declared(script), listed).arguments

    def test_the_spelling_is_the_scripts(self):
        self.assertEqual(self.arguments({"max_iter": 3, "k": 1, "other_one": 2.5}, script=SCRIPT),
                         ["--max-iter", "3", "-k", "1", "--other_one", "2.5"])  # fmt: skip

    def test_truth_values_are_python_words_and_switches_are_there_or_not(self):
        self.assertEqual(self.arguments({"a": True, "b": False}), ["--a", "True", "--b", "False"])
        self.assertEqual(self.arguments({"flag": True, "quiet": True}, script=SCRIPT), ["--flag", "--quiet"])
        self.assertEqual(self.arguments({"flag": False, "quiet": False}, script=SCRIPT), ["--no-quiet"])

    def test_null_is_no_argument_and_structures_are_json(self):
        self.assertEqual(self.arguments({"a": None, "b": [1, "x"], "c": {"d": None}}),
                         ["--b", '[1, "x"]', "--c", '{"d": null}'])  # fmt: skip

    def test_a_value_that_begins_with_a_dash_is_joined(self):
        self.assertEqual(self.arguments({"a": "--b", "c": -1}), ["--a=--b", "--c=-1"])

    def test_argparse_gives_back_every_odd_text(self):
        odd = [
            "",
            " ",
            "--help",
            "-1",
            "it's",
            '"',
            "$(date)",
            "a\nb",
            "\u00e9\u4e2d\U0001f600",
            "a=b",
            "=",
            "`x`",
            "\\",
            "*",
            "%s",
        ]
        parser = argparse.ArgumentParser()
        for index, _ in enumerate(odd):
            parser.add_argument("--p%d" % index)
        words = self.arguments({"p%d" % index: value for index, value in enumerate(odd)})
        self.assertEqual(list(vars(parser.parse_args(words)).values()), odd)

    def test_paths_are_passed_where_declared_or_listed(self):
        paths = {"data": "/d", "model": "/m", "max_iter": "/x"}
        self.assertEqual(self.arguments({"max_iter": 1}, paths, SCRIPT), ["--data", "/d", "--max-iter", "1"])
        self.assertEqual(self.arguments({}, paths, "", ("model",)), ["--model", "/m"])

    def test_a_path_hidden_by_a_parameter_is_told(self):
        self.assertIn("--model", line({"model": "svm"}, {"model": "/m"}, {}).left_out[0])

    def test_what_no_argument_can_hold_is_left_out_and_told(self):
        made = line({"big": "x" * ARGUMENT_BYTES, "nul": "a\0b", "lone": "\ud800", "small": 1}, {}, {})
        self.assertEqual(made.arguments, ["--small", "1"])
        self.assertEqual([sentence.split(":")[0] for sentence in made.left_out],
                         ["no argument --big", "no argument --nul", "no argument --lone"])  # fmt: skip

    def test_all_arguments_together_stay_under_the_limit(self):
        made = line({"p%02d" % index: "x" * 90_000 for index in range(20)}, {}, {})
        self.assertEqual(len(made.left_out), 9)
        self.assertLess(sum(map(len, made.arguments)), 1_000_000)

    def test_numbers_keep_their_digits(self):
        self.assertEqual([text(1e-7), text(0.1), text(10**20)], ["1e-07", "0.1", "1" + "0" * 20])
