"""The factor of a table in parts is that of the whole, whatever the parts."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.model import factor, threads
from analysis.model.artefact import Floats
from analysis.model.factor import Factor, factor_of, factors_of, merged


def table(seed: int, rows: int, columns: int = 4) -> Floats:
    random = np.random.Generator(np.random.PCG64(seed))
    return random.normal(size=(rows, columns)) * 10.0 ** random.integers(-3, 4, columns) + random.integers(-50, 50)


def squares(found: Factor) -> Floats:
    """Return [1, columns]' [1, columns], which does not depend on the signs of a triangle's rows."""
    whole = found.scaled(range(len(found.low)), np.zeros(len(found.low)), np.ones(len(found.low)))
    return whole.T @ whole


def same(found: Factor, values: Floats) -> None:
    design = np.column_stack([np.ones(len(values)), values])
    lengths = np.linalg.norm(design, axis=0)
    np.testing.assert_allclose(squares(found) / np.outer(lengths, lengths), _unit(design, lengths), atol=1e-13)
    assert found.rows == len(values)
    np.testing.assert_array_equal(found.low, values.min(axis=0))
    np.testing.assert_array_equal(found.high, values.max(axis=0))
    np.testing.assert_allclose(found.means, values.mean(axis=0), rtol=1e-12, atol=1e-12)


def _unit(design: Floats, lengths: Floats) -> Floats:
    scaled = design / lengths
    return scaled.T @ scaled


@given(seed=st.integers(0, 999), rows=st.integers(1, 90), batch=st.integers(1, 40), tile=st.integers(2, 20))
def test_batches_and_tiles_do_not_matter(seed: int, rows: int, batch: int, tile: int) -> None:
    values = table(seed, rows)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(factor, "_TILE", tile)
        patch.setattr(factor, "_MERGED_TOGETHER", 3)
        found = factors_of(values[start : start + batch] for start in range(0, rows, batch))
    assert list(found) == [0]
    same(found[0], values)


@given(seed=st.integers(0, 999), rows=st.integers(1, 90), batch=st.integers(1, 40), count=st.integers(1, 12))
def test_the_factors_of_parts_are_those_of_their_rows_and_merge_into_that_of_all(
    seed: int, rows: int, batch: int, count: int
) -> None:
    values = table(seed, rows)
    parts = np.random.Generator(np.random.PCG64(seed)).integers(0, count, rows).astype(np.int8)
    found = factors_of((values[start : start + batch] for start in range(0, rows, batch)), parts)
    assert list(found) == sorted(set(parts.tolist()))
    for part, one in found.items():
        same(one, values[parts == part])
    same(merged(found.values()), values)


def test_factors_with_other_shifts_merge_as_shards_do() -> None:
    """Each instance shifts by the mean of its own first rows."""
    values = table(1, 500) + 1e6 * np.arange(500)[:, None]
    shards = [factors_of([values[start : start + 100]])[0] for start in range(0, 500, 100)]
    assert len({float(shard.shift[0]) for shard in shards}) == len(shards)
    same(merged(shards), values)


def test_the_result_is_the_same_to_the_last_bit_on_any_number_of_cores(monkeypatch) -> None:
    values = table(2, 5000)
    batches = [values[start : start + 300] for start in range(0, 5000, 300)]
    found = []
    for cores in (1, 2, 7):
        monkeypatch.setattr(threads.os, "cpu_count", lambda cores=cores: cores)
        found.append(factors_of(batches)[0].triangle)
    np.testing.assert_array_equal(found[0], found[1])
    np.testing.assert_array_equal(found[0], found[2])


def test_a_column_that_is_large_beside_its_spread_keeps_its_digits() -> None:
    random = np.random.Generator(np.random.PCG64(3))
    spread = random.integers(-100, 100, (4000, 1)).astype(np.float64)
    found = factor_of(spread + 1e12, shift=np.array([1e12]))
    assert float(found.centred[0, 0] ** 2) == pytest.approx(4000 * float(spread.var()), rel=1e-12)
