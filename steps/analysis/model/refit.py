"""The same model on other rows, again and again: ordinary least squares on a triangular factor of the rows.

A QR factorisation leaves as many rows as there are columns, with the same coefficients, residual sum and elimination as
all rows have; what is repeated for each elimination and refit then no longer depends on the number of rows. Agrees with
analysis.model.fitting but for rounding, and knows nothing of summaries. Needs neither statsmodels nor scikit-learn,
which take longer to import than all of it takes.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy.special import stdtrit

from analysis.model.artefact import INTERVAL_LEVEL, Floats, LinearModel
from analysis.model.selection import (
    Procedure,
    excluded_columns,
    refuse_too_few,
    refuse_wrong_count,
    scaled_columns,
    training_ranges,
)

_DEPENDENT = 1e-12
"""Singular values below this share of the largest are those of dependent columns."""


def refit(features: pd.DataFrame, target: Floats, procedure: Procedure, level: float = INTERVAL_LEVEL) -> LinearModel:
    """Fit `target` (shape (n,)) on `features` (n rows, unscaled), with scaling and elimination learned on them.

    Raises TrainingError where no column or no degree of freedom is left.
    """
    scaled, bounds = scaled_columns(features, procedure)
    names = [str(name) for name in scaled.columns]
    refuse_wrong_count(procedure, len(names))
    excluded = excluded_columns(scaled, procedure)
    table = np.column_stack([np.ones(len(scaled)), scaled.to_numpy(dtype=np.float64), target])
    factor = np.linalg.qr(table, mode="r")
    candidates = [position for position, name in enumerate(names, 1) if name not in excluded]
    # Behind its first row and column, the factor is that of the centred columns.
    kept = _kept(factor[1:], candidates, len(candidates) if procedure.kept is None else procedure.kept)
    selected = [names[position - 1] for position in kept]
    refuse_too_few(len(target), selected)
    design = factor[:, [0, *kept]]
    inverse = np.linalg.pinv(design, rcond=_DEPENDENT)
    coefficients = inverse @ factor[:, -1]
    freedom = len(target) - int(np.linalg.matrix_rank(design, rtol=_DEPENDENT))
    variance = float(np.sum(np.square(factor[:, -1] - design @ coefficients))) / freedom
    return LinearModel(
        profile="",
        target="",
        input_columns=tuple(names),
        selected=tuple(selected),
        intercept=float(coefficients[0]),
        coefficients=tuple(map(float, coefficients[1:])),
        bounds={name: limit for name, limit in bounds.items() if name in selected},
        residual_variance=variance,
        residual_degrees_of_freedom=freedom,
        covariance=tuple(tuple(map(float, row)) for row in variance * (inverse @ inverse.T)),
        interval_level=level,
        t_quantile=float(stdtrit(freedom, (1 + level) / 2)),
        ranges=training_ranges(features),
        training={"rows": len(target)},
    )


def _kept(centred: Floats, candidates: list[int], count: int) -> list[int]:
    """Eliminate, one by one, the candidate with the smallest coefficient of least squares, until `count` are left.

    centred: the target is its last column; candidates: positions of the others. What scikit-learn's RFE does.
    """
    kept = list(candidates)
    while len(kept) > count:
        coefficients = np.linalg.lstsq(centred[:, kept], centred[:, -1], rcond=None)[0]
        del kept[int(np.argmin(np.square(coefficients)))]
    return kept
