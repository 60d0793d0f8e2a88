"""Least squares from a factor of the rows alone: coefficients, errors, tests, criteria, inflation and elimination.

Everything is computed from the factor of the centred columns, each divided by its length, and turned to the columns as
the model scales them at the end. What rounding leaves is then eps times the condition number of standardised columns,
whatever their units.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from analysis.model.artefact import CONSTANT, INTERVAL_LEVEL, Floats
from analysis.model.distributions import t_quantile
from analysis.model.factor import Factor

DEPENDENT = 1e-12
"""A column that is no further from a combination of others than this share of its length is one, but for rounding."""
_PART = 1e-6
_NAMED = 5


@dataclass(frozen=True)
class Regression:
    """An ordinary least squares fit with a constant; arrays of the coefficients begin with the constant's.

    columns: of the regressors, without the constant. low, width: how they were scaled, (column - low) / width.
    errors_factor: A with A A' = inverse of Z'Z, for the scaled design Z. singular_values: of Z, descending.
    inflation: variance inflation factor of each regressor. residual_squares, total_squares: sum of squared residuals,
    and of the target around its mean. positions, slopes: of the regressors as they are; centres: means of all columns.
    """

    target: str
    columns: tuple[str, ...]
    rows: int
    width: Floats
    coefficients: Floats
    errors_factor: Floats
    singular_values: Floats
    inflation: Floats
    residual_squares: float
    total_squares: float
    positions: tuple[int, ...]
    centres: Floats
    slopes: Floats

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the coefficients."""
        return (CONSTANT, *self.columns)

    @property
    def df_model(self) -> int:
        """Coefficients beside the constant."""
        return len(self.columns)

    @property
    def df_residuals(self) -> int:
        """Rows less coefficients."""
        return self.rows - len(self.columns) - 1

    @property
    def residual_variance(self) -> float:
        """Sum of squared residuals by their degrees of freedom."""
        return self.residual_squares / self.df_residuals

    @property
    def covariance(self) -> Floats:
        """Of the coefficients, if errors are independent and equally large."""
        found: Floats = self.residual_variance * (self.errors_factor @ self.errors_factor.T)
        return found

    @property
    def standard_errors(self) -> Floats:
        """Square roots of the covariance's diagonal."""
        found: Floats = math.sqrt(self.residual_variance) * np.linalg.norm(self.errors_factor, axis=1)
        return found

    @property
    def r_squared(self) -> float:
        """Share of the target's squares around its mean that the fit explains."""
        return 1.0 - self.residual_squares / self.total_squares

    @property
    def adjusted_r_squared(self) -> float:
        """The same of variances."""
        return 1.0 - (self.rows - 1) / self.df_residuals * (1.0 - self.r_squared)

    @property
    def model_mean_square(self) -> float:
        """What the regressors explain, by their number."""
        return (self.total_squares - self.residual_squares) / self.df_model

    @property
    def log_likelihood(self) -> float:
        """Of normal errors, with their variance by maximum likelihood."""
        with np.errstate(divide="ignore"):
            size = float(np.log(self.residual_squares / self.rows))
        return -self.rows / 2.0 * (math.log(2.0 * math.pi) + size + 1.0)

    @property
    def aic(self) -> float:
        """Akaike's criterion."""
        return 2.0 * len(self.names) - 2.0 * self.log_likelihood

    @property
    def bic(self) -> float:
        """Schwarz's criterion."""
        return math.log(self.rows) * len(self.names) - 2.0 * self.log_likelihood

    @property
    def condition_number(self) -> float:
        """Largest by smallest singular value of the scaled design."""
        return float(self.singular_values[0] / self.singular_values[-1])

    def p_values(self, t: Floats) -> Floats:
        """Return how probable a t at least so far from 0 is, by Student's distribution."""
        from scipy.special import stdtr

        found: Floats = 2.0 * stdtr(self.df_residuals, -np.abs(t))
        return found

    def f_test(self) -> tuple[float, float]:
        """Return the F statistic of all regressors together, and how probable one at least so large is."""
        from scipy.special import fdtrc

        with np.errstate(divide="ignore"):
            statistic = float(np.divide(self.model_mean_square, self.residual_variance))
        return statistic, float(fdtrc(self.df_model, self.df_residuals, statistic))

    def t_quantile(self, level: float = INTERVAL_LEVEL) -> float:
        """Return the quantile of Student's distribution at (1 + level) / 2."""
        return t_quantile((1.0 + level) / 2.0, self.df_residuals)


def regression(
    factor: Factor, names: Sequence[str], positions: Sequence[int], scaled: frozenset[str] | set[str]
) -> Regression:
    """Regress the last column of `factor` on those at `positions`, none of which others determine.

    names: of all columns, the target last; scaled: those of them that are min-max scaled.
    """
    chosen, count = list(positions), len(positions)
    low, width = scaling(factor, names, chosen, scaled)
    upper, right, lengths = _triangle(factor, chosen)
    slopes = np.linalg.solve(upper, right[:count]) / lengths
    inverse = np.linalg.inv(upper)
    # Of the columns as the model scales them: each row of the inverse is by the length of its column.
    errors = inverse * (width / lengths)[:, None]
    means = factor.means[[*chosen, -1]]
    middle = (means[:-1] - low) / width
    whole = np.zeros((count + 1, count + 1))
    whole[0, 0], whole[0, 1:], whole[1:, 1:] = 1.0 / math.sqrt(factor.rows), -middle @ errors, errors
    coefficients = slopes * width
    return Regression(
        target=names[-1],
        columns=tuple(names[position] for position in chosen),
        rows=factor.rows,
        width=width,
        coefficients=np.concatenate([[means[-1] - middle @ coefficients], coefficients]),
        errors_factor=whole,
        singular_values=np.linalg.svd(factor.scaled(chosen, low, width), compute_uv=False),
        inflation=np.square(inverse).sum(axis=1),
        residual_squares=float(np.square(right[count:]).sum()),
        total_squares=float(np.square(factor.centred[:, -1]).sum()),
        positions=tuple(chosen),
        centres=factor.means,
        slopes=slopes,
    )


def scaling(
    factor: Factor, names: Sequence[str], positions: Sequence[int], scaled: frozenset[str] | set[str]
) -> tuple[Floats, Floats]:
    """Return what columns are lowered by and then divided by: 0 and 1 for those that stay as they are."""
    chosen = list(positions)
    is_scaled = np.array([names[position] in scaled for position in chosen], dtype=np.bool_)
    low, width = factor.low[chosen], factor.high[chosen] - factor.low[chosen]
    return np.where(is_scaled, low, 0.0), np.where(is_scaled & (width > 0.0), width, 1.0)


def _triangle(factor: Factor, positions: list[int]) -> tuple[Floats, Floats, Floats]:
    """Factorise centred columns of length 1: their triangle, the target's column beside it, and their lengths."""
    columns = factor.centred[:, positions]
    lengths = np.linalg.norm(columns, axis=0)
    triangle = np.linalg.qr(np.column_stack([columns / lengths, factor.centred[:, -1]]), mode="r")
    return triangle[: len(positions), :-1], triangle[:, -1], lengths


def eliminated(factor: Factor, candidates: Sequence[int], width: Floats, count: int) -> list[int]:
    """Return candidates in the order in which they go until `count` are left: always the smallest coefficient's.

    width: of each candidate, as the coefficient is of (column - low) / width. It is recursive feature elimination by
    one column at a time (Guyon, Weston, Barnhill, Vapnik, Machine Learning 46, 2002).
    """
    left, widths, gone = list(candidates), list(width), []
    while len(left) > count:
        upper, right, lengths = _triangle(factor, left)
        coefficients = np.linalg.solve(upper, right[: len(left)]) * (np.array(widths) / lengths)
        weakest = int(np.argmin(np.square(coefficients)))
        gone.append(left.pop(weakest))
        del widths[weakest]
    return gone


def determined(factor: Factor, names: Sequence[str], positions: Sequence[int]) -> dict[str, str]:
    """Name the columns that those before them, and the constant, determine: column → how, in words.

    A column counts as determined where all but DEPENDENT of it (as it is, not around its mean) is a combination of the
    columns before it that are not determined themselves.
    """
    raw = np.linalg.norm(factor.scaled(range(len(factor.low)), np.zeros(1), np.ones(1))[:, 1:], axis=0)
    kept: list[int] = []
    basis = np.empty((len(factor.centred), 0))
    found = {}
    for position in positions:
        column = factor.centred[:, position]
        # Twice is enough: what the first projection leaves of the others is rounding of the size that is looked for.
        rest = column - basis @ (basis.T @ column)
        rest = rest - basis @ (basis.T @ rest)
        distance = float(np.linalg.norm(rest))
        if distance > DEPENDENT * raw[position]:
            kept.append(position)
            basis = np.column_stack([basis, rest / distance])
        else:
            found[names[position]] = _how(factor, names, kept, position)
    return found


def _how(factor: Factor, names: Sequence[str], kept: list[int], position: int) -> str:
    """Say which columns determine the one at `position`, in words."""
    column, others = factor.centred[:, position], factor.centred[:, kept]
    length = float(np.linalg.norm(column))
    if length == 0.0 or not kept:
        return "it never changes in the training rows, but for rounding"
    shares = np.linalg.lstsq(others, column, rcond=None)[0]
    parts = np.flatnonzero(np.abs(shares) * np.linalg.norm(others, axis=0) > _PART * length)
    if not parts.size:
        return "it never changes in the training rows, but for rounding"
    named = [names[kept[part]] for part in parts]
    other = kept[parts[0]]
    same = bool(np.isclose(shares[parts[0]], 1.0, rtol=_PART)) and factor.low[other] == factor.low[position]
    if len(named) == 1 and same and factor.high[other] == factor.high[position]:
        return f"it repeats {named[0]}"
    more = f" and {len(named) - _NAMED} more" if len(named) > _NAMED else ""
    return f"it is determined by {', '.join(named[:_NAMED])}{more}"
