"""Columns of a file that carry nothing of their own, each with the reason why it is not used."""

from __future__ import annotations

from collections.abc import Collection
from itertools import combinations

import numpy as np
import pandas as pd

from analysis.reading.columns import COUNTS, DATE, IDENTIFIER, INPUTS, TARGET, TARGET_PARTS

REMOVED, NOT_AN_INPUT, KEPT = "removed", "not an input", "kept"
_COMPARED_ROWS = 16
"""Rows on which sums are compared first: enough to rule out nearly every pair of columns."""

Entry = dict[str, str]
Sums = dict[str, tuple[str, str]]


def removed_columns(
    cells: pd.DataFrame,
    days: pd.DataFrame,
    asked_for: Collection[str],
    thresholds: tuple[float, float] = (1.0 - 1e-12, 1.0),
    *,
    removes: bool = True,
) -> list[Entry]:
    """List the columns of the file that are not used, or could be left out, each with the reason.

    cells: the file as read; days: what is left, typed; asked_for: counts that the profile takes as inputs.
    thresholds: absolute correlation of repeated inputs, share of the commonest value of constant ones.
    removes: whether redundant inputs are kept from the model, or only reported.
    Entries are {"column", "action", "reason"}; action is "removed" (never reaches the model), "not an input" (the
    honest profile leaves it out) or "kept" (only reported).
    """
    sums = exact_sums(_numbers(cells, days))
    found = _unused(cells, days, sums) + _parts_of_the_target(days, asked_for, sums)
    # Two points always lie on a line, and one is always constant.
    if len(days) > 2:  # noqa: PLR2004
        action = REMOVED if removes else KEPT
        reasons = _redundant_inputs(days, sums, *thresholds)
        found += [_entry(name, action, reason) for name, reason in reasons.items()]
    return found


def _unused(cells: pd.DataFrame, days: pd.DataFrame, sums: Sums) -> list[Entry]:
    """List the columns that are not part of the table, and those that were dropped for their empty cells."""
    found = []
    for name in map(str, cells.columns):
        if name == IDENTIFIER:
            found.append(_entry(name, REMOVED, "identifier: numbers the rows and says nothing about the day"))
        elif name not in {DATE, *INPUTS, *COUNTS}:
            part = f"; it {_adds_up(sums[TARGET])}" if name in sums.get(TARGET, ()) else ""
            found.append(_entry(name, REMOVED, f"unknown: the published table has no such column{part}"))
        elif name not in days.columns:
            found.append(_entry(name, REMOVED, "has empty cells and is not needed for this purpose"))
    return found


def _parts_of_the_target(days: pd.DataFrame, asked_for: Collection[str], sums: Sums) -> list[Entry]:
    if TARGET not in days.columns:
        return []
    reason = f"part of the target: it is only known when {TARGET} is"
    if set(sums.get(TARGET, ())) == set(TARGET_PARTS):
        reason = _adds_up(TARGET_PARTS)
    present = [name for name in TARGET_PARTS if name in days.columns]
    return [_entry(name, KEPT if name in asked_for else NOT_AN_INPUT, reason) for name in present]


def _redundant_inputs(days: pd.DataFrame, sums: Sums, correlation: float, constant_share: float) -> dict[str, str]:
    """Map constant inputs, sums of others and repetitions to the reason; each input is named once, in that order."""
    inputs = [name for name in INPUTS if name in days.columns]
    shares = {name: days[name].value_counts(normalize=True).iloc[0] for name in inputs}
    found = {name: _why_constant(days[name]) for name in inputs if shares[name] >= constant_share}
    summed = [name for name in inputs if name in sums and name not in found]
    found |= {name: f"exact sum of others: {name} = {' + '.join(sums[name])}" for name in summed}
    return found | _repetitions(days[[name for name in inputs if name not in found]], correlation)


def exact_sums(numbers: pd.DataFrame) -> Sums:
    """Map columns that are the sum of two others in every row to the first such pair, whatever they are called.

    Constant columns take no part: anything plus nothing is itself. Fewer than three rows show nothing.
    """
    varying = [str(name) for name in numbers.columns if numbers[name].nunique() > 1]
    if len(numbers) <= 2:  # noqa: PLR2004
        return {}
    values = {name: numbers[name].to_numpy(dtype=np.float64) for name in varying}
    heads = {name: column[:_COMPARED_ROWS] for name, column in values.items()}
    by_head: dict[tuple[float, ...], list[str]] = {}
    for name, head in heads.items():
        by_head.setdefault(_rounded(head), []).append(name)
    found: Sums = {}
    for first, second in combinations(varying, 2):
        for name in by_head.get(_rounded(heads[first] + heads[second]), []):
            total = values[first] + values[second]
            if name not in {first, second, *found} and np.allclose(values[name], total, rtol=1e-12, atol=1e-9):
                found[name] = (first, second)
    return found


def _rounded(values: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> tuple[float, ...]:
    return tuple((np.round(values, 6) + 0.0).tolist())


def _numbers(cells: pd.DataFrame, days: pd.DataFrame) -> pd.DataFrame:
    """Return the typed columns, and the unknown ones that are all numbers."""
    columns = {str(name): days[name] for name in days.columns if name != DATE}
    for name in cells.columns:
        if name not in {DATE, IDENTIFIER, *INPUTS, *COUNTS}:
            numbers = pd.to_numeric(cells.loc[days.index, name], errors="coerce")
            if bool(np.isfinite(numbers.to_numpy(dtype=np.float64)).all()):
                columns[str(name)] = numbers
    return pd.DataFrame(columns, index=days.index)


def _adds_up(parts: tuple[str, str]) -> str:
    return f"adds up to the target: {TARGET} = {' + '.join(parts)}"


def _why_constant(values: pd.Series) -> str:
    counts = values.value_counts()
    who = "every day has" if len(counts) == 1 else f"{int(counts.iloc[0])} of {len(values)} days have"
    return f"constant: {who} {counts.index[0]}"


def _repetitions(inputs: pd.DataFrame, threshold: float) -> dict[str, str]:
    """Map the later of two perfectly correlated columns to the reason; a removed column takes no other with it."""
    correlations = inputs.corr().abs().to_numpy(dtype="float64")
    names = [str(name) for name in inputs.columns]
    found: dict[str, str] = {}
    for first, second in combinations(range(len(names)), 2):
        if correlations[first, second] >= threshold and names[first] not in found:
            found.setdefault(names[second], f"perfectly correlated with {names[first]}")
    return found


def _entry(column: str, action: str, reason: str) -> Entry:
    return {"column": column, "action": action, "reason": reason}
