import pytest

from cloudml.errors import SpecError
from cloudml.specs.document import parse
from cloudml.specs.nodes import MAX_DEPTH, MAX_NODES


def refused(text):
    with pytest.raises(SpecError) as raised:
        parse(text, "f.yaml")
    return raised.value


def value(text):
    document = parse(f"x: {text}\n", "f.yaml")
    assert not document.problems
    return document.value["x"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("12", 12),
        ("-3", -3),
        ("012", 12),
        ("0x1F", 31),
        ("0o17", 15),
        ("1.5", 1.5),
        ("1e3", 1000.0),
        (".5", 0.5),
        ("-.inf", float("-inf")),
        ("true", True),
        ("False", False),
        ("~", None),
        ("", None),
        ("yes", "yes"),
        ("on", "on"),
        ("2024-01-01", "2024-01-01"),
        ("1_000", "1_000"),
        ("12:30", "12:30"),
        ("'12'", "12"),
        ("!!str 12", "12"),
        ("9" * 50, "9" * 50),
        ("|\n  a\n  b\n", "a\nb\n"),
        ('"\\ud83d\\ude00"', "\U0001f600"),
    ],
)
def test_scalars_are_those_of_yaml_1_2(text, expected):
    found = value(text)
    assert found == expected
    assert type(found) is type(expected)


def test_anchors_aliases_and_merges_are_taken():
    document = parse(
        "base: &base {a: 1, b: 2}\nlist: [*base, *base]\none:\n  <<: *base\n  b: 3\n"
        "two: {<<: [*base, {c: 4, a: 5}], d: 6}\n",
        "f.yaml",
    )
    assert not document.problems
    assert document.value["list"] == [{"a": 1, "b": 2}] * 2
    assert document.value["one"] == {"b": 3, "a": 1}
    assert document.value["two"] == {"d": 6, "a": 1, "b": 2, "c": 4}


def test_a_bomb_of_aliases_is_refused():
    lines = ["a: &a [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"{new}: &{new} [{', '.join([f'*{old}'] * 10)}]" for old, new in zip("abcdefgh", "bcdefghi", strict=True)]
    error = refused("\n".join(lines))
    assert "with its aliases written out" in error.message
    assert error.where.startswith("f.yaml:")


def test_a_bomb_of_merges_is_refused():
    lines = ["a: &a {x: 1}"]
    lines += [
        f"{new}: &{new} {{<<: [{', '.join([f'*{old}'] * 20)}]}}"
        for old, new in zip("abcdefgh", "bcdefghi", strict=True)
    ]
    assert "with its aliases written out" in refused("\n".join(lines)).message


def test_aliases_that_nest_without_end_are_refused():
    lines = ["a0: &a0 [x]", *(f"a{n}: &a{n} [*a{n - 1}]" for n in range(1, 2 * MAX_DEPTH))]
    assert "deep" in refused("\n".join(lines)).message


@pytest.mark.parametrize("opening", ["[", "{a: ", "- "])
def test_deep_nesting_is_refused_at_once(opening):
    assert f"nested more than {MAX_DEPTH} deep" in refused("x:\n  " + opening * 10_000).message


def test_a_line_that_no_one_writes_is_refused():
    error = refused("a: 1\nb: " + "!" * 100_000)
    assert "the line has 100003 characters" in error.message
    assert error.where == "f.yaml:2"


def test_too_many_values_are_refused():
    assert f"more than {MAX_NODES} values" in refused("x:\n" + "- \n" * (MAX_NODES + 10)).message


@pytest.mark.parametrize(
    ("text", "line", "message", "hint"),
    [
        ("", 1, "the file is empty", "cloudml init"),
        ("# only a comment\n", 1, "the file is empty", ""),
        ("---\n", 1, "the file is empty", ""),
        ("\n- a\n", 2, "a list stands where the keys", "project: NAME"),
        ("just text", 1, "text stands where the keys", ""),
        ("a: 1\n---\nb: 2\n", 2, "a second document begins here", "one document"),
        ("a:\n\tb: 1\n", 2, "a tab stands at the beginning", "spaces"),
        ("a: 1\nb: [1, 2\nc: 3\n", 3, "this is not YAML", "a bracket has no partner"),
        ("a: b: c\n", 1, "mapping values are not allowed", "needs quotes"),
        ('a: "b\n', 2, "this is not YAML", "no partner"),
        ("a: *x\n", 1, "no anchor `&x`", ""),
        ("a: &a [*a]\n", 1, "stands inside what it refers to", ""),
        ("a: 1\nb: !!python/object:os.system x\n", 2, "the tag", "without a tag"),
        ("a: 1\nb: !Ref x\n", 2, "the tag `!Ref` is not taken", "without a tag"),
        ("a: 1\nb: \x00\n", 2, "this is not YAML", ""),
        ('a: "\\ud83d"\n', 1, "half a character", "the character itself"),
        ('a: "\\UFFFFFFFF"\n', 1, "this is not YAML", ""),
    ],
)
def test_what_is_not_a_project_file_is_refused_with_its_line(text, line, message, hint):
    error = refused(text)
    assert message in error.message
    assert hint in error.hint
    assert error.where == f"f.yaml:{line}"


def test_keys_that_are_not_text_are_refused_and_the_rest_is_read():
    document = parse("1: a\ntrue: b\n~: c\non: d\n? [x]\n: e\n", "f.yaml")
    assert document.value == {"on": "d"}
    assert [(problem.where, problem.message) for problem in document.problems] == [
        ("f.yaml:1", "the key `1` is not text"),
        ("f.yaml:2", "the key `true` is not text"),
        ("f.yaml:3", "the key `~` is not text"),
        ("f.yaml:5", "a block or a list stands where a key belongs"),
    ]
    assert document.problems[0].hint == 'put it in quotes: `"1"`'


def test_a_key_that_stands_twice_is_told_with_both_lines():
    document = parse("a:\n  b: 1\n  c: 2\n  b: 3\n", "f.yaml")
    (problem,) = document.problems
    assert (problem.path, problem.where) == ("a.b", "f.yaml:4")
    assert "in line 2 and in line 4" in problem.message
    assert document.value == {"a": {"b": 1, "c": 2}}


def test_merging_a_plain_value_is_refused():
    (problem,) = parse("a: {<<: 3}\n", "f.yaml").problems
    assert "`<<` merges a block" in problem.message
