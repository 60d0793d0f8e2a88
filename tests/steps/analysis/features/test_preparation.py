"""What is learned on training rows, and that it comes back from a model as it was."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.dataset.declaration import Dataset
from analysis.features.preparation import Preparation, learn, preparation_from
from analysis.features.profiles import profile_of
from analysis.features.transform import filled, model_columns
from analysis.runtime.errors import ModelError
from tests.steps.analysis.checking.batches import towns

NUMBER = st.floats(allow_nan=False, allow_infinity=False)


def table_with(**columns: dict[str, Any]) -> Dataset:
    return towns(columns={**columns, "load": {"kind": "measure"}}, rules=None, parts=None, key=None, time=None)


def test_medians_and_commonest_levels_stand_for_empty_cells() -> None:
    dataset = table_with(
        heat={"kind": "measure", "missing": "fill"},
        steps={"kind": "count", "missing": "fill"},
        coast={"kind": "flag", "missing": "fill"},
        land={"kind": "category", "levels": {"n": "north", "s": "south", "w": "west"}, "missing": "fill"},
        wind={"kind": "measure", "missing": "placeholder", "placeholder": "-1"},
        sky={
            "kind": "category",
            "levels": {"clear": "clear", "?": "unknown"},
            "missing": "placeholder",
            "placeholder": "?",
        },
    )
    rows = pa.table(
        {
            "heat": pa.array([1.0, 2.0, 4.0, 10.0, None]),
            "steps": pa.array([1, 2, 5, 10, None], pa.int64()),
            "coast": pa.array([0, 1, 0, 1, None], pa.int64()),
            "land": pa.array(["s", "n", "s", "n", None]),
            "wind": pa.array([3.0, 3.0, 3.0, 3.0, None]),
            "sky": pa.array(["clear", "clear", "clear", "clear", None]),
            "load": pa.array([1.0, 2.0, 3.0, 4.0, 5.0]),
        }
    )
    learned = learn(rows, dataset)
    assert learned.fills == {"heat": 3.0, "steps": 3.0, "coast": 0.0, "land": "n", "wind": -1.0, "sky": "?"}
    last = filled(rows, dataset, learned).to_pylist()[-1]
    assert last == {"heat": 3.0, "steps": 3, "coast": 0, "land": "n", "wind": -1.0, "sky": "?", "load": 5.0}
    # What is empty says nothing about the range.
    assert learned.ranges["heat"] == (1.0, 10.0)
    assert "load" not in learned.ranges


def test_a_placeholder_that_is_prepared_as_another_level_is_that_level() -> None:
    levels = {"1": "clear", "2": "mist", "3": "rain", "4": "heavy rain"}
    sky = {"kind": "category", "levels": levels, "prepared_as": {"4": "3"}}
    dataset = table_with(sky={**sky, "missing": "placeholder", "placeholder": "4"})
    rows = pa.table({"sky": pa.array(["1", "2", "3", None])})
    columns = profile_of(dataset, "forecast").columns
    made = model_columns(rows, columns, dataset, learn(rows, dataset))
    assert made.to_pydict() == {"sky_2": [0, 1, 0, 0], "sky_3": [0, 0, 1, 1]}


def test_an_indicator_marks_the_rows_whose_cell_was_empty() -> None:
    dataset = table_with(heat={"kind": "measure", "missing": "fill", "indicator": True})
    training = pa.table({"heat": pa.array([1.0, 5.0, 9.0])})
    scored = pa.table({"heat": pa.array([None, 100.0])})
    made = model_columns(scored, profile_of(dataset, "forecast").columns, dataset, learn(training, dataset))
    assert made.to_pydict() == {"heat": [5.0, 100.0], "heat_missing": [1, 0]}


@given(
    fills=st.dictionaries(st.text(), NUMBER | st.text()),
    edges=st.dictionaries(st.text(), st.sets(NUMBER, max_size=5).map(sorted).map(tuple)),
    ranges=st.dictionaries(st.text(), st.tuples(NUMBER, NUMBER).map(sorted).map(tuple)),
)
def test_it_comes_back_as_it_was(fills, edges, ranges) -> None:
    learned = Preparation(fills, edges, ranges)
    assert preparation_from(json.loads(json.dumps(learned.to_dict()))) == learned


@pytest.mark.parametrize(
    "change",
    [
        {"fills": None},
        {"fills": {"heat": float("inf")}},
        {"edges": {"heat": [2.0, 1.0]}},
        {"edges": {"heat": [1.0, 1.0]}},
        {"edges": {"heat": ["low"]}},
        {"ranges": {"heat": [2.0, 1.0]}},
        {"ranges": {"heat": [1.0]}},
        {"ranges": {"heat": [float("nan"), 1.0]}},
        {"ranges": {"heat": [0.0, float("inf")]}},
        {"ranges": {"heat": [0, 10**400]}},
        {"edges": {"heat": [10**400]}},
    ],
)
def test_what_no_training_has_learned_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(ModelError, match="Train again"):
        preparation_from({**Preparation().to_dict(), **change})


@given(values=st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=60), quantiles=st.integers(2, 20))
def test_learned_edges_rise_inside_of_what_was_seen(values: list[float], quantiles: int) -> None:
    dataset = table_with(heat={"kind": "measure", "bins": {"quantiles": quantiles}})
    edges = learn(pa.table({"heat": pa.array(values)}), dataset).edges["heat"]
    assert list(edges) == sorted(set(edges))
    assert len(edges) < quantiles
    assert all(min(values) < edge < max(values) for edge in edges)


@pytest.mark.parametrize("column", [{"missing": "fill"}, {"missing": "fill", "bins": {"quantiles": 4}}])
def test_a_column_of_which_nothing_was_seen_has_nothing_to_learn(column: dict[str, Any]) -> None:
    dataset = table_with(heat={"kind": "measure", **column})
    learned = learn(pa.table({"heat": pa.nulls(3, pa.float64())}), dataset)
    assert (learned.fills, learned.ranges) == ({}, {})
    assert np.array(learned.edges.get("heat", ())).size == 0
