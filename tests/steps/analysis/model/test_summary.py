"""The summary of a fit: the first one on all columns, and the final one."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm

from analysis.features.profiles import profile_of
from analysis.model.fitting import Fit, fit_linear_model
from analysis.model.rows import rows_of_frame
from analysis.model.summary import regression_summary
from pipeline.datasets.shipped import declared

WINE = declared("red_wine")
COLUMNS = [*WINE.inputs]


@pytest.fixture
def rows() -> tuple[pd.DataFrame, pd.Series]:
    random = np.random.Generator(np.random.PCG64(3))
    features = pd.DataFrame(random.uniform(0.0, 1.0, (150, len(COLUMNS))), columns=COLUMNS)
    target = features["alcohol"] - 2.0 * features["pH"] + random.normal(0.0, 0.1, 150)
    return features, target.rename("quality")


def fitted(rows: tuple[pd.DataFrame, pd.Series], count: int) -> Fit:
    return fit_linear_model(rows_of_frame(*rows), profile_of(WINE, "forecast"), count, {})


def test_the_first_fit_is_that_of_all_columns(rows) -> None:
    first = regression_summary(fitted(rows, 2))["first_fit"]
    features, target = rows
    scaled = (features - features.min()) / (features.max() - features.min())
    expected = sm.OLS(target, sm.add_constant(scaled)).fit()
    assert [entry["name"] for entry in first["coefficients"]] == ["const", *COLUMNS]
    assert first["figures"]["aic"] == pytest.approx(expected.aic, rel=1e-12)
    for entry in first["coefficients"]:
        assert entry["coefficient"] == pytest.approx(expected.params[entry["name"]], rel=1e-9, abs=1e-12)
        assert (entry["vif"] is None) == (entry["name"] == "const")


def test_there_is_none_where_nothing_was_eliminated(rows) -> None:
    assert regression_summary(fitted(rows, len(COLUMNS)))["first_fit"] is None


def test_there_is_none_where_the_rows_are_too_few_for_all_columns(rows) -> None:
    features, target = rows
    assert regression_summary(fitted((features[:12], target[:12]), 2))["first_fit"] is None
