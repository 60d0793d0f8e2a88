"""Which rows train the model and which test it."""

from __future__ import annotations

from analysis.runtime.errors import SettingsError


def split_rows(count: int, train_fraction: float, random_state: int) -> tuple[list[int], list[int]]:
    """Positions of training and test rows: scikit-learn's seeded split, so that published figures are reproduced."""
    # Imported here because a scoring run never splits, and it takes longer to import than all the rest.
    import numpy as np
    from sklearn.model_selection import train_test_split

    if not 0.0 < train_fraction < 1.0:
        raise SettingsError(f"--train-fraction {train_fraction} is not between 0 and 1.")
    # 1 - 0.7 is a little more than 0.3, and scikit-learn rounds the number of test rows up.
    test_fraction = round(1.0 - train_fraction, 12)
    train, test = train_test_split(
        np.arange(count), train_size=train_fraction, test_size=test_fraction, random_state=random_state
    )
    return [int(row) for row in train], [int(row) for row in test]
