import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudml.profile import distinct, distribution
from cloudml.profile.distribution import EXACT, KEPT, RANK_ERROR

FINITE = st.floats(allow_nan=False, allow_infinity=False)
MANY = 200_000


def of(values):
    return distribution.of_values(np.array(values, dtype=np.float64))


def in_parts(values, size):
    whole = distribution.EMPTY
    for start in range(0, len(values), size):
        whole = distribution.merge(whole, of(values[start : start + size]))
    return whole


def rank_error(found, values):
    ordered = np.sort(values)
    at = ordered[:: max(len(ordered) // 2000, 1)]
    return np.abs(found.cdf(at) - np.searchsorted(ordered, at, side="right") / len(ordered)).max()


@given(st.lists(FINITE), st.lists(FINITE), st.lists(FINITE))
def test_merging_parts_gives_the_whole(left, middle, right):
    whole = of([*left, *middle, *right])
    for found in (
        distribution.merge(distribution.merge(of(left), of(middle)), of(right)),
        distribution.merge(of(left), distribution.merge(of(middle), of(right))),
        distribution.merge(of(right), distribution.merge(of(middle), of(left))),
    ):
        assert found.exact
        np.testing.assert_array_equal(found.values, whole.values)
        np.testing.assert_array_equal(found.weights, whole.weights)


SHAPES = {
    "normal": lambda r: r.normal(size=MANY),
    "heavy": lambda r: r.standard_cauchy(MANY),
    "sorted": lambda r: np.sort(r.normal(size=MANY)),
    "falling": lambda r: -np.sort(r.normal(size=MANY)),
    "zeros": lambda r: np.where(r.random(MANY) < 0.6, 0.0, r.random(MANY)),
    "ties": lambda r: r.zipf(1.3, MANY).clip(max=10**12).astype(float),
    "seconds": lambda r: 1.7e9 + r.uniform(0, 86_400, MANY),
}


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("size", [1_700, 65_536])
def test_a_rank_is_within_the_bound_however_the_parts_were_cut(shape, size):
    values = SHAPES[shape](np.random.default_rng(0))
    found = in_parts(values, size)
    assert not found.exact
    assert found.total == MANY
    assert rank_error(found, values) < RANK_ERROR


def test_merging_many_small_parts_as_a_tree_stays_within_the_bound():
    values = np.random.default_rng(1).normal(size=MANY)
    parts = [of(part) for part in np.array_split(values, 256)]
    while len(parts) > 1:
        parts = [distribution.merge(*pair) for pair in zip(parts[::2], parts[1::2], strict=True)]
    assert rank_error(parts[0], values) < RANK_ERROR


def test_a_merge_of_sketches_does_not_depend_on_the_order():
    values = np.random.default_rng(2).normal(size=(2, 50_000))
    left, right = of(values[0]), of(values[1])
    one, other = distribution.merge(left, right), distribution.merge(right, left)
    np.testing.assert_array_equal(one.values, other.values)
    np.testing.assert_array_equal(one.weights, other.weights)


def test_the_points_kept_are_bounded_whatever_the_rows():
    random = np.random.default_rng(3)
    found, largest = distribution.EMPTY, 0
    for _ in range(30):
        found = distribution.merge(found, of(random.normal(size=50_000)))
        largest = max(largest, len(found.values))
    assert found.total == 1_500_000
    assert largest <= KEPT


def test_up_to_4096_distinct_values_are_exact_however_many_rows():
    values = np.random.default_rng(4).integers(0, EXACT, 300_000).astype(float)
    found = in_parts(values, 65_536)
    assert found.exact
    assert rank_error(found, values) == 0
    assert not of(np.arange(EXACT + 1)).exact


def test_quantiles_are_the_inverted_cdf_of_numpy():
    values = np.random.default_rng(5).normal(size=1_000)
    shares = np.array([0, 0.1, 0.25, 0.5, 0.9, 1])
    np.testing.assert_array_equal(of(values).quantiles(shares), np.quantile(values, shares, method="inverted_cdf"))


@pytest.mark.parametrize("number", [10, 1_000, 20_000, 100_000])
def test_distinct_values_are_counted_within_ten_percent(number):
    numbers = distinct.of_numbers(np.arange(number, dtype=np.float64) / 7)
    texts = distinct.of_texts(f"customer {n}" for n in range(number))
    assert distinct.estimate(numbers) == pytest.approx(number, rel=0 if number < 1_024 else 0.1)
    assert distinct.estimate(texts) == pytest.approx(number, rel=0 if number < 1_024 else 0.1)


@given(st.lists(st.text()), st.lists(st.text()))
def test_merged_hashes_are_those_of_both(left, right):
    merged = distinct.smallest(distinct.of_texts(left), distinct.of_texts(right))
    np.testing.assert_array_equal(merged, distinct.of_texts([*left, *right]))


@pytest.mark.parametrize("distinct_values", [2, 700, 5000])
def test_values_that_repeat_are_counted_as_sorting_counts_them(distinct_values):
    random = np.random.default_rng(7)
    values = random.choice(np.append(random.normal(size=distinct_values - 2), [0.0, -0.0]), 60_000)
    found, (wanted, counts) = distribution._hashed(values), np.unique(values, return_counts=True)
    np.testing.assert_array_equal(found[0], wanted)
    np.testing.assert_array_equal(found[1], counts)
    assert not np.signbit(found[0][found[0] == 0]).any()
    assert distribution._repeats(values) is (distinct_values < 1000)


@pytest.mark.parametrize("spread", [2**64, 2**50, 3_000])
def test_the_smallest_hashes_are_found_wherever_they_lie(spread):
    found = np.random.default_rng(8).integers(0, spread, 60_000, dtype=np.uint64, endpoint=False)
    np.testing.assert_array_equal(distinct.smallest(found), np.unique(found)[: distinct.KEPT])
    few = np.concatenate((np.repeat(found[:500], 100), found[:2_000]))
    np.testing.assert_array_equal(distinct.smallest(few), np.unique(few)[: distinct.KEPT])


@given(st.lists(FINITE | st.sampled_from([0.0, -0.0, 1.0])))
def test_values_are_counted_by_sorting_as_numpy_counts_them(values):
    given_values = np.array(values, dtype=np.float64)
    found, (wanted, counts) = distribution._sorted(given_values), np.unique(given_values, return_counts=True)
    np.testing.assert_array_equal(found[0], wanted)
    np.testing.assert_array_equal(found[1], counts)
