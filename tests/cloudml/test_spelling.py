import pytest

from cloudml.spelling import did_you_mean, listed, nearest


@pytest.mark.parametrize(
    ("word", "expected"),
    [("maxIter", "max_iter"), ("max-iter", "max_iter"), ("memroy", "memory"), ("psy", "psi"), ("zzz", ""), ("", "")],
)
def test_the_nearest_word_is_found_whatever_its_case_and_dashes(word, expected):
    assert nearest(word, ["memory", "max_iter", "psi"]) == expected


def test_a_very_long_word_is_near_to_nothing():
    assert nearest("memory" * 100_000, ["memory" * 100_000]) == ""


def test_a_hint_is_empty_when_nothing_is_near():
    assert did_you_mean("memroy", ["memory"]) == "did you mean `memory`?"
    assert did_you_mean("x", []) == ""


def test_long_lists_are_cut():
    assert listed(["a", "b"]) == "a, b"
    assert listed([]) == "none"
    assert listed("abcd", most=2) == "a, b and 2 more"
