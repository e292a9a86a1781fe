import numpy as np
import pyarrow as pa
import pytest
import scipy

from cloudml.profile import columns, distances, table
from cloudml.profile.bins import OTHER, bins
from cloudml.profile.kinds import Kind
from cloudml.profile.metrics import METRICS, applicable

EXACT = 1e-12


def measure(metric, baseline, current):
    return METRICS[metric].measure(columns.of_array(pa.array(baseline)), columns.of_array(pa.array(current)))


def value(metric, baseline, current):
    return measure(metric, baseline, current).value


def pair(seed, rows=1_000):
    random = np.random.default_rng(seed)
    return random.normal(0, 1, rows), random.normal(0.2, 1.3, rows // 2).round(2)


def words(seed, letters="abcde"):
    random = np.random.default_rng(seed)
    return random.choice(list(letters), 500).tolist(), random.choice(list(letters[:-1] + "z"), 300).tolist()


def counted(baseline, current):
    names = sorted({*baseline, *current})
    return np.array([[side.count(name) for name in names] for side in (baseline, current)], dtype=float)


def decile_counts(baseline, current):
    edges = np.unique(np.quantile(baseline, np.arange(1, 10) / 10, method="inverted_cdf"))
    return np.array([np.bincount(np.searchsorted(edges, side), minlength=10) for side in (baseline, current)], float)


@pytest.mark.parametrize("seed", range(5))
class TestAgreementWithSciPy:
    def test_ks(self, seed):
        baseline, current = pair(seed)
        assert value("ks", baseline, current) == pytest.approx(
            scipy.stats.ks_2samp(baseline, current).statistic, abs=EXACT
        )

    def test_wasserstein(self, seed):
        baseline, current = pair(seed)
        found = measure("wasserstein", baseline, current)
        expected = scipy.stats.wasserstein_distance(baseline, current)
        assert found.value == pytest.approx(expected, abs=EXACT)
        assert found.detail["normalised"] == pytest.approx(expected / baseline.std(), abs=1e-10)

    def test_js_and_chi2_of_numbers_in_the_baselines_deciles(self, seed):
        table_ = decile_counts(*pair(seed))
        expected = scipy.stats.chi2_contingency(table_, correction=False)
        assert value("js", *pair(seed)) == pytest.approx(
            scipy.spatial.distance.jensenshannon(*table_, base=2), abs=EXACT
        )
        assert value("chi2", *pair(seed)) == pytest.approx(expected.statistic, rel=EXACT)

    def test_js_and_chi2_of_categories(self, seed):
        table_ = counted(*words(seed))
        found, expected = measure("chi2", *words(seed)), scipy.stats.chi2_contingency(table_, correction=False)
        assert value("js", *words(seed)) == pytest.approx(
            scipy.spatial.distance.jensenshannon(*table_, base=2), abs=EXACT
        )
        assert found.value == pytest.approx(expected.statistic, rel=EXACT)
        assert found.detail["degrees"] == expected.dof
        cramer = scipy.stats.contingency.association(table_.astype(int), method="cramer")
        assert found.detail["cramers_v"] == pytest.approx(cramer, abs=EXACT)

    def test_linf_and_psi_by_their_formulas(self, seed):
        b, c = (row / row.sum() for row in counted(*words(seed)))
        assert value("linf", *words(seed)) == pytest.approx(np.abs(b - c).max(), abs=EXACT)
        b, c = np.maximum(b, 1e-4), np.maximum(c, 1e-4)
        assert value("psi", *words(seed)) == pytest.approx(((c - b) * np.log(c / b)).sum(), abs=EXACT)

    def test_psi_of_numbers_in_the_baselines_deciles(self, seed):
        b, c = (np.maximum(row / row.sum(), 1e-4) for row in decile_counts(*pair(seed)))
        assert value("psi", *pair(seed)) == pytest.approx(((c - b) * np.log(c / b)).sum(), abs=EXACT)


def test_a_million_sketched_rows_are_within_the_stated_bound_of_scipy():
    random = np.random.default_rng(9)
    sides = random.gamma(2.0, 3.0, 1_000_000), random.gamma(2.2, 3.0, 1_000_000)
    found = [table.of_batches(pa.table({"x": side}).to_batches(max_chunksize=65_536)).columns["x"] for side in sides]
    assert not any(column.numbers.distribution.exact for column in found)
    sample = [side[::4] for side in sides]  # SciPy over a quarter: its own error is far below the bound
    of = {name: METRICS[name].measure(*found).value for name in ("ks", "wasserstein", "psi", "js")}
    table_ = decile_counts(*sides)
    b, c = (row / row.sum() for row in table_)
    assert of["ks"] == pytest.approx(scipy.stats.ks_2samp(*sample).statistic, abs=0.005)
    assert of["wasserstein"] == pytest.approx(scipy.stats.wasserstein_distance(*sample), abs=0.005 * sides[0].std() * 2)
    assert of["psi"] == pytest.approx(((c - b) * np.log(c / b)).sum(), abs=0.005)
    assert of["js"] == pytest.approx(scipy.spatial.distance.jensenshannon(b, c, base=2), abs=0.005)


@pytest.mark.parametrize("metric", ["psi", "js", "ks", "wasserstein", "linf", "chi2", "out_of_range"])
@pytest.mark.parametrize("values", [[1.0, 2.0, 3.0] * 20, list(range(500)), [7.0], [float("inf"), 1.0, float("-inf")]])
def test_a_column_against_itself_is_zero(metric, values):
    assert value(metric, values, values) == pytest.approx(0, abs=EXACT)


@pytest.mark.parametrize("metric", ["psi", "js", "ks", "wasserstein", "linf", "chi2", "out_of_range"])
@pytest.mark.parametrize("moved", [4.0, 6.0])
def test_a_constant_that_moved_is_seen_by_every_metric(metric, moved):
    assert value(metric, [5.0] * 100, [moved] * 100) > 0.2


@pytest.mark.parametrize("metric", ["psi", "js", "linf", "chi2"])
def test_a_fall_below_a_heavy_minimum_is_seen(metric):
    baseline = [0.0] * 600 + list(np.linspace(0.01, 1, 400))
    fallen = [-1.0] * 600 + list(np.linspace(0.01, 1, 400))
    assert value(metric, baseline, fallen) > 0.4


def test_infinities_stand_at_the_ends():
    inf = float("inf")
    baseline, current = [*range(100)], [*range(50), *[inf] * 50]
    assert value("ks", baseline, current) == pytest.approx(scipy.stats.ks_2samp(baseline, current).statistic, abs=EXACT)
    assert value("out_of_range", baseline, current) == 0.5
    assert value("out_of_range", [*baseline, inf], current) == 0
    assert value("wasserstein", baseline, current) == pytest.approx(25, abs=EXACT)
    assert measure("wasserstein", baseline, [inf]).reason == "one side has no finite value"


def test_out_of_range_is_the_share_beyond_smallest_and_largest():
    assert value("out_of_range", [0, 1, 2], [-1, 0, 2, 3, 1, None]) == pytest.approx(2 / 5)


def test_new_category_is_the_share_of_values_that_the_baseline_never_saw():
    assert value("new_category", ["a", "b"], ["a", "c", "d", "b", None]) == 0.5
    assert value("new_category", [True], [True, False]) == 0.5


def test_missing_counts_null_nan_and_what_cannot_be_read():
    current = columns.of_array(pa.array(["1", "x", None, "nan"]), Kind.NUMBER)
    assert METRICS["missing"].measure(columns.of_array(pa.array([1.0])), current).value == 0.75


def test_new_category_of_a_baseline_with_too_many_has_no_value():
    found = measure("new_category", [f"n{n}" for n in range(2_000)], ["a"])
    assert found.value is None
    assert "too many" in found.reason


def test_text_of_many_values_is_compared_by_its_most_frequent():
    baseline = ["often"] * 1_000 + [f"a{n}" for n in range(3_000)]
    current = ["often"] * 100 + [f"b{n}" for n in range(3_000)]
    both = bins(columns.of_array(pa.array(baseline)), columns.of_array(pa.array(current)))
    assert both.names[0] == "often"
    assert both.names[-1] == OTHER
    assert both.baseline.sum() == 4_000
    assert both.current.sum() == 3_100
    assert value("linf", baseline, current) == pytest.approx(0.25 - 100 / 3_100, abs=0.002)


def test_a_distance_beyond_all_floats_is_infinite_not_an_error():
    assert value("wasserstein", [-1e308, -1.7e308], [1e308, 1.7e308]) == float("inf")


def test_what_applies_to_a_kind_is_as_documented():
    everywhere = ["psi", "js", "linf", "chi2", "missing"]
    assert (
        set(applicable(Kind.NUMBER)) == {*everywhere, "ks", "wasserstein", "out_of_range"} == set(applicable(Kind.TIME))
    )
    assert set(applicable(Kind.CATEGORY)) == {*everywhere, "new_category"} == set(applicable(Kind.BOOLEAN))
    assert applicable(Kind.OPAQUE) == applicable(Kind.EMPTY) == ["missing"]


def test_the_parts_of_a_js_distance_are_not_lost_to_rounding():
    assert distances.js(np.array([1.0, 0.0]), np.array([0.0, 1.0])) == 1
    assert distances.js(np.array([0.1, 0.9]), np.array([0.1, 0.9])) == 0
