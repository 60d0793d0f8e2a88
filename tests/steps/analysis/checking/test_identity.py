"""Rows keep their names, wherever they are in a file."""

from __future__ import annotations

import random

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.checking.identity import row_identities
from pipeline.demo.sample import sample_rows
from tests.steps.analysis.checking.batches import BIKE, WINE, Cells, checked, readings, towns


def wines(count: int) -> Cells:
    draws = random.Random(count)
    rows = []
    for _ in range(count):
        row = dict.fromkeys(WINE.columns, "1")
        row.update(density="1", alcohol=draws.choice(["9", "10"]), quality=str(draws.randrange(4)))
        rows.append(row)
    return rows


def test_one_key_column_is_the_name() -> None:
    rows = checked(sample_rows(rows=3)).rows
    assert row_identities(rows, BIKE) == ["2018-01-01", "2018-01-02", "2018-01-03"]


def test_several_key_columns_are_joined() -> None:
    rows = checked(readings(2), towns()).rows
    assert row_identities(rows, towns()) == ["B|2024-05-01T00:30:00", "A|2024-05-01T01:30:00"]


@given(st.lists(st.tuples(st.text(alphabet="a|\\", max_size=3), st.text(alphabet="a|\\", max_size=3)), unique=True))
def test_joined_keys_are_told_apart(keys: list[tuple[str, str]]) -> None:
    dataset = towns(key=["town", "note"])
    rows = pa.table(
        {
            "town": pa.array([key[0] for key in keys], pa.string()),
            "note": pa.array([key[1] for key in keys], pa.string()),
        }
    )
    assert len(set(row_identities(rows, dataset))) == len(keys)


@given(st.integers(0, 40), st.randoms(use_true_random=False))
def test_rows_without_a_key_keep_their_names_in_any_order(count: int, order: random.Random) -> None:
    """Twins included: which of them is which follows from their answers."""
    rows = wines(count + 1)
    shuffled = order.sample(rows, len(rows))

    def named(cells: Cells) -> set[tuple[str, int]]:
        table = checked(cells, WINE).rows
        return set(zip(row_identities(table, WINE), table["quality"].to_pylist(), strict=True))

    assert named(rows) == named(shuffled)
    assert len(named(rows)) == len(rows)


def test_a_name_does_not_depend_on_answers_or_writing() -> None:
    rows = wines(1)
    written = [{**rows[0], "alcohol": f"{float(rows[0]['alcohol']):.3f}", "quality": "9"}]
    assert row_identities(checked(rows, WINE).rows, WINE) == row_identities(checked(written, WINE).rows, WINE)


def test_different_rows_have_different_names() -> None:
    rows = [{**wines(1)[0], "alcohol": "9.5"}, {**wines(1)[0], "pH": "1.5"}, wines(1)[0]]
    names = row_identities(checked(rows, WINE).rows, WINE)
    assert len(set(names)) == 3
    assert all(name.endswith("-0") for name in names)


@pytest.mark.parametrize("column", ["land", "heat", "note"])
def test_empty_cells_are_part_of_a_name(column: str) -> None:
    dataset = towns(key=[], repeated_rows="keep")
    rows = readings(1)
    without = [{**rows[0], column: ""}]
    assert row_identities(checked(rows, dataset).rows, dataset) != row_identities(
        checked(without, dataset).rows, dataset
    )


def test_zero_has_no_sign() -> None:
    dataset = towns(key=[], repeated_rows="keep")
    first = readings(1)[0]
    names = row_identities(checked([{**first, "wind": "0"}, {**first, "wind": "-0.0"}], dataset).rows, dataset)
    assert names[0][:-2] == names[1][:-2]
    assert [name[-2:] for name in names] == ["-0", "-1"]
