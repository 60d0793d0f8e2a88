from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from analysis.features.transform import Binning, bin_positions, bin_report, bins_for
from analysis.reading.columns import BINS, MEASURES, Bins


def days(count: int = 200) -> pd.DataFrame:
    random = np.random.Generator(np.random.PCG64(4))
    table = {name: random.uniform(0.0, measure.scale, count) for name, measure in MEASURES.items()}
    return pd.DataFrame({**table, "cnt": random.integers(0, 9000, count)})


@pytest.mark.parametrize("name", MEASURES)
def test_fixed_bins_cover_the_whole_domain(name: str) -> None:
    bins = BINS[name]
    assert (bins.edges[0], bins.edges[-1]) == (0.0, MEASURES[name].scale)
    assert list(bins.edges) == sorted(set(bins.edges))
    assert len(bins.labels) == len(set(bins.labels)) == len(bins.edges) - 1


def test_edges_belong_to_the_bin_above_and_the_last_to_the_last() -> None:
    found = bin_positions(pd.Series([0.0, 4.999, 5.0, 29.99, 30.0, 41.0]), BINS["temp"])
    assert found.tolist() == [0, 0, 1, 5, 6, 6]


def test_what_lies_outside_learned_edges_is_in_the_outer_bins() -> None:
    assert bin_positions(pd.Series([-1.0, 99.0]), Bins((0.0, 1.0, 2.0), ("low", "high"))).tolist() == [0, 1]


def test_quarters_are_learned_on_the_rows_given_alone() -> None:
    table = days()
    bins = bins_for(Binning.QUARTILES, table.iloc[:100])
    for name in MEASURES:
        assert bins[name].edges[1:-1] == tuple(np.quantile(table[name].iloc[:100], (0.25, 0.5, 0.75)))
    changed = table.copy()
    changed.loc[100:, "temp"] = 1.0
    assert bins_for(Binning.QUARTILES, changed.iloc[:100]) == bins


def test_equal_quartiles_make_fewer_bins() -> None:
    bins = bins_for(Binning.QUARTILES, days().assign(hum=50.0))["hum"]
    assert bins == Bins((0.0, 50.0, 100.0), ("part 1 of 2", "part 2 of 2"))


def test_means_are_those_of_the_days_inside() -> None:
    table = days()
    report = bin_report(table, BINS, Binning.FIXED)
    temperature = report["columns"][0]
    assert (report["edges"], temperature["column"], temperature["unit"]) == ("fixed", "temp", "degrees Celsius")
    for entry in temperature["intervals"]:
        inside = table[(table["temp"] >= entry["from"]) & (table["temp"] < entry["to"])]
        assert entry["days"] == len(inside)
        assert entry["mean_rentals"] == pytest.approx(inside["cnt"].mean())
    assert sum(entry["days"] for entry in temperature["intervals"]) == 200
    without = bin_report(table.drop(columns="cnt"), BINS, Binning.FIXED)
    assert without["columns"][0]["intervals"][0]["mean_rentals"] is None
