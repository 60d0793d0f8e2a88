"""The summary as the table of text that readers of statsmodels know, character by character."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import datetime
from itertools import zip_longest

from analysis.model.fitting import Results
from analysis.model.summary import coefficient_columns

_SINGULAR, _LARGE_CONDITION = 1e-10, 1000.0
_LARGE, _SMALL = 1e4, 1e-4

Pairs = list[tuple[str, str]]


def summary_text(results: Results, at: datetime) -> str:
    """Write the table of a regression that was fitted at a time; no line end after the last line."""
    fit, tests = results.regression, results.residuals.figures()
    statistic, probability = fit.f_test()
    above = [
        ("Dep. Variable:", fit.target),
        ("Model:", "OLS"),
        ("Method:", "Least Squares"),
        ("Date:", f"{at:%a, %d %b %Y}"),
        ("Time:", f"{at:%H:%M:%S}"),
        ("No. Observations:", f"{fit.rows:6d}"),
        ("Df Residuals:", f"{fit.df_residuals:6d}"),
        ("Df Model:", f"{fit.df_model:6d}"),
        ("Covariance Type:", "nonrobust"),
    ]
    beside = [
        ("R-squared:", f"{fit.r_squared:#8.3f}"),
        ("Adj. R-squared:", f"{fit.adjusted_r_squared:#8.3f}"),
        ("F-statistic:", f"{statistic:#8.4g}"),
        ("Prob (F-statistic):", f"{probability:#6.3g}"),
        ("Log-Likelihood:", f"{fit.log_likelihood:#8.5g}"),
        ("AIC:", f"{fit.aic:#8.4g}"),
        ("BIC:", f"{fit.bic:#8.4g}"),
    ]
    below = [
        ("Omnibus:", f"{tests['omnibus']:#6.3f}"),
        ("Prob(Omnibus):", f"{tests['omnibus_probability']:#6.3f}"),
        ("Skew:", f"{tests['skew']:#6.3f}"),
        ("Kurtosis:", f"{tests['kurtosis']:#6.3f}"),
    ]
    last = [
        ("Durbin-Watson:", f"{tests['durbin_watson']:#8.3f}"),
        ("Jarque-Bera (JB):", f"{tests['jarque_bera']:#8.3f}"),
        ("Prob(JB):", f"{tests['jarque_bera_probability']:#8.3g}"),
        ("Cond. No.", f"{fit.condition_number:#8.3g}"),
    ]
    top, bottom = _side_by_side(above, beside), _side_by_side(below, last)
    title = "OLS Regression Results".center(len(top[0]))
    lines = [title, "=" * len(top[0]), *top, *_coefficients(results), "=" * len(bottom[0]), *bottom]
    return "\n".join([*lines, "=" * len(bottom[0]), "", "Notes:", *_notes(results)])


def _side_by_side(left: Pairs, right: Pairs) -> list[str]:
    """Set two lists of names and values side by side, in four columns as wide as their longest cell."""
    rows = [(*one, f"  {other[0]:<19}", other[1]) for one, other in zip_longest(left, right, fillvalue=(" ", " "))]
    widths = [max(18, *map(len, column)) for column in zip(*rows, strict=True)]
    return [
        f"{one:<{widths[0]}} {value:>{widths[1]}} {two:<{widths[2]}} {other:>{widths[3]}}"
        for one, value, two, other in rows
    ]


def _coefficients(results: Results) -> list[str]:
    """Write the coefficients with their errors, tests and bounds."""
    found = coefficient_columns(results)
    columns = [
        [_number(value, 4, 10) for value in found["coefficient"]],
        [_number(value) for value in found["standard_error"]],
        [_number(value) for value in found["t"]],
        [f"{value:#6.3f}" for value in found["p"]],
        [f"{_number(value):>11}" for value in found["lower_95"]],
        [f"{_number(value):>11}" for value in found["upper_95"]],
    ]
    headed = zip(("coef", "std err", "t", "P>|t|", "[0.025", "0.975]"), columns, strict=True)
    names = ["", *results.regression.names]
    stub = max(10, *map(len, names))
    cells = [[head, *column] for head, column in headed]
    widths = [max(10, *map(len, column)) for column in cells]
    lines = [
        " ".join([f"{name:<{stub}}", *(f"{cell:>{width}}" for cell, width in zip(row, widths, strict=True))])
        for name, *row in zip(names, *cells, strict=True)
    ]
    return ["=" * len(lines[0]), lines[0], "-" * len(lines[0]), *lines[1:]]


def _number(value: float, digits: int = 3, width: int = 9) -> str:
    """Write a number with so many decimals, and one that is very large or small with as many digits."""
    form = "f" if _SMALL <= abs(value) < _LARGE or math.isnan(value) else "g"
    return f"{value:{width}.{digits}{form}}"


def _notes(results: Results) -> Sequence[str]:
    fit = results.regression
    notes = ["Standard Errors assume that the covariance matrix of the errors is correctly specified."]
    smallest = float(fit.singular_values[-1]) ** 2
    if smallest < _SINGULAR:
        notes.append(
            f"The smallest eigenvalue is {smallest:6.3g}. This might indicate that there are\n"
            "strong multicollinearity problems or that the design matrix is singular."
        )
    elif fit.condition_number > _LARGE_CONDITION:
        notes.append(
            f"The condition number is large, {fit.condition_number:6.3g}. This might indicate that there are\n"
            "strong multicollinearity or other numerical problems."
        )
    return [f"[{number}] {note}" for number, note in enumerate(notes, 1)]
