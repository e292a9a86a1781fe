import json

import pyarrow as pa
import pytest

from cloudml.errors import SpecError
from cloudml.profile import Check, Pair, Profile, State, evaluate, parse, table


def profile(like=None, **values):
    return table.of_batches([pa.record_batch(values)], like)


BASELINE = profile(
    delay=[1.0, 2.0, 3.0, 4.0] * 25,
    carrier=["a", "b"] * 50,
    late=[True, False] * 50,
    tags=[["x"]] * 100,
    blank=pa.nulls(100),
)


def current(**values):
    return profile(BASELINE, **values)


def check(metric, maximum=0.2, **more):
    return Check(metric=metric, max=maximum, **more)


def found(report):
    return {(result.column, result.metric): (result.value, result.violated) for result in report.checks}


def test_the_json_is_that_of_the_command_line():
    report = evaluate(BASELINE, current(delay=[9.0] * 10), [check("out_of_range")], monitor="drift")
    document = json.loads(json.dumps(report.as_json(), allow_nan=False))
    assert document["monitor"] == "drift"
    assert (document["state"], document["rows"], document["baseline_rows"]) == ("violated", 10, 100)
    result = document["checks"][0]
    assert {key: result[key] for key in ("column", "metric", "value", "max", "violated")} == {
        "column": "delay", "metric": "out_of_range", "value": 1.0, "max": 0.2, "violated": True,
    }  # fmt: skip


def test_a_check_of_every_column_is_made_where_it_applies():
    same = current(delay=[1.0, 2.0, 3.0, 4.0], carrier=["a", "b"] * 2, late=[True, False] * 2, tags=[["y"]] * 4)
    report = evaluate(BASELINE, same, [check("psi"), check("ks"), check("missing"), check("new_category")])
    assert {column for column, metric in found(report) if metric == "psi"} == {"delay", "carrier", "late"}
    assert {column for column, metric in found(report) if metric == "ks"} == {"delay"}
    assert {column for column, metric in found(report) if metric == "missing"} == {"delay", "carrier", "late", "tags"}
    assert {column for column, metric in found(report) if metric == "new_category"} == {"carrier", "late"}
    assert report.state is State.OK


def test_a_value_at_the_limit_holds():
    half = current(carrier=["a", "c"])
    assert evaluate(BASELINE, half, [check("new_category", 0.5)]).state is State.OK
    assert evaluate(BASELINE, half, [check("new_category", 0.4999)]).state is State.VIOLATED


def test_no_rows_are_no_data_never_ok():
    for empty in (Profile(), current(delay=pa.array([], pa.float64()))):
        report = evaluate(BASELINE, empty, [check("psi"), check("missing", columns=("delay",))])
        assert report.state is State.NO_DATA
        assert report.checks == ()


def test_nothing_that_could_be_compared_is_no_data():
    report = evaluate(BASELINE, current(other=[1]), [check("psi")])
    assert report.state is State.NO_DATA
    assert report.extra == ("other",)
    assert "no column" in report.notes[0].reason


def test_an_absent_column_violates_only_a_check_that_names_it():
    without = current(delay=[1.0, 2.0, 3.0, 4.0])
    quiet = evaluate(BASELINE, without, [check("psi"), check("missing")])
    assert quiet.state is State.OK
    assert quiet.absent == ("carrier", "late", "tags", "blank")
    named = evaluate(BASELINE, without, [check("missing", columns=("carrier",)), check("psi", columns=("carrier",))])
    assert found(named) == {("carrier", "missing"): (1.0, True), ("carrier", "psi"): (None, True)}


def test_a_column_that_lost_its_values_is_missing_and_has_no_distance():
    lost = current(delay=pa.array([None] * 5, pa.float64()), carrier=["a", "b", "a", "b", "a"])
    report = evaluate(BASELINE, lost, [check("psi", 1), check("missing")])
    assert found(report)["delay", "missing"] == (1.0, True)
    assert found(report)["delay", "psi"] == (None, False)
    assert ("delay", "psi", "the current data has no value") in {(n.column, n.metric, n.reason) for n in report.notes}
    assert found(evaluate(BASELINE, lost, [check("psi", columns=("delay",))]))["delay", "psi"] == (None, True)


def test_a_column_without_values_on_both_sides_holds():
    empty = current(blank=pa.nulls(3), delay=[1.0, 2.0, 3.0])
    report = evaluate(BASELINE, empty, [check("psi", columns=("blank",)), check("missing", 1.0)])
    assert found(report)["blank", "psi"] == (None, False)
    assert found(report)["blank", "missing"] == (1.0, False)


def test_values_of_another_type_are_missing_not_a_crash():
    odd = current(delay=["1", "2", "three", "4"], carrier=[1, 2, 3, 4])
    report = evaluate(BASELINE, odd, [check("missing"), check("new_category")])
    assert found(report)["delay", "missing"] == (0.25, True)
    assert found(report)["carrier", "new_category"] == (1.0, True)


def test_a_number_too_large_is_null_and_violated():
    baseline = profile(x=[-1.7e308, -1e308])
    report = evaluate(baseline, profile(baseline, x=[1e308, 1.7e308]), [check("wasserstein", 5)])
    assert found(report) == {("x", "wasserstein"): (None, True)}
    json.dumps(report.as_json(), allow_nan=False)


def test_predictions_are_compared_with_their_own_baseline():
    pair = Pair(profile(prediction=[0, 1] * 10), profile(prediction=[1] * 8))
    report = evaluate(BASELINE, current(delay=[1.0]), [check("psi", on="predictions")], predictions=pair)
    assert [(result.on, result.column, result.violated) for result in report.checks] == [
        ("predictions", "prediction", True)
    ]
    with pytest.raises(SpecError, match="nothing to compare them with"):
        evaluate(BASELINE, current(delay=[1.0]), [check("psi", on="predictions")])


WRONG = {
    "metric": ({"metric": "pis", "max": 1}, "no metric `pis`", "did you mean `psi`"),
    "on": ({"metric": "psi", "max": 1, "on": "labels"}, "no on `labels`", "features"),
    "key": ({"metric": "psi", "maximum": 1}, "no key of a check `maximum`", "max"),
    "no max": ({"metric": "psi"}, "no `max`", "max: 0.2"),
    "nan": ({"metric": "psi", "max": float("nan")}, "`max` of check `psi` is nan", "0 or more"),
    "negative": ({"metric": "psi", "max": -1}, "`max` of check `psi` is -1", "0 or more"),
    "text": ({"metric": "psi", "max": "0.2"}, "`max` of check `psi` is '0.2'", "0 or more"),
    "true": ({"metric": "psi", "max": True}, "`max` of check `psi` is True", "0 or more"),
    "one name": ({"metric": "psi", "max": 1, "columns": "delay"}, "`columns` is 'delay'", "[delay]"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_check_says_what_is_wrong_and_what_is_right(name):
    item, message, hint = WRONG[name]
    with pytest.raises(SpecError, match=message) as caught:
        parse([item])
    assert hint in caught.value.hint


def test_a_metric_that_does_not_apply_lists_those_that_do():
    with pytest.raises(SpecError, match="`ks` does not apply to column `carrier`, which is category") as caught:
        evaluate(BASELINE, current(carrier=["a"]), [check("ks", columns=("carrier",))])
    assert "new_category" in caught.value.hint


def test_a_column_that_the_baseline_lacks_cannot_be_named():
    with pytest.raises(SpecError, match="`carier`") as caught:
        evaluate(BASELINE, current(carrier=["a"]), [check("psi", columns=("carier",))])
    assert "did you mean `carrier`" in caught.value.hint


def test_a_baseline_without_rows_is_refused():
    with pytest.raises(SpecError, match="has no rows"):
        evaluate(Profile(), current(delay=[1.0]), [check("psi")])


def test_profiles_of_different_kinds_are_refused():
    with pytest.raises(SpecError, match="is number in the baseline and category"):
        evaluate(BASELINE, profile(delay=["a"]), [check("psi")])
