"""The contenders of the benchmark do the same."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.training import batches, by_scikit_learn, by_statsmodels, by_this_project, write_rows


def test_the_contenders_fit_the_same_table(tmp_path, monkeypatch) -> None:
    path = tmp_path / "rows.f64"
    monkeypatch.setattr("benchmarks.training._ROWS_A_BATCH", 300)
    write_rows(path, 1000, 7)
    values = np.fromfile(path).reshape(1000, 8)
    np.testing.assert_array_equal(np.vstack([*batches(path, 7)]), values)
    found = by_this_project(path, 1000, 7)
    assert 0.1 < found < 1.0
    assert found == pytest.approx(by_statsmodels(values), rel=1e-9)
    assert found == pytest.approx(by_scikit_learn(values), rel=1e-9)
