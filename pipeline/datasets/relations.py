"""What columns have to do with each other: keys, repeated rows, copies, exact sums, and what follows from what."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, permutations

import numpy as np
from numpy.typing import NDArray

from pipeline.datasets.cells import Cells

_SAMPLE = 1000
_SMALL = 4
_FEWEST_ROWS = 10
_TOLERANCE = 1e-9
_SHARE = 1e-7
"""Of the target's spread: what adds less to it has no part in it."""
_PAIRS_AMONG, _TRIPLES_AMONG = 150, 30
_KEYS_AMONG, _KEY_COLUMNS = 12, 3

Numbers = Mapping[str, NDArray[np.float64]]


@dataclass(frozen=True)
class Copy:
    """One column is an exact straight line of another, as a copy or another unit is."""

    column: str
    of: str
    factor: float
    offset: float

    @property
    def formula(self) -> str:
        """How it is computed."""
        factor = "" if self.factor == 1 else f"{self.factor:.6g} * "
        return f"{factor}{self.of}" + (
            f" {'+' if self.offset > 0 else '-'} {abs(self.offset):.6g}" if self.offset else ""
        )


def distinct(columns: Sequence[Cells], rows: NDArray[np.int64] | None = None) -> NDArray[np.int64]:
    """Return row → number of its combination of cells; combinations are numbered from 0."""
    found: NDArray[np.int64] = np.zeros(len(columns[0].codes) if rows is None else len(rows), dtype=np.int64)
    for cells in columns:
        codes = cells.codes if rows is None else cells.codes[rows]
        found = _ranks(found * len(cells.texts) + codes)
    return found


def _ranks(numbers: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return each number's position among the distinct ones; small numbers need not be sorted."""
    if len(numbers) and int(numbers.max()) <= _SMALL * len(numbers):
        present = np.bincount(numbers) > 0
        return (np.cumsum(present) - 1)[numbers]
    _, ranks = np.unique(numbers, return_inverse=True)
    return ranks


def first_rows(columns: Sequence[Cells]) -> NDArray[np.int64]:
    """Return the rows that equal no earlier one."""
    _, first = np.unique(distinct(columns), return_index=True)
    return np.sort(first)


def keys(candidates: Sequence[Cells], rows: NDArray[np.int64]) -> list[tuple[str, ...]]:
    """Return the smallest sets of columns by which all these rows differ, the first columns first."""
    candidates = candidates[:_KEYS_AMONG]
    for size in range(1, _KEY_COLUMNS + 1):
        found = [
            tuple(cells.name for cells in chosen)
            for chosen in combinations(candidates, size)
            if np.prod([float(len(cells.texts)) for cells in chosen]) >= len(rows)
            and all(distinct(chosen, part).max() + 1 == len(part) for part in (rows[:_SAMPLE], rows))
        ]
        if found:
            return found
    return []


def copies(numbers: Numbers) -> Iterator[Copy]:
    """Yield the columns that repeat an earlier one exactly, in its unit or in another; constant ones left out."""
    repeated: set[str] = set()
    for earlier, later in combinations(numbers, 2):
        if earlier in repeated or later in repeated:
            continue
        x, y = _complete(numbers[earlier], numbers[later])
        if len(x) >= _FEWEST_ROWS and (line := _line(x, y)) is not None:
            repeated.add(later)
            yield Copy(later, earlier, *line)


def _line(x: NDArray[np.float64], y: NDArray[np.float64]) -> tuple[float, float] | None:
    """Return factor and offset of the exact straight line of y over x, if there is one; a sample is tried first."""
    low, high = int(x.argmin()), int(x.argmax())
    if x[low] == x[high] or y[low] == y[high]:
        return None
    factor = float((y[high] - y[low]) / (x[high] - x[low]))
    offset = float(y[low] - factor * x[low])
    allowed = _TOLERANCE * float(abs(y).max())
    for part in (slice(None, None, max(1, len(x) // _SAMPLE)), slice(None)):
        if not np.all(abs(factor * x[part] + offset - y[part]) <= allowed):
            return None
    factor, offset = (float(f"{value:.12g}") for value in (factor, offset))
    return factor, 0.0 if abs(offset) <= allowed else offset


def sums(numbers: Numbers) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yield total and addends of exact sums of two or three columns, in every row that has them all."""
    names = list(numbers)
    if not names:
        return
    rows = np.flatnonzero(~np.isnan(np.array(list(numbers.values()))).any(axis=0))[:_SAMPLE]
    if len(rows) < _FEWEST_ROWS:
        return
    sample = np.array([numbers[name][rows] for name in names])
    found: set[str] = set()
    for size, most in ((2, _PAIRS_AMONG), (3, _TRIPLES_AMONG)):
        for chosen in combinations(range(len(names)), size) if len(names) <= most else ():
            added = sample[list(chosen), 0].sum()
            near = np.flatnonzero(abs(sample[:, 0] - added) <= _TOLERANCE * (1 + abs(added)))
            for total in near:
                addends = tuple(names[one] for one in chosen)
                if int(total) in chosen or names[total] in found:
                    continue
                if is_sum(numbers[names[total]], [numbers[name] for name in addends]):
                    found.add(names[total])
                    yield names[total], addends


def is_sum(total: NDArray[np.float64], addends: Sequence[NDArray[np.float64]]) -> bool:
    """Tell whether a column is the exact sum of others, in every row that has them all."""
    columns = _complete(total, *addends)
    added = np.sum(columns[1:], axis=0)
    return bool(np.all(abs(columns[0] - added) <= _TOLERANCE * (1 + abs(added))))


def combination(total: NDArray[np.float64], numbers: Numbers) -> set[str]:
    """Return the columns of which another is an exact linear combination; none where it is no such thing.

    A sample of the rows is tried first.
    """
    rows = np.flatnonzero(~np.isnan(np.array([total, *numbers.values()])).any(axis=0))
    if not numbers or len(rows) < len(numbers) + _FEWEST_ROWS:
        return set()
    parts: NDArray[np.bool_] = np.zeros(len(numbers), dtype=np.bool_)
    for part in (rows[:: max(1, len(rows) // _SAMPLE)], rows):
        target, *columns = (_centred(one[part]) for one in (total, *numbers.values()))
        factors = np.linalg.lstsq(np.array(columns).T, target)[0]
        if np.max(abs(factors @ columns - target)) > _TOLERANCE or not target.any():
            return set()
        parts = abs(factors) > _SHARE
    return {name for name, is_part in zip(numbers, parts.tolist(), strict=True) if is_part}


def _centred(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return numbers around 0, within -1 to 1 or zero all; their squares could be infinite."""
    scaled = values / (abs(values).max() or 1.0)
    centred = scaled - scaled.mean()
    return np.asarray(centred / (abs(centred).max() or 1.0))


def followers(columns: Sequence[Cells]) -> Iterator[tuple[str, str, bool]]:
    """Yield (column, what it follows from, whether that also follows from it): one value for each of the other's.

    Columns of which most rows have a value of their own say nothing, and neither do constant ones.
    """
    rows = len(columns[0].codes) if columns else 0
    telling = [cells for cells in columns if 1 < len(cells.texts) <= rows / 2]
    for cells, other in permutations(telling, 2):
        if len(cells.texts) <= len(other.texts) and int(distinct([other, cells]).max()) + 1 == len(other.texts):
            yield cells.name, other.name, len(cells.texts) == len(other.texts)


def _complete(*columns: NDArray[np.float64]) -> tuple[NDArray[np.float64], ...]:
    """Return the columns' rows that have all of them."""
    present = ~np.isnan(columns[0])
    for column in columns[1:]:
        present &= ~np.isnan(column)
    return tuple(column[present] for column in columns)
