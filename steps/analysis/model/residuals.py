"""What residuals say about a fit, from sums over batches: the pass after the factor's."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from analysis.model.artefact import Floats
from analysis.model.regression import Regression

_FEWEST_FOR_OMNIBUS = 8


@dataclass(frozen=True)
class ResidualMap:
    """What maps rows to the residuals of several regressions at once, which is linear.

    centres: shape (columns,), the target last. weights: shape (columns, regressions). offsets: shape (regressions,).
    """

    centres: Floats
    weights: Floats
    offsets: Floats

    @classmethod
    def of(cls, fits: Sequence[Regression]) -> ResidualMap:
        """Take regressions on the same columns, maybe of other rows each; the first one's centres are everybody's."""
        centres = fits[0].centres
        weights = np.zeros((len(centres), len(fits)))
        weights[-1] = 1.0
        for number, fit in enumerate(fits):
            weights[list(fit.positions), number] = -fit.slopes
        offsets = [(fit.centres - centres) @ weights[:, number] for number, fit in enumerate(fits)]
        return cls(centres, weights, np.array(offsets))

    def residuals(self, batch: Floats) -> tuple[Floats, Floats]:
        """Return rows less the centres, and their residuals: target - fitted, a column for each regression."""
        centred = batch - self.centres
        return centred, centred @ self.weights - self.offsets


@dataclass
class Residuals:
    """Sums of the residuals that were added, in the order of rows.

    powers: of the residuals' first to fourth power. absolute: of their absolute values. steps: of the squares of each
    one's difference from the one before.
    """

    rows: int = 0
    powers: Floats = field(default_factory=lambda: np.zeros(4))
    absolute: float = 0.0
    steps: float = 0.0
    _last: Floats = field(default_factory=lambda: np.empty(0))

    def add(self, residuals: Floats) -> None:
        """Add those of the next rows, of shape (m,)."""
        squares = residuals * residuals
        self.powers += [residuals.sum(), squares.sum(), (squares * residuals).sum(), (squares * squares).sum()]
        self.absolute += float(np.abs(residuals).sum())
        self.steps += float(np.square(np.diff(residuals, prepend=self._last)).sum())
        self._last, self.rows = residuals[-1:].copy(), self.rows + len(residuals)

    @property
    def mean_absolute(self) -> float:
        """Mean of the absolute residuals."""
        return self.absolute / self.rows

    @property
    def root_mean_square(self) -> float:
        """Root of the mean of the squared residuals."""
        return math.sqrt(self.powers[1] / self.rows)

    def figures(self) -> dict[str, float]:
        """Return tests of normality and of serial correlation; what is not defined is not finite.

        Omnibus: D'Agostino and Pearson's, of skew and kurtosis together (Biometrika 60, 1973), for at least 8 rows.
        """
        first, second, third, fourth = self.powers / self.rows
        variance = second - first**2
        with np.errstate(divide="ignore", invalid="ignore"):
            skew = (third - 3.0 * first * second + 2.0 * first**3) / variance**1.5
            kurtosis = (fourth - 4.0 * first * third + 6.0 * first**2 * second - 3.0 * first**4) / variance**2
            between = np.float64(self.steps) / self.powers[1]
        bera = self.rows / 6.0 * (skew**2 + (kurtosis - 3.0) ** 2 / 4.0)
        enough = self.rows >= _FEWEST_FOR_OMNIBUS
        both = _skew_score(skew, self.rows) ** 2 + _kurtosis_score(kurtosis, self.rows) ** 2 if enough else math.nan
        # Chi-squared with 2 degrees of freedom has this closed form.
        return {
            "omnibus": float(both),
            "omnibus_probability": float(np.exp(-both / 2.0)),
            "durbin_watson": float(between),
            "jarque_bera": float(bera),
            "jarque_bera_probability": float(np.exp(-bera / 2.0)),
            "skew": float(skew),
            "kurtosis": float(kurtosis),
        }


def _skew_score(skew: float, n: int) -> float:
    """Transform the skew of n normal values to a standard normal one (D'Agostino, Biometrika 57, 1970)."""
    size = skew * math.sqrt((n + 1.0) * (n + 3.0) / (6.0 * (n - 2.0)))
    numerator = 3.0 * (n**2 + 27.0 * n - 70.0) * (n + 1.0) * (n + 3.0)
    tails = numerator / ((n - 2.0) * (n + 5.0) * (n + 7.0) * (n + 9.0))
    square = math.sqrt(2.0 * (tails - 1.0)) - 1.0
    return float(np.arcsinh(size / math.sqrt(2.0 / (square - 1.0))) / math.sqrt(0.5 * math.log(square)))


def _kurtosis_score(kurtosis: float, n: int) -> float:
    """Transform the kurtosis of n normal values to a standard normal one (Anscombe, Glynn, Biometrika 70, 1983)."""
    variance = 24.0 * n * (n - 2.0) * (n - 3.0) / ((n + 1.0) ** 2 * (n + 3.0) * (n + 5.0))
    size = (kurtosis - 3.0 * (n - 1.0) / (n + 1.0)) / math.sqrt(variance)
    lean = 6.0 * (n**2 - 5.0 * n + 2.0) / ((n + 7.0) * (n + 9.0))
    lean *= math.sqrt(6.0 * (n + 3.0) * (n + 5.0) / (n * (n - 2.0) * (n - 3.0)))
    freedom = 6.0 + 8.0 / lean * (2.0 / lean + math.sqrt(1.0 + 4.0 / lean**2))
    base = 1.0 + size * math.sqrt(2.0 / (freedom - 4.0))
    with np.errstate(divide="ignore"):
        root = np.cbrt(np.divide(1.0 - 2.0 / freedom, base))
    return float((1.0 - 2.0 / (9.0 * freedom) - root) / math.sqrt(2.0 / (9.0 * freedom)))
