"""The table of text against that of statsmodels, character by character."""

from __future__ import annotations

from datetime import datetime

import numpy as np
import pandas as pd
import pytest
from statsmodels.regression.linear_model import OLS

from analysis.model.factor import factors_of
from analysis.model.fitting import Results
from analysis.model.regression import regression
from analysis.model.residuals import ResidualMap, Residuals
from analysis.model.table import summary_text

RANDOM = np.random.Generator(np.random.PCG64(4))
SHORT, LONG = ("a", "b", "y"), ("a", "the second one, with a name of its own", "what is to be said of each row")


@pytest.mark.parametrize("names", [SHORT, LONG])
@pytest.mark.parametrize(("rows", "sizes"), [(9, 1.0), (400, (1e-6, 1e-3, 1e6)), (2000, (3e6, 30.0, 0.5))])
def test_it_is_that_of_statsmodels(names: tuple[str, ...], rows: int, sizes: object) -> None:
    values = RANDOM.normal(size=(rows, 3)) * np.array(sizes)
    fit = regression(factors_of([values])[0], names, [0, 1], frozenset())
    residuals = Residuals()
    residuals.add(ResidualMap.of([fit]).residuals(values)[1][:, 0])
    design = pd.DataFrame({"const": 1.0, names[0]: values[:, 0], names[1]: values[:, 1]})
    expected = str(OLS(pd.Series(values[:, 2], name=names[2]), design).fit().summary()).splitlines()
    found = summary_text(Results(fit, residuals), datetime.now().astimezone()).splitlines()
    # The time of day is that of writing.
    assert [line for line in found if not line.startswith("Time:")] == [
        line for line in expected if not line.startswith("Time:")
    ]
