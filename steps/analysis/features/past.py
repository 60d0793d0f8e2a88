"""Features of the past: lags and means of windows, computed point in time over the declared time.

A row's features are made of earlier rows of its series alone, never of itself or a later one, by the same code for
training and for scoring. Where the newest values are not known yet, the newest known ones stand in, and the gap between
them and those that are needed is told.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from analysis.dataset.columns import Kind
from analysis.dataset.declaration import Dataset
from analysis.dataset.past import Past

GAPS = (0, 1, 2, 6, 13, 29, 59, 119, 239)
"""The gaps for which the width of intervals is measured: of daily rows up to eight months."""

Floats = NDArray[np.float64]
Places = NDArray[np.int64]


@dataclass(frozen=True)
class PastValues:
    """Features of the past of some rows.

    values: name → of shape (n,), NaN where no earlier value is known. gaps: of shape (n,): how many rows (days, for
    features that count days) lie between the newest known value and the one that is needed, the largest of the row's
    features; 0 where everything is known, NaN where a feature has no value.
    """

    values: dict[str, Floats]
    gaps: Floats

    @property
    def complete(self) -> NDArray[np.bool_]:
        """Whether a row has all of its features."""
        return ~np.isnan(self.gaps)


def past_values(rows: pa.Table, known: pa.Table, dataset: Dataset, names: Sequence[str], *, gap: int = 0) -> PastValues:
    """Compute the features `names` of `rows`.

    rows: with key and time. known: rows with key, time and the features' columns as they are known, empty cells where
    they are not; those of `rows` that are known are among them. Of several rows with one key, the last one's cell that
    is not empty counts. gap: compute as if values had become known so many rows (or days) later than they are needed.
    """
    calendar = _Calendar.of(rows, known, dataset)
    values, gaps = {}, np.zeros(len(rows))
    for name in names:
        feature = dataset.past[name]
        cells = pc.cast(known[feature.column], pa.float64()).to_numpy(zero_copy_only=False)
        values[name], behind = calendar.values(feature, cells, gap)
        gaps = np.maximum(gaps, behind)
    return PastValues(values, gaps)


@dataclass(frozen=True)
class _Calendar:
    """The moments of all series, sorted by series and time, each of them once.

    series, times, clock: of shape (m,); times count days of dates and seconds of moments; clock is a number that rises
    with series and time. places: of the rows that get features among the moments, shape (n,); known: of those that are
    known, shape (k,). first: place of the first moment of each moment's series, shape (m,). day, span: how long a day
    is, and how many numbers of the clock a series has.
    """

    series: Places
    times: Places
    clock: Places
    places: Places
    known: Places
    first: Places
    day: int
    span: int

    @classmethod
    def of(cls, rows: pa.Table, known: pa.Table, dataset: Dataset) -> _Calendar:
        names = [name for name in dataset.key if name != dataset.time]
        series = _numbered([_together(rows, known, name) for name in names], len(rows) + len(known))
        moments, day = _instants(_together(rows, known, str(dataset.time)), dataset)
        start = int(moments.min(initial=0))
        # One number more at either end, for what is before and after everything.
        span = int(moments.max(initial=0)) - start + 3
        clock, places = np.unique(series * span + (moments - start + 1), return_inverse=True)
        sorted_series = clock // span
        return cls(
            series=sorted_series,
            times=clock % span - 1 + start,
            clock=clock,
            places=places[: len(rows)],
            known=places[len(rows) :],
            first=np.searchsorted(sorted_series, sorted_series),
            day=day,
            span=span,
        )

    def values(self, feature: Past, cells: Floats, gap: int) -> tuple[Floats, Floats]:
        """Return value and gap of each row, NaN for both where no earlier value is known.

        cells: of the rows that are known, NaN for empty ones.
        """
        full = ~np.isnan(cells)
        by_place = np.full(len(self.clock), np.nan)
        # Assigned in order, so the last one counts.
        by_place[self.known[full]] = cells[full]
        filled = np.flatnonzero(~np.isnan(by_place))
        newest = self._newest(feature, filled, gap)
        found = newest >= 0
        found[found] = filled[newest[found]] >= self.first[self.places[found]]
        value, behind = np.full(len(self.places), np.nan), np.full(len(self.places), np.nan)
        at, last = self.places[found], newest[found]
        behind[found] = self._behind(feature, at, filled[last])
        start = self._window_start(feature, at, filled, last, behind[found]) if feature.is_mean else last
        value[found] = _means(by_place[filled], start, last)
        return value, behind

    def _newest(self, feature: Past, filled: Places, gap: int) -> Places:
        """Return which of the filled moments is the newest that a row may take; -1 for none."""
        if feature.in_days:
            ago = (0 if feature.is_mean else feature.count) + gap
            limit = self._clock_before(self.places, ago, strictly=feature.is_mean)
            up_to = np.searchsorted(self.clock[filled], limit, side="right")
        else:
            ago = (1 if feature.is_mean else feature.count) + gap
            up_to = np.searchsorted(filled, self.places - ago, side="right")
        return np.asarray(up_to - 1, dtype=np.int64)

    def _clock_before(self, places: Places, days: Places | int, *, strictly: bool = False) -> Places:
        """Return the clock's number of the moment so many days before; where it is before everything, the lowest."""
        lowest = self.series[places] * self.span
        wanted = self.clock[places] - np.asarray(days, dtype=np.int64) * self.day - strictly
        return np.asarray(np.maximum(wanted, lowest), dtype=np.int64)

    def _behind(self, feature: Past, places: Places, newest: Places) -> Floats:
        """Return how much older the newest known moment is than the one that is needed."""
        if feature.in_days:
            # A part of a day counts as one.
            days = -((self.times[newest] - self.times[places]) // self.day)
            return (days - (1 if feature.is_mean else feature.count)).astype(np.float64)
        return (places - newest - (1 if feature.is_mean else feature.count)).astype(np.float64)

    def _window_start(self, feature: Past, places: Places, filled: Places, newest: Places, behind: Floats) -> Places:
        """Return which of the filled moments is the first of the window, which a gap moves back."""
        if feature.in_days:
            days = behind.astype(np.int64) + feature.count
            first = np.searchsorted(self.clock[filled], self._clock_before(places, days), side="left")
        else:
            oldest = np.maximum(filled[newest] - feature.count + 1, self.first[places])
            first = np.searchsorted(filled, oldest, side="left")
        return np.asarray(first, dtype=np.int64)


def _together(rows: pa.Table, known: pa.Table, name: str) -> pa.Array:
    """Return a column of both tables, that of `rows` first."""
    columns = [rows[name], pc.cast(known[name], rows[name].type)]
    return pa.chunked_array([chunk for column in columns for chunk in column.chunks], rows[name].type).combine_chunks()


def _numbered(columns: Sequence[pa.Array], count: int) -> Places:
    """Return a number for each row, one for each distinct combination of values: of shape (count,)."""
    numbers = np.zeros(count, dtype=np.int64)
    for column in columns:
        encoded = pc.dictionary_encode(column, null_encoding="encode")
        codes = encoded.indices.to_numpy(zero_copy_only=False).astype(np.int64)
        numbers = np.unique(numbers * (len(encoded.dictionary) + 1) + codes, return_inverse=True)[1].astype(np.int64)
    return numbers


def _instants(times: pa.Array, dataset: Dataset) -> tuple[Places, int]:
    """Return times as whole numbers, and how many of them a day has: dates count days, moments seconds."""
    if dataset.columns[str(dataset.time)].kind is Kind.DATE:
        return pc.cast(pc.cast(times, pa.date32()), pa.int32()).to_numpy().astype(np.int64), 1
    seconds = pc.cast(pc.cast(times, pa.timestamp("s"), safe=False), pa.int64())
    return seconds.to_numpy().astype(np.int64), 24 * 60 * 60


def _means(values: Floats, start: Places, last: Places) -> Floats:
    """Return the mean of values[start] to values[last], for each pair; each depends on its own values alone."""
    if not len(start):
        return np.empty(0)
    bounds = np.column_stack([start, last + 1]).ravel()
    sums = np.add.reduceat(np.append(values, 0.0), bounds)[::2]
    return np.asarray(sums / (last + 1 - start), dtype=np.float64)
