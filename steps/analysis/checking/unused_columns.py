"""Columns of a file that carry nothing of their own, each with the reason why it is not used."""

from __future__ import annotations

from collections.abc import Collection
from itertools import combinations

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from analysis.checking.limits import QualityLimits
from analysis.dataset.columns import Kind
from analysis.dataset.declaration import Dataset

REMOVED, NOT_AN_INPUT, KEPT = "removed", "not an input", "kept"
_COMPARED_ROWS = 16
"""Rows on which sums are compared first: enough to rule out nearly every pair of columns."""
_SAME = 1e-12
"""Difference that rounding makes, relative to the largest number of a column."""
_FEWEST_ROWS = 3
"""Two points always lie on a line, and one is always constant."""

Entry = dict[str, str]
Sums = dict[str, tuple[str, str]]
Numbers = dict[str, npt.NDArray[np.float64]]


def unused_columns(
    rows: pa.Table,
    header: Collection[str],
    unknown: pa.Table,
    dataset: Dataset,
    limits: QualityLimits,
    *,
    required: Collection[str],
    removes: bool = True,
) -> list[Entry]:
    """List the columns of the file that are not used, or could be left out, each with the reason.

    rows: what is left of the file, typed. header: the columns of the file. unknown: those that are not declared but
    hold nothing but numbers, for the same rows. required: answers that the profile takes as inputs, and the target.
    removes: whether redundant inputs are kept from the model, or only reported.
    Entries are {"column", "action", "reason"}; action is "removed" (never reaches the model), "not an input" (known
    only when the target is, or declared so) or "kept" (only reported).
    """
    numbers = _complete({**_numbers(rows, dataset), **{name: _floats(unknown[name]) for name in unknown.column_names}})
    sums = exact_sums(numbers)
    found = [entry for name in header if (entry := _unused(name, dataset, sums)) is not None]
    found += _parts_of_the_target(rows, dataset, required, sums)
    if len(rows) >= _FEWEST_ROWS:
        action = REMOVED if removes else KEPT
        reasons = _redundant_inputs(rows, dataset, numbers, sums, limits)
        found += [_entry(name, action, reason) for name, reason in reasons.items()]
    return found


def exact_sums(numbers: Numbers) -> Sums:
    """Map columns that are the sum of two others in every row to the first such pair, whatever they are called.

    Constant columns take no part: anything plus nothing is itself. Fewer than three rows show nothing.
    """
    values = {name: column for name, column in numbers.items() if len(column) and column.min() != column.max()}
    if any(len(column) < _FEWEST_ROWS for column in values.values()):
        return {}
    heads = {name: column[:_COMPARED_ROWS] for name, column in values.items()}
    by_head: dict[tuple[float, ...], list[str]] = {}
    for name, head in heads.items():
        by_head.setdefault(_rounded(head), []).append(name)
    found: Sums = {}
    with np.errstate(over="ignore", invalid="ignore"):
        for first, second in combinations(values, 2):
            for name in by_head.get(_rounded(heads[first] + heads[second]), []):
                total = values[first] + values[second]
                apart = np.abs(values[name] - total).max()
                new = name not in {first, second, *found}
                if new and np.isfinite(apart) and apart <= _SAME * np.abs(total).max():
                    found[name] = (first, second)
    return found


def _rounded(values: npt.NDArray[np.float64]) -> tuple[float, ...]:
    """Return numbers relative to the largest, so that the unit of a column does not matter."""
    largest = np.abs(values).max()
    return tuple((np.round(values / (largest or 1.0), 9) + 0.0).tolist())


def _numbers(rows: pa.Table, dataset: Dataset) -> Numbers:
    """Return the inputs and answers of the table as numbers, levels that are words by their place."""
    numbers = {}
    for name in (*dataset.inputs, *dataset.answers):
        if name in rows.column_names:
            column = dataset.columns[name]
            values = rows[name]
            if column.kind is Kind.CATEGORY and not column.has_whole_levels:
                values = pc.index_in(values, value_set=pa.array([*column.levels], pa.string()))
            numbers[name] = _floats(values)
    return numbers


def _floats(values: pa.ChunkedArray) -> npt.NDArray[np.float64]:
    floats: npt.NDArray[np.float64] = pc.cast(values, pa.float64()).to_numpy()
    return floats


def _complete(numbers: Numbers) -> Numbers:
    """Return the columns of which at least half is known, for the rows where all of them are."""
    known = {name: ~np.isnan(values) for name, values in numbers.items()}
    chosen = [name for name, mask in known.items() if mask.mean() >= 0.5]  # noqa: PLR2004 - half of them
    complete = np.logical_and.reduce([known[name] for name in chosen]) if chosen else np.zeros(0, dtype=np.bool_)
    return {name: numbers[name][complete] for name in chosen}


def _unused(name: str, dataset: Dataset, sums: Sums) -> Entry | None:
    """Say why a column is nothing to learn from, whatever it holds."""
    column = dataset.columns.get(name)
    if column is None:
        part = f"; it {_adds_up(dataset, sums)}" if name in sums.get(dataset.target, ()) else ""
        return _entry(name, REMOVED, f"unknown: the declared table has no such column{part}")
    if column.kind is Kind.IDENTIFIER:
        return _entry(name, REMOVED, f"identifier: names the {dataset.words.row.one} and says nothing about it")
    if column.kind is Kind.TEXT:
        return _entry(name, REMOVED, "text: nothing is learned from free text")
    if column.never_input:
        return _entry(name, NOT_AN_INPUT, column.never_input)
    return None


def _parts_of_the_target(rows: pa.Table, dataset: Dataset, required: Collection[str], sums: Sums) -> list[Entry]:
    if dataset.target not in rows.column_names:
        return []
    reason = f"part of the target: it is only known when {dataset.target} is"
    if set(sums.get(dataset.target, ())) == set(dataset.parts):
        reason = f"adds up to the target: {dataset.target} = {' + '.join(dataset.parts)}"
    present = [name for name in dataset.parts if name in rows.column_names]
    return [_entry(name, KEPT if name in required else NOT_AN_INPUT, reason) for name in present]


def _redundant_inputs(
    rows: pa.Table, dataset: Dataset, numbers: Numbers, sums: Sums, limits: QualityLimits
) -> dict[str, str]:
    """Map constant inputs, sums of others and repetitions to the reason; each input is named once, in that order."""
    inputs = [name for name in dataset.inputs if name in rows.column_names]
    found: dict[str, str] = {}
    for name in inputs:
        reason = _why_constant(rows[name], dataset, limits.constant_share)
        if reason:
            found[name] = reason
    summed = [name for name in inputs if name in sums and name not in found]
    found |= {name: f"exact sum of others: {name} = {' + '.join(sums[name])}" for name in summed}
    others = {name: numbers[name] for name in inputs if name in numbers and name not in found}
    return found | _repetitions(others, limits.correlation)


def _adds_up(dataset: Dataset, sums: Sums) -> str:
    return f"adds up to the target: {dataset.target} = {' + '.join(sums[dataset.target])}"


def _why_constant(values: pa.ChunkedArray, dataset: Dataset, constant_share: float) -> str:
    ends = pc.min_max(values).as_py()
    if constant_share >= 1.0 and ends["min"] != ends["max"]:
        return ""  # at once, as counting takes long
    counts = pc.value_counts(values.drop_null().combine_chunks())
    if not len(counts):
        return "constant: it has no value"
    commonest = pc.max(counts.field("counts")).as_py()
    if commonest < constant_share * len(values):
        return ""
    value = counts.field("values")[pc.index(counts.field("counts"), commonest).as_py()].as_py()
    words = dataset.words.row
    who = f"every {words.one} has" if commonest == len(values) else f"{commonest} of {len(values)} {words.many} have"
    return f"constant: {who} {value}"


def _repetitions(inputs: Numbers, threshold: float) -> dict[str, str]:
    """Map the later of two perfectly correlated columns to the reason; a removed column takes no other with it."""
    names = [name for name, values in inputs.items() if len(values) >= _FEWEST_ROWS and values.min() != values.max()]
    if len(names) < 2:  # noqa: PLR2004 - a pair
        return {}
    # Divided by the largest, because squares of large numbers are beyond a double.
    small = [inputs[name] / np.abs(inputs[name]).max() for name in names]
    with np.errstate(all="ignore"):
        correlations = np.abs(np.corrcoef(np.stack(small)))
    found: dict[str, str] = {}
    for first, second in combinations(range(len(names)), 2):
        if correlations[first, second] >= threshold and names[first] not in found:
            found.setdefault(names[second], f"perfectly correlated with {names[first]}")
    return found


def _entry(column: str, action: str, reason: str) -> Entry:
    return {"column": column, "action": action, "reason": reason}
