from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudml.units import Size, Threshold, cron, duration, duration_text, size, threshold


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1B", 1), ("16GiB", 16 * 2**30), ("16 GB", 16 * 10**9), ("1.5KiB", 1536), (" 2TiB ", 2 * 2**40),
        ("0.5MB", 500_000),
    ],
)  # fmt: skip
def test_sizes_tell_binary_and_decimal_units_apart(text, expected):
    assert size(text) == Size(expected)


@pytest.mark.parametrize(
    "text", ["", "16", "GiB", "16gib", "16Gib", "-1GB", "1e3GB", "16 GiB x", "٣GB", "9" * 400 + "GB"]
)
def test_what_is_not_a_size_is_refused(text):
    with pytest.raises(ValueError, match="is not a size; write a number and one of B, KB"):
        size(text)


@pytest.mark.parametrize("text", ["0GB", "0.1B"])
def test_no_size_at_all_is_refused(text):
    with pytest.raises(ValueError, match="nothing at all"):
        size(text)


@given(st.integers(min_value=1, max_value=10**15 - 1))
def test_a_size_is_written_as_it_is_read(number):
    assert size(str(Size(number))) == Size(number)


def test_sizes_are_ordered():
    assert size("1GB") < size("1GiB") <= Size(2**30)
    assert max(size("900MiB"), size("1GiB")).gib == 1


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90s", 90), ("2h", 7200), ("1d12h", 129_600), ("1d 12h", 129_600), ("0.5h", 1800), ("3650d", 315_360_000)],
)
def test_durations_add_up(text, seconds):
    assert duration(text) == timedelta(seconds=seconds)


@pytest.mark.parametrize("text", ["", "90", "h", "2 hours", "-1h", "1w", "1h-", "9" * 400 + "d"])
def test_what_is_not_a_duration_is_refused(text):
    with pytest.raises(ValueError, match="is not a duration; write a number and one of s, m, h, d"):
        duration(text)


def test_no_time_and_too_much_time_are_refused():
    with pytest.raises(ValueError, match="no time at all"):
        duration("0s")
    with pytest.raises(ValueError, match="longer than 3650 days"):
        duration("999999999999d")


@given(st.integers(min_value=1, max_value=10**6))
def test_a_duration_is_written_as_it_is_read(seconds):
    assert duration(duration_text(timedelta(seconds=seconds))) == timedelta(seconds=seconds)


@pytest.mark.parametrize(("seconds", "text"), [(86_400, "1d"), (7200, "2h"), (90, "90s"), (7200.5, "7200.500000s")])
def test_a_duration_takes_the_largest_unit_that_divides_it(seconds, text):
    assert duration_text(timedelta(seconds=seconds)) == text


@pytest.mark.parametrize("text", ["0 * * * *", "*/15 8-18 * * 1-5", "0 0 29 2 *"])
def test_a_good_cron_expression_is_unchanged(text):
    assert cron(text) == text


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("* * * *", "has 4 fields"),
        ("0 0 * * * *", "has 6 fields"),
        ("hourly", "has 1 fields"),
        ("61 * * * *", "Bad minute"),
        ("0 0 30 2 *", "Bad day-of-month"),
    ],
)
def test_a_bad_cron_expression_is_refused(text, message):
    with pytest.raises(ValueError, match=message):
        cron(text)


@pytest.mark.parametrize(
    ("text", "value", "met"),
    [
        (">= 0.7", 0.7, True),
        ("> 0.7", 0.7, False),
        ("<=1e-3", 0.001, True),
        ("< -2", -3, True),
        ("== 1", 1.0, True),
        (">= 0", float("nan"), False),
    ],
)
def test_a_threshold_is_met_or_not(text, value, met):
    assert threshold(text).met_by(value) is met


@pytest.mark.parametrize("text", ["", "0.7", "=> 0.7", ">= x", ">= 0.7 0.8", "!= 1", "> 1e999"])
def test_what_is_not_a_threshold_is_refused(text):
    with pytest.raises(ValueError, match="is not a threshold; write one of >="):
        threshold(text)


@given(st.floats(min_value=-1e15, max_value=1e15, allow_subnormal=False).filter(lambda x: not x or abs(x) > 1e-3))
def test_a_threshold_is_written_as_it_is_read(number):
    assert threshold(str(Threshold(">=", number))) == Threshold(">=", number)
