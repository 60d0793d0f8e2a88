"""Columns of a file that carry nothing of their own, each with the reason why it is not used."""

from __future__ import annotations

from collections.abc import Collection

import pandas as pd

from analysis.columns import COUNTS, DATE, IDENTIFIER, INPUTS, TARGET, TARGET_PARTS

_PERFECT = 1.0 - 1e-12


def removed_columns(cells: pd.DataFrame, days: pd.DataFrame, asked_for: Collection[str]) -> list[dict[str, str]]:
    """Say for each unused column of the file why, and name the used ones that repeat another or never change.

    cells: the file as read; days: what is left, typed; asked_for: counts that the profile takes as inputs.
    Entries are {"column", "action", "reason"}; action is "removed" (never reaches a model), "not an input" (the honest
    profile leaves it out) or "kept" (only reported: the columns of a model come from the schema, so a constant one
    stays and gets no weight).
    """
    found: list[dict[str, str]] = []
    for name in cells.columns:
        if name == IDENTIFIER:
            found.append(_entry(name, "removed", "identifier: numbers the rows and says nothing about the day"))
        elif name not in {DATE, *INPUTS, *COUNTS}:
            found.append(_entry(name, "removed", "unknown: the published table has no such column"))
        elif name not in days.columns:
            found.append(_entry(name, "removed", "has empty cells and is not needed for this purpose"))
    found.extend(
        _entry(
            name,
            "kept" if name in asked_for else "not an input",
            f"adds up to the target: {TARGET} = {' + '.join(TARGET_PARTS)}",
        )
        for name in TARGET_PARTS
        if name in days.columns and TARGET in days.columns
    )
    inputs = [name for name in INPUTS if name in days.columns]
    constant = [name for name in inputs if len(days) > 1 and days[name].nunique() == 1]
    found.extend(_entry(name, "kept", f"constant: every day has {days[name].iloc[0]}") for name in constant)
    varying = [name for name in inputs if name not in constant]
    if len(days) > 2:  # noqa: PLR2004 (two points always lie on a line)
        found.extend(_perfectly_correlated(days[varying]))
    return found


def _perfectly_correlated(inputs: pd.DataFrame) -> list[dict[str, str]]:
    correlations = inputs.corr().abs().to_numpy(dtype="float64")
    names = [str(name) for name in inputs.columns]
    return [
        _entry(names[second], "kept", f"perfectly correlated with {names[first]}")
        for first in range(len(names))
        for second in range(first + 1, len(names))
        if correlations[first, second] >= _PERFECT
    ]


def _entry(column: str, action: str, reason: str) -> dict[str, str]:
    return {"column": column, "action": action, "reason": reason}
