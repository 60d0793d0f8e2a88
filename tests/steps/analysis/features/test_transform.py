from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from analysis.dataset.columns import Bins, Kind
from analysis.dataset.declaration import Dataset
from analysis.features.preparation import Preparation, labels, learn
from analysis.features.transform import bin_positions, bin_report
from pipeline.datasets.shipped import declared
from tests.steps.analysis.checking.batches import towns

BIKES = declared("bike_sharing")
MEASURES = BIKES.of_kind(Kind.MEASURE)


def days(count: int = 200, **changes: object) -> pa.Table:
    random = np.random.Generator(np.random.PCG64(4))
    table = {name: random.uniform(0.0, BIKES.columns[name].maximum, count) for name in MEASURES}
    return pa.table({**table, "cnt": random.integers(0, 9000, count), **changes})


def quartered(count: int = 4) -> Dataset:
    """A table whose number has bins that are learned."""
    columns = {"heat": {"kind": "measure", "bins": {"quantiles": count}}, "load": {"kind": "measure"}}
    return towns(columns=columns, rules=None, parts=None, key=None, time=None)


@pytest.mark.parametrize("name", MEASURES)
def test_fixed_bins_cover_the_whole_domain(name: str) -> None:
    column = BIKES.columns[name]
    bins = column.bins
    assert bins is not None
    assert (bins.edges[0], bins.edges[-1]) == (0.0, column.maximum)
    assert list(bins.edges) == sorted(set(bins.edges))
    assert len(bins.labels) == len(set(bins.labels)) == len(bins.edges) - 1


def test_edges_belong_to_the_bin_above_and_the_last_to_the_last() -> None:
    found = bin_positions(pa.chunked_array([[0.0, 4.999, 5.0, 29.99, 30.0, 41.0]]), BIKES, "temp", Preparation())
    assert found.to_pylist() == [0, 0, 1, 5, 6, 6]


def test_what_lies_outside_learned_edges_is_in_the_outer_bins() -> None:
    learned = Preparation(edges={"heat": (1.0,)})
    assert bin_positions(pa.chunked_array([[-1.0, 99.0]]), quartered(2), "heat", learned).to_pylist() == [0, 1]


def test_quarters_are_learned_on_the_rows_given_alone() -> None:
    table, dataset = pa.table({"heat": days()["temp"], "load": days()["cnt"]}), quartered()
    training = table.slice(0, 100)
    learned = learn(training, dataset)
    assert learned.edges == {"heat": tuple(np.quantile(training["heat"].to_numpy(), (0.25, 0.5, 0.75)))}
    report = bin_report(training, dataset, learned)[0]
    assert [interval["rows"] for interval in report["intervals"]] == [25, 25, 25, 25]
    assert [interval["label"] for interval in report["intervals"]] == [
        "lowest quarter", "second quarter", "third quarter", "highest quarter",
    ]  # fmt: skip
    assert report["learned"]


def test_equal_quartiles_make_fewer_bins() -> None:
    dataset = quartered()
    # Half of the rows have 50, and none has less.
    heat = pa.array(np.where(np.arange(200) < 120, 50.0, np.arange(200.0)))
    learned = learn(pa.table({"heat": heat}), dataset)
    bins = dataset.columns["heat"].bins
    assert bins is not None
    assert len(learned.edges["heat"]) == 1
    assert labels(bins, learned.edges["heat"]) == ("part 1 of 2", "part 2 of 2")
    constant = learn(pa.table({"heat": pa.array([50.0] * 200)}), dataset)
    assert (constant.edges["heat"], labels(bins, ())) == ((), ("part 1 of 1",))


def test_labels_of_learned_bins_are_numbered_where_no_words_are_usual() -> None:
    assert labels(Bins(quantiles=5), (1.0, 2.0, 3.0, 4.0)) == tuple(f"part {part} of 5" for part in range(1, 6))


def test_means_are_those_of_the_rows_inside() -> None:
    table = days()
    report = bin_report(table, BIKES, Preparation())
    temperature = report[0]
    assert (temperature["learned"], temperature["column"], temperature["unit"]) == (False, "temp", "degrees Celsius")
    frame = table.to_pandas()
    for entry in temperature["intervals"]:
        inside = frame[(frame["temp"] >= entry["from"]) & (frame["temp"] < entry["to"])]
        assert entry["rows"] == len(inside)
        assert entry["mean_target"] == pytest.approx(inside["cnt"].mean())
    assert sum(entry["rows"] for entry in temperature["intervals"]) == 200
    without = bin_report(table.drop_columns("cnt"), BIKES, Preparation())
    assert without[0]["intervals"][0]["mean_target"] is None


def test_rows_whose_target_is_not_known_yet_count_and_do_not_weigh() -> None:
    known = pa.array([None, 7, *[100] * 198], pa.int64())
    cold = pa.array([1.0, 1.0, *[20.0] * 198])
    (temperature, *_) = bin_report(days(cnt=known, temp=cold), BIKES, Preparation())
    assert temperature["intervals"][0] | {"rows": 2, "mean_target": 7.0} == temperature["intervals"][0]


def test_a_column_with_empty_cells_that_nothing_fills_has_no_bins() -> None:
    heat = pa.nulls(3, pa.float64())
    assert bin_report(pa.table({"heat": heat, "load": pa.array([1.0, 2.0, 3.0])}), quartered(), Preparation()) == []
