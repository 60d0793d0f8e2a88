"""The population stability index, its bins, and what chance makes of it."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chi2

from analysis.dataset.columns import Bins, Column, Kind
from analysis.evaluation.drift import baseline_of, chance_bound, drift_of, drift_report, psi
from analysis.features.preparation import Preparation
from analysis.features.profiles import ModelColumn, Origin, profile_of
from analysis.model.artefact import LinearModel
from analysis.model.baseline import Baseline
from pipeline.datasets.shipped import declared

BIKES = declared("bike_sharing")
COUNTS = st.lists(st.tuples(st.integers(0, 500), st.integers(0, 500)), min_size=1, max_size=12).filter(
    lambda pairs: all(sum(side) for side in zip(*pairs, strict=True))
)


def dataset_with(name: str, **column):
    return replace(BIKES, columns={**BIKES.columns, name: Column(**column)})


def number_baseline(values, dataset=None, *, preparation=None, missing=0.0) -> Baseline:
    columns = [ModelColumn("x", "x", Origin.NUMBER)]
    dataset = dataset or dataset_with("x", kind=Kind.MEASURE)
    preparation = preparation or Preparation()
    return baseline_of(columns, dataset, preparation, {"x": np.asarray(values, dtype=float)}, {"x": missing})


def model_of(baseline: Baseline | None, selected: tuple[str, ...] = ("x",)) -> LinearModel:
    return LinearModel(
        profile="forecast",
        target="cnt",
        input_columns=("x",),
        selected=selected,
        intercept=0.0,
        coefficients=tuple(1.0 for _ in selected),
        bounds={},
        residual_variance=1.0,
        residual_degrees_of_freedom=1,
        covariance=(),
        interval_level=0.95,
        t_quantile=2.0,
        baseline=baseline,
    )


def drift_of_numbers(baseline: Baseline, values, *, threshold=0.25, selected=("x",), missing=0.0):
    columns = {"x": np.asarray(values, dtype=float)}
    (found,) = drift_of(model_of(baseline, selected), baseline, columns, {"x": missing}, threshold)
    return found


def reference_psi(expected: list[int], actual: list[int]) -> float:
    """The index in plain Python, written from its definition."""
    total = 0.0
    n, m = sum(expected), sum(actual)
    for e, a in zip(expected, actual, strict=True):
        then, now = e / n, a / m
        if then == now == 0.0:
            continue
        if then == 0.0:
            then = min(0.5 / n, now)
        if now == 0.0:
            now = min(0.5 / m, then)
        total += (now - then) * math.log(now / then)
    return total


def test_the_index_against_a_computation_by_hand() -> None:
    # Shares 0.2, 0.5, 0.3 against 0.4, 0.4, 0.2:
    # 0.2 ln 2 + (-0.1) ln 0.8 + (-0.1) ln(2/3) = 0.138629 + 0.022314 + 0.040547
    found = psi(np.array([20, 50, 30]), np.array([40, 40, 20]))
    assert found == pytest.approx(0.201490, abs=1e-6)


def test_a_bin_that_is_empty_on_one_side_counts_as_half_a_row() -> None:
    # (0.25 - 0.005) ln(0.25 / 0.005) + (0.75 - 1) ln(0.75)
    found = psi(np.array([0, 100]), np.array([25, 75]))
    assert found == pytest.approx(0.245 * math.log(50.0) - 0.25 * math.log(0.75), rel=1e-12)


def test_a_small_file_that_lacks_a_rare_level_is_not_charged_more_than_the_levels_own_share() -> None:
    assert psi(np.array([1, 999]), np.array([0, 10])) == pytest.approx(0.0, abs=1e-5)


@given(COUNTS)
def test_the_index_is_that_of_an_independent_computation(pairs) -> None:
    expected, actual = ([*side] for side in zip(*pairs, strict=True))
    assert psi(np.array(expected), np.array(actual)) == pytest.approx(reference_psi(expected, actual), abs=1e-12)


@given(COUNTS, st.permutations(range(12)))
def test_it_is_never_negative_and_the_order_of_bins_and_sides_is_of_no_matter(pairs, order) -> None:
    expected, actual = (np.array(side) for side in zip(*pairs, strict=True))
    found = psi(expected, actual)
    assert found >= 0.0
    places = [place for place in order if place < expected.size]
    assert psi(expected[places], actual[places]) == pytest.approx(found, abs=1e-12)
    assert psi(actual, expected) == pytest.approx(found, abs=1e-12)


@given(st.lists(st.integers(0, 500), min_size=1, max_size=12).filter(any), st.integers(1, 50))
def test_it_is_zero_for_equal_shares(counts, times) -> None:
    assert psi(np.array(counts), np.array(counts) * times) == pytest.approx(0.0, abs=1e-12)


def test_the_bound_is_the_quantile_of_chi_squared() -> None:
    expected, actual = np.array([100, 200, 0, 200]), np.array([10, 20, 0, 30])
    assert chance_bound(expected, actual) == pytest.approx(chi2.isf(0.001, 2) * (1 / 500 + 1 / 60))


@pytest.mark.parametrize("shares", [[0.1] * 10, [0.5, 0.3, 0.1, 0.06, 0.03, 0.01], [0.97, 0.03]], ids=len)
@pytest.mark.parametrize(("training", "file"), [(500, 5), (500, 30), (510, 220), (1119, 480), (20000, 30)])
def test_files_that_have_not_drifted_raise_no_alarm(shares, training, file) -> None:
    """The nominal rate is 1 in 1,000; with few rows in a bin it is a little off."""
    random = np.random.Generator(np.random.PCG64(7))
    then, now = (random.multinomial(rows, shares, 1000) for rows in (training, file))
    above = [psi(e, a) > max(0.25, chance_bound(e, a)) for e, a in zip(then, now, strict=True)]
    assert np.mean(above) <= 0.006


@pytest.mark.parametrize(("file", "detected"), [(5, False), (60, True)])
def test_a_shift_is_seen_once_there_are_rows_enough_to_tell(file, detected) -> None:
    random = np.random.Generator(np.random.PCG64(7))
    baseline = number_baseline(random.normal(0.0, 1.0, 1000))
    found = [drift_of_numbers(baseline, random.normal(1.5, 1.0, file)) for _ in range(200)]
    assert np.mean([one.drifted for one in found]) == pytest.approx(1.0 if detected else 0.0, abs=0.02)


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=60), st.randoms(use_true_random=False))
def test_training_rows_have_not_drifted_from_themselves_whatever_their_order(values, random) -> None:
    baseline = number_baseline(values)
    shuffled = [*values]
    random.shuffle(shuffled)
    assert number_baseline(shuffled) == baseline
    found = drift_of_numbers(baseline, shuffled)
    assert (found.psi, found.unseen, found.drifted) == (0.0, 0.0, False)
    feature = baseline.features["x"]
    assert sum(feature.counts) == len(values)
    assert len(feature.counts) <= 10


def test_a_number_has_ten_bins_of_equally_many_rows() -> None:
    feature = number_baseline(np.arange(1000)).features["x"]
    assert feature.counts == (100,) * 10
    assert feature.labels[0] == "below 99.9"
    assert feature.labels[-1] == "899.1 or more"
    assert feature.limits == (0.0, 999.0)


@pytest.mark.parametrize(
    ("values", "labels", "counts"),
    [
        ([0, 0, 0, 1], ("0", "1"), (3, 1)),
        ([2.5, 2.5], ("less", "2.5", "more"), (0, 2, 0)),
        ([0] * 97 + [*range(1, 11)], ("below 1", "1 or more"), (97, 10)),
    ],
)
def test_bins_of_numbers_that_repeat(values, labels, counts) -> None:
    feature = number_baseline(values).features["x"]
    assert (feature.labels, feature.counts) == (labels, counts)


def test_the_bins_of_many_rows_end_where_evenly_spread_rows_say_and_count_all() -> None:
    values = np.random.Generator(np.random.PCG64(1)).permutation(250_001).astype(float)
    (feature,) = number_baseline(values).features.values()
    edges = np.array(feature.edges)
    assert edges == pytest.approx(np.arange(1, 10) * 25_000, abs=1_500)
    assert feature.counts == tuple(np.diff([0, *np.ceil(edges), 250_001]).astype(int))
    assert feature.limits == (0.0, 250_000.0)


def test_a_constant_that_changes_has_drifted() -> None:
    found = drift_of_numbers(number_baseline([7.0] * 200), [8.0] * 50)
    assert (found.drifted, found.unseen) == (True, 1.0)


def test_declared_bins_are_used_and_named() -> None:
    bins = Bins(edges=(0, 10, 20), labels=("cold", "warm"))
    dataset = dataset_with("x", kind=Kind.MEASURE, bins=bins, minimum=0, maximum=20)
    feature = number_baseline([1.0, 9.0, 10.0], dataset).features["x"]
    assert (feature.labels, feature.edges, feature.counts) == (("cold", "warm"), (10.0,), (2, 1))


def test_learned_bins_are_those_of_the_model() -> None:
    dataset = dataset_with("x", kind=Kind.MEASURE, bins=Bins(quantiles=3))
    feature = number_baseline(np.arange(30.0), dataset, preparation=Preparation(edges={"x": (5.0, 20.0)})).features["x"]
    assert (feature.edges, feature.counts) == ((5.0, 20.0), (5, 15, 10))
    assert feature.labels == ("lowest third", "middle third", "highest third")


def test_dummy_variables_are_one_feature_with_the_reference_as_the_rest() -> None:
    columns = [column for column in profile_of(BIKES, "forecast").columns if column.source == "season"]
    training = {
        "season_2": np.array([1, 0, 0, 0]), "season_3": np.array([0, 1, 0, 0]), "season_4": np.array([0, 0, 0, 0])
    }  # fmt: skip
    baseline = baseline_of(columns, BIKES, Preparation(), training, {})
    feature = baseline.features["season"]
    assert (feature.labels, feature.counts) == (("winter", "spring", "summer", "autumn"), (2, 1, 1, 0))
    file = {name: np.array([0, 1]) if name == "season_4" else np.array([0, 0]) for name in training}
    (found,) = drift_of(model_of(baseline, ("season_2",)), baseline, file, {"season": 0.0}, 0.25)
    assert [one.file for one in found.bins] == [0.5, 0.0, 0.0, 0.5]
    assert found.unseen == 0.5


def test_bins_as_dummy_variables_are_named() -> None:
    columns = [ModelColumn(f"hum_{position}", "hum", Origin.BIN, position=position) for position in range(1, 4)]
    training = {column.name: np.array([0, 1]) for column in columns[:1]} | {
        column.name: np.array([0, 0]) for column in columns[1:]
    }
    feature = baseline_of(columns, BIKES, Preparation(), training, {}).features["hum"]
    assert (feature.labels, feature.counts) == (("dry", "comfortable", "humid", "very humid"), (1, 1, 0, 0))


def test_levels_without_a_dummy_variable_are_counted_together() -> None:
    columns = [ModelColumn("season_3", "season", Origin.LEVEL, level="3")]
    feature = baseline_of(columns, BIKES, Preparation(), {"season_3": np.array([1, 0, 0])}, {}).features["season"]
    assert (feature.labels, feature.counts) == (("any other", "summer"), (2, 1))


def test_empty_cells_are_compared_by_their_share() -> None:
    found = drift_of_numbers(number_baseline([1.0, 2.0], missing=0.5), [1.0, 2.0], missing=0.25)
    assert (found.missing_in_training, found.missing) == (0.5, 0.25)


def test_a_feature_that_no_prediction_depends_on_is_measured_and_never_counts_as_drifted() -> None:
    baseline = number_baseline(np.arange(1000))
    found = drift_of_numbers(baseline, np.arange(900, 1000), selected=())
    assert found.psi > 0.25
    assert (found.used, found.drifted) == (False, False)


def test_the_threshold_is_what_the_index_has_to_exceed() -> None:
    baseline, file = number_baseline(np.arange(1000)), np.arange(300, 1000)
    index = drift_of_numbers(baseline, file).psi
    assert [drift_of_numbers(baseline, file, threshold=index + change).drifted for change in (-0.01, 0.01)] == [
        True,
        False,
    ]


def test_a_model_of_an_earlier_version_has_nothing_to_compare_with() -> None:
    block = drift_report(model_of(None), {"x": np.array([1.0])}, {}, 0.25)
    assert block["status"] == "not compared"
    assert "train and approve one" in block["reason"]


def test_the_report_has_the_largest_index_first() -> None:
    columns = [ModelColumn(name, name, Origin.NUMBER) for name in ("x", "hum")]
    training = {"x": np.arange(1000.0), "hum": np.arange(1000.0) / 10}
    baseline = baseline_of(columns, dataset_with("x", kind=Kind.MEASURE), Preparation(), training, {"hum": 0.1})
    model = replace(model_of(baseline), input_columns=("x", "hum"), selected=("x", "hum"))
    block = drift_report(model, {"x": np.arange(1000.0), "hum": np.full(1000, 99.0)}, {"x": 0.0, "hum": 0.0}, 0.25)
    assert [one["feature"] for one in block["features"]] == ["hum", "x"]
    assert (block["status"], block["drifted"]) == ("compared", ["hum"])
    assert block["rows"] == {"training": 1000, "file": 1000}


def test_a_feature_of_the_past_is_a_number_of_its_own() -> None:
    profile = profile_of(BIKES, "forecast-lagged")
    random = np.random.default_rng(7)
    training = {name: random.integers(0, 2, 200).astype(float) for name in profile.names}
    training |= {name: random.normal(4000.0, 900.0, 200) for name in profile.past}
    baseline = baseline_of(profile.columns, BIKES, Preparation(), training, {})
    assert {"cnt_1", "cnt_mean_7"} <= baseline.features.keys()
    assert "cnt" not in baseline.features
    assert sum(baseline.features["cnt_1"].counts) == 200
