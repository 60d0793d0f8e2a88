"""The form of a file: how it writes dates, and by what its measures are divided.

Every column has to agree. A measure that is on another scale than the rest of its file would be read without a word,
and be wrong by that factor.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from analysis.checking.limits import QualityLimits
from analysis.checking.problems import Findings, Lines, Mask, quoted
from analysis.checking.typing_rows import DateReading, TypedRows
from analysis.checking.values import moments
from analysis.dataset.columns import Column
from analysis.dataset.declaration import Dataset
from analysis.runtime.errors import SHOWN_PROBLEMS

Ranges = Mapping[str, tuple[float, float]]
"""Input column → smallest and largest value of the rows that the model was trained on, in the column's unit."""

_MOST = 0.5
_GAP = 2.0
"""Times the largest of the small values from which the others are another group."""


@dataclass(frozen=True)
class _Measure:
    """A column that forms write on several scales.

    values: its numbers as the file has them, without empty cells and zeros, which are the same on every scale.
    lines: of these. trained: range of the training rows in the column's unit, where known.
    """

    name: str
    column: Column
    values: npt.NDArray[np.float64]
    lines: Lines
    trained: tuple[float, float] | None

    def within(self, form: str) -> Mask:
        """Return which of the values the form can write."""
        assert self.column.minimum is not None  # noqa: S101 - a declaration with scales has both
        assert self.column.maximum is not None  # noqa: S101
        return self._within(self.column.minimum, self.column.maximum, form)

    def share_trained(self, form: str) -> float | None:
        """Return the share of the values that are like those of the training rows; None where these aren't known."""
        return None if self.trained is None else float(self._within(*self.trained, form).mean())

    def is_unusual(self, form: str) -> bool:
        """Whether every value is outside of what is usual."""
        low = -np.inf if self.column.usual_minimum is None else self.column.usual_minimum
        high = np.inf if self.column.usual_maximum is None else self.column.usual_maximum
        return not self._within(low, high, form).any()

    def _within(self, low: float, high: float, form: str) -> Mask:
        scale = scale_of(self.column, form)
        mask: Mask = (self.values >= low / scale) & (self.values <= high / scale)
        return mask


def scale_of(column: Column, form: str) -> float:
    """Return what a form's values are multiplied by to get the column's unit."""
    return column.scales.get(form, 1.0)


def file_form(
    rows: TypedRows, dataset: Dataset, ranges: Ranges | None, limits: QualityLimits, findings: Findings
) -> str:
    """Find the form of the file from its dates and its measures; refuse the columns that are of another one."""
    candidates = _dated_forms(rows, dataset)
    measures = _measures(rows, dataset, ranges)
    strange = {form: _on_another_scale(measures, form, dataset.forms, limits) for form in candidates}
    form = min(candidates, key=lambda form: len(strange[form]))
    for name, readings in rows.dates.items():
        _refuse_dates(name, dataset.columns[name], readings, form, findings)
    for measure in measures:
        if measure.name in strange[form]:
            message, line = _scale_problem(measure, form, strange[form][measure.name])
            findings.refuse(message, line, measure.name)
    if not strange[form]:
        equal = [other for other in candidates if other != form and not strange[other]]
        _judge_other_readings(measures, form, equal, dataset.forms, findings)
    return form


def _dated_forms(rows: TypedRows, dataset: Dataset) -> list[str]:
    """Return the forms that most dates have; without dates, or where several forms write them alike, more than one."""
    fits = {form: sum(readings[form].fits for readings in rows.dates.values()) for form in dataset.forms}
    most = max(fits.values())
    return [form for form in dataset.forms if fits[form] == most]


def _measures(rows: TypedRows, dataset: Dataset, ranges: Ranges | None) -> list[_Measure]:
    found = []
    lines = rows.all_lines()
    for name, chunks in rows.values.items():
        column = dataset.columns[name]
        if not column.scales:
            continue
        numbers = pc.fill_null(pa.chunked_array(chunks, pa.float64()), 0.0).to_numpy()
        known = np.flatnonzero(numbers)
        if len(known):
            trained = None if ranges is None else ranges.get(name)
            found.append(_Measure(name, column, numbers[known], lines[known], trained))
    return found


def _on_another_scale(
    measures: list[_Measure], form: str, forms: tuple[str, ...], limits: QualityLimits
) -> dict[str, Mask]:
    """Map the columns that hold values of another form than this one to where these are."""
    found: dict[str, Mask] = {}
    for other in forms:
        differing = [one for one in measures if scale_of(one.column, other) != scale_of(one.column, form)]
        for measure in differing:
            foreign = _values_of_another_form(measure, other, form, limits)
            if foreign.any():
                found.setdefault(measure.name, foreign)
        # Two columns at once are no coincidence, however few the rows are.
        finer = [one for one in differing if _is_finer(one, other, form)]
        if len(finer) > 1 and len(finer) == len(measures) and all(one.within(other).all() for one in finer):
            found = {**{measure.name: measure.within(other) for measure in finer}, **found}
    return found


def _values_of_another_form(measure: _Measure, other: str, form: str, limits: QualityLimits) -> Mask:
    """Return where a column holds values that plainly are of another form; nowhere, where that can't be told."""
    here, there = measure.within(form), measure.within(other)
    if here.mean() < _MOST < there.mean():
        return there
    if measure.share_trained(form) == 0 and (measure.share_trained(other) or 0) > _MOST:
        return there
    if _is_finer(measure, other, form):
        enough = len(there) >= limits.scale_rows or measure.is_unusual(form)
        if enough and there.mean() >= limits.scale_share:
            return there
        return there if _apart(measure, there, limits.scale_rows) else _runs(there, limits.scale_rows)
    return np.zeros(len(there), dtype=np.bool_)


def _apart(measure: _Measure, small: Mask, fewest: int) -> bool:
    """Whether so many small values lie far below all others: rows of two files in turn have no value between.

    Whole numbers are never told apart: there is nothing between 1 and 2 either.
    """
    if small.sum() < fewest or small.all():
        return False
    lower, others = measure.values[small], measure.values[~small]
    fractions = lower[lower % 1 != 0]
    return len(fractions) >= fewest and float(others.min()) > _GAP * float(lower.max())


def _is_finer(measure: _Measure, other: str, form: str) -> bool:
    """Whether another form writes smaller numbers, which this one can write as well."""
    return scale_of(measure.column, other) > scale_of(measure.column, form)


def _runs(mask: Mask, length: int) -> Mask:
    """Return the places that are true in a run of at least this length: part of a file may be of another form."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], mask, [False]])))
    starts, stops = edges[::2], edges[1::2]
    long = stops - starts >= length
    found = np.zeros(len(mask), dtype=np.bool_)
    for start, stop in zip(starts[long].tolist(), stops[long].tolist(), strict=True):
        found[start:stop] = True
    return found


def _scale_problem(measure: _Measure, form: str, foreign: Mask) -> tuple[str, int]:
    """Return what to say of values of another form, and the line of the first one."""
    column, scale = measure.column, scale_of(measure.column, form)
    low, high = float(measure.values[foreign].min()), float(measure.values[foreign].max())
    meant = f"{column.unit or f'{column.minimum:g} to {column.maximum:g}'} are meant"
    if scale != 1.0:
        meant = f"values divided by {scale:g} are meant"
    which = "its values are" if foreign.all() else f"{int(foreign.sum())} of its values are"
    message = f"{which} on another scale than the table's form: {low:.3g} to {high:.3g}, where {meant}"
    if measure.trained is not None and measure.share_trained(form) == 0:
        smallest, largest = (bound / scale for bound in measure.trained)
        message += f"; the model was trained on {smallest:.3g} to {largest:.3g}"
    return message, int(measure.lines[foreign][0])


def _judge_other_readings(
    measures: list[_Measure], form: str, candidates: list[str], forms: tuple[str, ...], findings: Findings
) -> None:
    """Refuse values that can be of several forms, unless the dates tell which; then they are only strange."""
    for measure in measures:
        for other in forms:
            if scale_of(measure.column, other) == scale_of(measure.column, form) or not measure.within(other).all():
                continue
            if other in candidates:
                message = (
                    f"its few values can be of the form {form} and of the form {other}; send more rows in one file"
                )
                findings.refuse(message, int(measure.lines[0]), measure.name)
            elif _is_finer(measure, other, form):
                findings.notice(measure.name, f"so small that they could be of the form {other}", measure.lines)


def _refuse_dates(name: str, column: Column, readings: dict[str, DateReading], form: str, findings: Findings) -> None:
    """Record the cells that are no dates of the form, as one problem where all of them are."""
    reading = readings[form]
    if not reading.failed:
        return
    patterns = " or ".join(column.formats[form])
    others = {other for other, found in readings.items() if other != form and found.fits > reading.fits}
    if others and not reading.fits:
        other = " or ".join(column.formats[min(others)])
        message = f"its dates are written as {other}, those of the rest of the file as {patterns}"
        findings.refuse(message, reading.failures[0][0], name)
        return
    shown = reading.failures if reading.failed <= SHOWN_PROBLEMS else reading.failures[:1]
    likewise = "" if len(shown) == reading.failed else f" (likewise {reading.failed - 1} more rows)"
    for line, text, has_form in shown:
        if has_form:
            what = f"is not a day of the calendar (the form is {patterns})"
        elif _is_written(text, column, readings):
            what = f"is written in another form than the other dates of the file ({patterns})"
        else:
            what = f"is not a date; write {_all_patterns(column)}"
        findings.refuse(f"{quoted(text)} {what}{likewise}", line, name)


def _is_written(text: str, column: Column, forms: Collection[str]) -> bool:
    """Whether any of the forms writes a date like this."""
    cell = pa.array([text])
    return any(moments(cell, pattern, column.kind)[1][0] for form in forms for pattern in column.formats[form])


def _all_patterns(column: Column) -> str:
    return " or ".join(dict.fromkeys(pattern for patterns in column.formats.values() for pattern in patterns))
