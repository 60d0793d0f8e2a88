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

from analysis.dataset.columns import Column
from analysis.dataset.declaration import Dataset
from analysis.reading.cells import moments
from analysis.reading.limits import QualityLimits
from analysis.reading.problems import Findings, quoted
from analysis.reading.typing_rows import DateReading, TypedRows
from analysis.runtime.errors import SHOWN_PROBLEMS

Ranges = Mapping[str, tuple[float, float]]
"""Input column → smallest and largest value of the rows that the model was trained on, in the column's unit."""

_MOST = 0.5


@dataclass(frozen=True)
class _Measure:
    """A column that forms write on several scales.

    values: its numbers as the file has them, without empty cells and zeros, which are the same on every scale.
    line: of the first of them. trained: range of the training rows in the column's unit, where known.
    """

    name: str
    column: Column
    values: npt.NDArray[np.float64]
    line: int
    trained: tuple[float, float] | None

    def share_within(self, form: str) -> float:
        """Return the share of the values that the form can write."""
        assert self.column.minimum is not None  # noqa: S101 - a declaration with scales has both
        assert self.column.maximum is not None  # noqa: S101
        return self._share(self.column.minimum, self.column.maximum, form)

    def share_trained(self, form: str) -> float | None:
        """Return the share of the values that are like those of the training rows; None where these aren't known."""
        return None if self.trained is None else self._share(*self.trained, form)

    def is_unusual(self, form: str) -> bool:
        """Whether every value is outside of what is usual."""
        low = -np.inf if self.column.usual_minimum is None else self.column.usual_minimum
        high = np.inf if self.column.usual_maximum is None else self.column.usual_maximum
        return self._share(low, high, form) == 0

    def _share(self, low: float, high: float, form: str) -> float:
        values = self.values * scale_of(self.column, form)
        return float(np.mean((values >= low) & (values <= high)))


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
            findings.refuse(_scale_message(measure, form), measure.line, measure.name)
    equal = [other for other in candidates if other != form and len(strange[other]) == len(strange[form])]
    for other in equal if not strange[form] else []:
        for measure in measures:
            if scale_of(measure.column, other) != scale_of(measure.column, form):
                message = (
                    f"its few values can be of the form {form} and of the form {other}; send more rows in one file"
                )
                findings.refuse(message, measure.line, measure.name)
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
            found.append(_Measure(name, column, numbers[known], int(lines[known[0]]), trained))
    return found


def _on_another_scale(measures: list[_Measure], form: str, forms: tuple[str, ...], limits: QualityLimits) -> set[str]:
    """Return the columns whose values are of another form than this one."""
    found = set()
    for other in forms:
        differing = [one for one in measures if scale_of(one.column, other) != scale_of(one.column, form)]
        found |= {measure.name for measure in differing if _fits_better(measure, other, form, limits)}
        # Two columns at once are no coincidence, however few the rows are.
        finer = [one for one in differing if scale_of(one.column, other) > scale_of(one.column, form)]
        if len(finer) > 1 and len(finer) == len(measures) and all(one.share_within(other) == 1 for one in finer):
            found |= {measure.name for measure in finer}
    return found


def _fits_better(measure: _Measure, other: str, form: str, limits: QualityLimits) -> bool:
    here, there = measure.share_within(form), measure.share_within(other)
    if here < _MOST < there:
        return True
    if measure.share_trained(form) == 0 and (measure.share_trained(other) or 0) > _MOST:
        return True
    finer = scale_of(measure.column, other) > scale_of(measure.column, form)
    enough = len(measure.values) >= limits.scale_rows or measure.is_unusual(form)
    return finer and there >= limits.scale_share and enough


def _scale_message(measure: _Measure, form: str) -> str:
    column, scale = measure.column, scale_of(measure.column, form)
    low, high = float(measure.values.min()), float(measure.values.max())
    meant = f"{column.unit or f'{column.minimum:g} to {column.maximum:g}'} are meant"
    if scale != 1.0:
        meant = f"values divided by {scale:g} are meant"
    message = f"its values are on another scale than the table's form: {low:.3g} to {high:.3g}, where {meant}"
    if measure.trained is not None and measure.share_trained(form) == 0:
        smallest, largest = (bound / scale for bound in measure.trained)
        message += f"; the model was trained on {smallest:.3g} to {largest:.3g}"
    return message


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
