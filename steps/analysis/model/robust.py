"""Standard errors of the coefficients that hold where errors are neither independent nor equally large."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import IO

import numpy as np
from numpy.typing import NDArray

from analysis.model.artefact import Floats
from analysis.model.regression import Regression

_SORTED_TOGETHER = 1 << 23
"""Numbers that are sorted at a time: 64 MiB."""


def lags_of(rows: int) -> int:
    """Return up to how many rows apart errors count as correlated: floor(4 (n / 100)^(2/9)).

    Source: the rule of thumb for the Bartlett kernel of Newey and West, "Automatic lag selection in covariance matrix
    estimation", Review of Economic Studies 61 (1994).
    """
    return int(4.0 * (rows / 100.0) ** (2.0 / 9.0))


@dataclass
class Scores:
    """Sum of what rows say of the coefficients' covariance: their scores, residual times row of the design.

    Errors that are `lags` rows apart at most count as correlated, with the weights of the Bartlett kernel. As these are
    the number of windows of lags + 1 rows that hold both rows, by lags + 1, the sum is that of the squares of windows'
    sums: as much work for many lags as for none.
    """

    lags: int
    columns: int
    meat: Floats = field(init=False)
    _before: Floats = field(init=False)

    def __post_init__(self) -> None:
        self.meat = np.zeros((self.columns, self.columns))
        self._before = np.zeros((self.lags, self.columns))

    def add(self, scores: Floats) -> None:
        """Add those of the next rows, of shape (m, columns)."""
        if self.lags:
            known = np.vstack([self._before, scores])
            sums = np.vstack([np.zeros(self.columns), np.cumsum(known, axis=0)])
            self._before = known[-self.lags :]
            scores = sums[self.lags + 1 :] - sums[: -self.lags - 1]
        self.meat += scores.T @ scores

    def total(self) -> Floats:
        """Return the sum, when all rows were added, divided so that it counts each row once."""
        self.add(np.zeros((self.lags, self.columns)))
        return self.meat / (self.lags + 1)


class RobustErrors:
    """Robust standard errors of a regression: add its rows with their residuals, then ask for them."""

    def __init__(self, regression: Regression, ranks: NDArray[np.intp] | None, scratch: IO[bytes]) -> None:
        """Take the places of the rows in the order of time, None for rows without a time, and a file to sort in.

        With a time these are HAC errors (heteroscedasticity and autocorrelation consistent; Newey and West,
        Econometrica 55, 1987). A random split leaves gaps, so a lag is one to the next training row, at least a moment.
        Without one they are those for lag 0: White's errors (HC1), which hold where errors are not equally large. Rows
        that come in another order than that of time go to the file, sorted into ranges that memory holds.
        """
        self.lags = 0 if ranks is None else lags_of(regression.rows)
        self._regression, self._ranks, self._scratch = regression, ranks, scratch
        self._columns = len(regression.names)
        self._scores = Scores(self.lags, self._columns)
        self._start = 0
        self._sorted = ranks is None or bool((np.diff(ranks) > 0).all())
        self._range = max(1, _SORTED_TOGETHER // (self._columns + 1))
        self._places: dict[int, list[tuple[int, int]]] = {}

    def scores(self, centred: Floats, residuals: Floats) -> Floats:
        """Return the scores of rows, by columns less their means, which is what `residuals` of a map returns."""
        columns = centred[:, self._regression.positions] * residuals[:, None]
        return np.column_stack([residuals, columns])

    def add(self, scores: Floats) -> None:
        """Add the scores of the next rows."""
        if self._ranks is None or self._sorted:
            self._scores.add(scores)
            return
        ranks = self._ranks[self._start : self._start + len(scores)]
        self._start += len(scores)
        order = np.argsort(ranks)
        known = np.column_stack([ranks, scores])[order]
        first, last = int(ranks.min()) // self._range, int(ranks.max()) // self._range
        ends = np.searchsorted(ranks[order], np.arange(first + 1, last + 1) * self._range)
        for number, part in enumerate(np.split(known, ends), first):
            self._places.setdefault(number, []).append((self._scratch.tell(), part.nbytes))
            self._scratch.write(part.tobytes())

    def standard_errors(self) -> Floats:
        """Return the standard error of each coefficient, the constant's first; ask once, when all rows were added."""
        for number in sorted(self._places):
            parts = b"".join(self._read(*place) for place in self._places[number])
            known = np.frombuffer(parts, dtype=np.float64).reshape(-1, self._columns + 1)
            self._scores.add(known[np.argsort(known[:, 0]), 1:])
        fit = self._regression
        bread = fit.errors_factor.copy()
        bread[1:, 1:] /= fit.width[:, None]
        bread[0, 1:] = 0.0
        # With the factor n / (n - k) for small samples.
        meat = fit.rows / fit.df_residuals * (bread.T @ self._scores.total() @ bread)
        # Rounding can leave a tiny negative number where the true variance is 0 (an exact fit).
        found: Floats = np.sqrt(np.maximum(np.diag(fit.errors_factor @ meat @ fit.errors_factor.T), 0.0))
        return found

    def _read(self, place: int, size: int) -> bytes:
        self._scratch.seek(place)
        return self._scratch.read(size)


def ranks_of(times: NDArray[np.generic]) -> NDArray[np.intp]:
    """Return each row's place in the order of time; rows of one moment keep their order."""
    ranks = np.empty(len(times), dtype=np.intp)
    ranks[np.argsort(times, kind="stable")] = np.arange(len(times))
    return ranks
