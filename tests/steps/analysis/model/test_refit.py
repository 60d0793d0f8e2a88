"""Refits are the fit of the same rows."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.dataset.declaration import Repeated
from analysis.features.profiles import Profile, number_column
from analysis.model.fitting import fit_linear_model
from analysis.model.refit import refit
from analysis.model.rows import rows_of_frame
from analysis.model.selection import Procedure, procedure_of
from analysis.runtime.errors import TrainingError

COLUMNS = tuple(f"x{number}" for number in range(8))


def table(seed: int, rows: int) -> tuple[pd.DataFrame, pd.Series]:
    """Columns of very different size, one of them constant, one the sum of two others."""
    random = np.random.Generator(np.random.PCG64(seed))
    values = random.normal(size=(rows, len(COLUMNS))) * 10.0 ** random.integers(-2, 3, len(COLUMNS))
    values[:, 3] = 5.0
    values[:, 6] = values[:, 1] + values[:, 2]
    target = 40.0 + values @ random.normal(size=len(COLUMNS)) + random.normal(size=rows)
    return pd.DataFrame(values, columns=COLUMNS), pd.Series(target, name="y")


def profile(*, selects: bool) -> Profile:
    columns = tuple(map(number_column, COLUMNS))
    return Profile("any", columns, COLUMNS, ("x0", "x5"), selects, len(columns), frozenset(), Repeated.KEEP)


@settings(deadline=None, max_examples=40)
@given(seed=st.integers(0, 9999), rows=st.integers(12, 200), kept=st.integers(1, 8), selects=st.booleans())
def test_it_is_the_same_model_as_on_all_rows(seed: int, rows: int, kept: int, selects: bool) -> None:
    features, target = table(seed, rows)
    expected = fit_linear_model(rows_of_frame(features, target), profile(selects=selects), kept, {}).model
    procedure = procedure_of(profile(selects=selects), kept)
    found = refit(features, target.to_numpy(), procedure)
    assert not {"x3", "x6"} & set(found.selected)
    same = ("input_columns", "selected", "bounds", "ranges", "residual_degrees_of_freedom", "t_quantile")
    for name in same:
        assert getattr(found, name) == getattr(expected, name), name
    values = features.to_numpy()
    for one, other in zip(
        *(vars(model.predict(values, classical=True)).values() for model in (found, expected)), strict=True
    ):
        np.testing.assert_allclose(one, other, rtol=1e-9, atol=1e-9 * float(np.abs(target).max()))


def test_nothing_to_learn_from_is_said() -> None:
    features, target = table(1, 6)
    with pytest.raises(TrainingError, match="6 training rows can't determine 7 coefficients"):
        refit(features, target.to_numpy(), Procedure())
    with pytest.raises(TrainingError, match="outside 1 to 8"):
        refit(features, target.to_numpy(), Procedure(kept=9))
    with pytest.raises(TrainingError, match="No input column is left"):
        refit(features, target.to_numpy(), Procedure(kept=2, removed=dict.fromkeys(COLUMNS, "why not")))
