"""Tables for projects whose public data cannot be had everywhere: seeded, with the same columns.

What a table means does not matter here, only that the programs which read it find its columns and kinds of values.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable

import numpy as np

_SEED = 2026
_ROWS = 1000
#: Below it about two rows of five lie.
_RISKY = 1.5


def _csv(rows: Iterable[Iterable[object]]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue().encode()


def abalone_batch() -> bytes:
    """Return rows for the abalone model of the samples, without a header: seven scaled measures, one of three sexes."""
    draw = np.random.default_rng(_SEED)
    measures = draw.normal(size=(_ROWS, 7)).round(6).tolist()
    sexes = np.eye(3, dtype=int)[draw.integers(3, size=_ROWS)].tolist()
    return _csv([*measure, *sex] for measure, sex in zip(measures, sexes, strict=True))


def german_credit() -> bytes:
    """Return a table with the columns of UCI's German credit data, as the samples name them."""
    draw = np.random.default_rng(_SEED)
    numbers = {
        "duration": (4, 72),
        "credit_amount": (250, 18424),
        "installment_rate": (1, 4),
        "present_residence_since": (1, 4),
        "age": (19, 75),
        "number_existing_credits": (1, 4),
        "number_liable_people": (1, 2),
    }
    levels = {
        "checking_account_status": 4,
        "credit_history": 5,
        "purpose": 10,
        "savings_account": 5,
        "employment_since": 5,
        "personal_status": 4,
        "other_debtors": 3,
        "property": 4,
        "other_installment_plans": 3,
        "housing": 3,
        "job": 4,
        "telephone": 2,
        "foreign_worker": 2,
    }
    rows: list[list[object]] = [[*numbers, *levels, "risk"]]
    for _ in range(_ROWS):
        values: list[object] = [draw.integers(low, high, endpoint=True) for low, high in numbers.values()]
        kinds = [draw.integers(count) for count in levels.values()]
        risky = kinds[0] + kinds[1] / 5 + draw.normal(0, 0.5) < _RISKY
        rows.append([*values, *(f"A{kind}" for kind in kinds), "high risk" if risky else "low risk"])
    return _csv(rows)


def breast_cancer() -> bytes:
    """Return UCI's breast cancer data as scikit-learn ships them: number, diagnosis, thirty measures, no header."""
    from sklearn.datasets import load_breast_cancer

    table = load_breast_cancer()
    return _csv(
        [842_000 + number, "MB"[int(target)], *measures]
        for number, (measures, target) in enumerate(zip(table.data.tolist(), table.target, strict=True))
    )
