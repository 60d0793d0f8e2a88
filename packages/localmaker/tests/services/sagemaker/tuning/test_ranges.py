"""Ranges of hyperparameters: how values are searched, and the text that a training job gets."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from localmaker.services.sagemaker.tuning.choosing import Result, choose, combinations
from localmaker.services.sagemaker.tuning.ranges import Range, RangeKind, read_all, space_of

RANGES = {
    "IntegerParameterRanges": [{"Name": "depth", "MinValue": "2", "MaxValue": "8", "ScalingType": "Logarithmic"}],
    "ContinuousParameterRanges": [
        {"Name": "rate", "MinValue": "0.0001", "MaxValue": "1", "ScalingType": "Logarithmic"},
        {"Name": "momentum", "MinValue": "0.5", "MaxValue": "0.999", "ScalingType": "ReverseLogarithmic"},
        {"Name": "alpha", "MinValue": "-1", "MaxValue": "1e1"},
    ],
    "CategoricalParameterRanges": [{"Name": "kind", "Values": ["a", '"b"']}],
}
SPACE = space_of(RANGES)


@pytest.mark.parametrize("strategy", ["Random", "Bayesian"])
@given(seed=st.integers(0, 2**40), number=st.integers(0, 20))
def test_values_lie_in_their_ranges(strategy, seed, number):
    values = choose(strategy, SPACE, seed, number)
    assert 2 <= int(values["depth"]) <= 8
    assert 0.0001 <= float(values["rate"]) <= 1
    assert 0.5 <= float(values["momentum"]) <= 0.999
    assert -1 <= float(values["alpha"]) <= 10
    assert values["kind"] in ("a", '"b"')


@given(number=st.floats(0, 0.9999))
def test_a_value_close_to_one_is_read_within_its_range(number):
    """1 - (1 - x) may lie beside x, and optuna refuses what lies outside."""
    one = Range("m", RangeKind.CONTINUOUS, 0.0, 0.9999, "ReverseLogarithmic")
    found = one.read(repr(number))
    assert one.distribution()._contains(found)


def test_a_logarithmic_range_covers_each_order_of_magnitude_alike():
    space = space_of({"ContinuousParameterRanges": [RANGES["ContinuousParameterRanges"][0]]})
    small = sum(float(choose("Random", space, 1, number)["rate"]) < 0.01 for number in range(200))
    assert 70 <= small <= 130  # half of the orders of magnitude; on a linear scale it would be 2 of 200


def test_a_reverse_logarithmic_range_is_searched_close_to_one():
    space = space_of({"ContinuousParameterRanges": [RANGES["ContinuousParameterRanges"][1]]})
    near = sum(float(choose("Random", space, 1, number)["momentum"]) > 0.95 for number in range(200))
    assert near > 100  # on a linear scale it would be 20


@pytest.mark.parametrize("strategy", ["Random", "Bayesian"])
def test_choices_repeat_with_their_seed(strategy):
    results = [Result(choose("Random", SPACE, 3, number), float(number)) for number in range(8)]
    first = choose(strategy, SPACE, 3, 8, results)
    assert choose(strategy, SPACE, 3, 8, results) == first
    assert choose(strategy, SPACE, 4, 8, results) != first


def test_a_grid_takes_every_combination_once():
    space = space_of(
        {"CategoricalParameterRanges": [{"Name": "a", "Values": ["1", "2"]}, {"Name": "b", "Values": ["x", "y", "z"]}]}
    )
    found = {tuple(choose("Grid", space, 0, number).items()) for number in range(combinations(space))}
    assert len(found) == 6


@pytest.mark.parametrize("maximize", [False, True])
def test_bayesian_optimisation_learns_from_results(maximize):
    """It comes closer to the best value than random search with as many training jobs."""
    space = space_of({"ContinuousParameterRanges": [{"Name": "x", "MinValue": "0", "MaxValue": "100"}]})

    def distance(strategy, seed):
        results = []
        for number in range(25):
            values = choose(strategy, space, seed, number, results, maximize=maximize)
            error = (float(values["x"]) - 70) ** 2
            results.append(Result(values, -error if maximize else error))
        return min(abs(result.objective) for result in results)

    seeds = range(5)
    assert sum(distance("Bayesian", seed) for seed in seeds) < sum(distance("Random", seed) for seed in seeds) / 3


def test_results_outside_of_the_ranges_do_not_count():
    assert read_all(SPACE, {"depth": "9", "rate": "0.1", "momentum": "0.9", "alpha": "0", "kind": "a"}) is None
    assert read_all(SPACE, {"depth": "3", "rate": "0.1", "momentum": "0.9", "alpha": "0"}) is None
    assert choose("Bayesian", SPACE, 0, 0, [Result({"other": "1"}, 1.0)] * 9) == choose("Bayesian", SPACE, 0, 0)


@pytest.mark.parametrize(("low", "kind"), [("many", "Continuous"), ("1.5", "Integer")])
def test_a_bound_that_is_no_number_is_named(low, kind):
    with pytest.raises(ValueError, match=rf"MinValue of \[n\] is not a (whole )?number: {low}"):
        space_of({f"{kind}ParameterRanges": [{"Name": "n", "MinValue": low, "MaxValue": "9"}]})
