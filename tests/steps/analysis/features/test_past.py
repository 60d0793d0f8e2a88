"""Features of the past, beside a reference that looks at one row after the other."""

from __future__ import annotations

import math
from datetime import date, datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.dataset.past import Past
from analysis.features.past import past_values
from pipeline.datasets.shipped import declared
from tests.steps.analysis.checking.batches import towns

MOMENT = {"kind": "datetime", "formats": {"standard": ["yyyy-mm-dd HH:MM"]}}
FEATURES = {
    "load_1": {"column": "load", "description": "the one before", "rows_ago": 1},
    "load_3": {"column": "load", "description": "three before", "rows_ago": 3},
    "mean_4": {"column": "load", "description": "mean of four", "mean_of_rows": 4},
    "day_1": {"column": "load", "description": "a day before", "days_ago": 1},
    "day_3": {"column": "load", "description": "three days before", "days_ago": 3},
    "mean_days": {"column": "load", "description": "mean of two days", "mean_of_days": 2},
}
TOWNS = towns(
    columns={
        "town": {"kind": "identifier"},
        "pump": {"kind": "count"},
        "at": MOMENT,
        "heat": {"kind": "measure"},
        "load": {"kind": "measure"},
    },
    key=["town", "pump", "at"],
    rules=None,
    parts=None,
    past=FEATURES,
    profiles={"forecast": {"description": "All.", "past": [*FEATURES]}},
)
START = datetime.fromisoformat("2024-02-27")
Row = tuple[str, int, datetime, float | None]
"""Town, pump, moment and load."""


def table(rows: list[Row]) -> pa.Table:
    town, pump, at, load = zip(*rows, strict=True) if rows else ((), (), (), ())
    columns = [pa.array(town, pa.string()), pa.array(pump, pa.int64()), pa.array(at, pa.timestamp("us"))]
    return pa.table([*columns, pa.array(load, pa.float64())], names=["town", "pump", "at", "load"])


def reference(row: Row, every: list[Row], feature: Past, gap: int) -> tuple[float, float]:
    """Return value and gap of one row, as the declaration's documentation has them; NaN for none."""
    cells: dict[datetime, float | None] = {}
    for other in every:
        if other[:2] == row[:2] and other[2] < row[2]:
            cells[other[2]] = other[3] if other[3] is not None else cells.get(other[2])
    moments, day = sorted(cells), timedelta(days=1)
    if feature.in_days:
        needed = row[2] - gap * day - (timedelta(0) if feature.is_mean else feature.count * day)
        usable = [at for at in moments if (at < needed if feature.is_mean else at <= needed)]
    else:
        usable = moments[: max(0, len(moments) - gap - (0 if feature.is_mean else feature.count - 1))]
    known = [at for at in usable if cells[at] is not None]
    if not known:
        return math.nan, math.nan
    newest = known[-1]
    if feature.in_days:
        behind = math.ceil((row[2] - newest) / day) - (1 if feature.is_mean else feature.count)
        window = [at for at in known if at >= row[2] - (behind + feature.count) * day]
    else:
        behind = len(moments) - moments.index(newest) - (1 if feature.is_mean else feature.count)
        first = max(0, moments.index(newest) - feature.count + 1)
        window = [at for at in known if at >= moments[first]]
    values = [cells[at] for at in (window if feature.is_mean else [newest])]
    return float(np.mean(np.array(values, dtype=float))), float(behind)


@st.composite
def histories(draw: st.DrawFn) -> list[Row]:
    """Several series with missing moments, and moments whose load is not known; each moment once, in any order."""
    hours = st.integers(0, 7 * 4).map(lambda quarter: START + timedelta(hours=6 * quarter))
    keys = st.tuples(st.sampled_from("ab"), st.sampled_from([1, 2]), hours)
    loads = st.none() | st.integers(0, 100).map(lambda number: number / 8)
    return [(*key, draw(loads)) for key in draw(st.lists(keys, min_size=1, max_size=30, unique=True))]


def same(found: Any, expected: Any) -> bool:
    return bool(np.allclose(found, expected, rtol=1e-12, atol=0.0, equal_nan=True))


@given(histories(), st.integers(0, 3), st.integers(0, 12))
def test_every_row_is_as_the_reference_has_it(every: list[Row], gap: int, scored: int) -> None:
    rows, known = table(every[-scored:]), table(every)
    for name in FEATURES:
        found = past_values(rows, known, TOWNS, [name], gap=gap)
        expected = [reference(row, every, TOWNS.past[name], gap) for row in every[-scored:]]
        assert same(found.values[name], [value for value, _ in expected]), name
        assert same(found.gaps, [behind for _, behind in expected]), name


@given(histories(), st.integers(0, 7 * 4), st.data())
def test_neither_the_future_nor_the_row_itself_is_in_its_features(every, quarter: int, data) -> None:
    now = START + timedelta(hours=6 * quarter)
    loads = st.none() | st.integers(-1000, 1000).map(float)
    earlier = [row for row in every if row[2] <= now]
    # The row's own value may become another, and all that comes later may change, go or come.
    changed = [row if row[2] < now else (*row[:3], data.draw(loads)) for row in earlier]
    changed += [(*row[:2], row[2] + timedelta(hours=1), data.draw(loads)) for row in every if row[2] > now]
    found, other = (past_values(table(earlier), table(known), TOWNS, [*FEATURES]) for known in (every, changed))
    for name in FEATURES:
        assert np.array_equal(found.values[name], other.values[name], equal_nan=True)
    assert np.array_equal(found.gaps, other.gaps, equal_nan=True)


@given(histories())
def test_rows_get_the_same_alone_and_together(every: list[Row]) -> None:
    together = past_values(table(every), table(every), TOWNS, [*FEATURES])
    for position, row in enumerate(every):
        alone = past_values(table([row]), table(every), TOWNS, [*FEATURES])
        for name in FEATURES:
            found, expected = alone.values[name], together.values[name][position : position + 1]
            assert np.array_equal(found, expected, equal_nan=True)


def test_the_day_before_and_the_mean_of_seven() -> None:
    bikes = declared("bike_sharing")
    days = [date(2018, 1, 1) + timedelta(days=number) for number in range(12)]
    rows = pa.table({"dteday": pa.array(days, pa.date32()), "cnt": pa.array([*range(8), None, None, None, None])})
    found = past_values(rows, rows, bikes, ["cnt_1", "cnt_mean_7"])
    assert same(found.values["cnt_1"], [math.nan, *range(8), 7, 7, 7])
    assert same(found.values["cnt_mean_7"], [math.nan, 0, 0.5, 1, 1.5, 2, 2.5, 3, 4, 4, 4, 4])
    assert same(found.gaps, [math.nan, 0, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3])
    assert found.complete.tolist() == [False] + [True] * 11


def test_a_day_that_is_missing_is_a_gap_of_days_and_none_of_rows() -> None:
    every = [("a", 1, START, 5.0), ("a", 1, START + timedelta(days=9), None)]
    found = {name: past_values(table(every[1:]), table(every), TOWNS, [name]).gaps[0] for name in FEATURES}
    assert found | {"load_3": 0.0} == {"load_1": 0, "load_3": 0, "mean_4": 0, "day_1": 8, "day_3": 6, "mean_days": 8}
    assert math.isnan(found["load_3"])


def test_the_cell_that_comes_last_counts_and_an_empty_one_erases_nothing() -> None:
    first, second = START, START + timedelta(days=1)
    known = table([("a", 1, first, 1.0), ("a", 1, first, 2.0), ("a", 1, first, None)])
    found = past_values(table([("a", 1, second, None)]), known, TOWNS, ["load_1"])
    assert found.values["load_1"].tolist() == [2.0]


def test_nothing_is_known() -> None:
    found = past_values(table([("a", 1, START, None)]), table([]), TOWNS, [*FEATURES])
    assert not found.complete.any()


@pytest.mark.parametrize("name", FEATURES)
def test_a_larger_gap_is_what_later_knowledge_would_give(name: str) -> None:
    """With a gap of g days, a row gets what it would get had the last g days of a daily series no value yet."""
    every: list[Row] = [("a", 1, START + timedelta(days=number), float(number**2)) for number in range(40)]
    for gap in (1, 2, 6):
        assumed = past_values(table(every[-1:]), table(every), TOWNS, [name], gap=gap)
        skipped = TOWNS.past[name].count - 1 if not TOWNS.past[name].is_mean else 0
        unknown = [row if number < 39 - gap - skipped else (*row[:3], None) for number, row in enumerate(every)]
        real = past_values(table(every[-1:]), table(unknown), TOWNS, [name])
        assert same(assumed.values[name], real.values[name])
        assert assumed.gaps.tolist() == real.gaps.tolist() == [gap]
