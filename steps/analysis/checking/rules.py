"""Rules between columns: where a table breaks those of its declaration. Rows that lack a value are not looked at."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from analysis.checking.domains import Broken, shown
from analysis.checking.equal_rows import Positions, group_numbers, most_frequent
from analysis.checking.problems import Mask
from analysis.checking.values import where
from analysis.dataset.columns import TIMES, Column, Kind
from analysis.dataset.declaration import Dataset
from analysis.dataset.rules import Rule, part_of

_SUM_TOLERANCE = 1e-9
"""Of real numbers, relative to the largest number of the sum; whole ones are exact."""


def all_rules(dataset: Dataset) -> tuple[Rule, ...]:
    """Return the declared rules, and that the target is the sum of its parts where none says so."""
    declared = any(rule.column == dataset.target and rule.sum_of for rule in dataset.rules)
    if declared or not dataset.parts:
        return dataset.rules
    message = f"is not {' + '.join(dataset.parts)}"
    return (*dataset.rules, Rule(column=dataset.target, sum_of=dataset.parts, message=message))


def broken_rules(rows: pa.Table, dataset: Dataset, rules: Collection[Rule]) -> Iterator[tuple[Rule, Broken]]:
    """Yield each rule whose columns the table has, with the rows that break it."""
    for rule in rules:
        if set(rule.columns()) <= set(rows.column_names):
            mask, context = _Looker(rows, dataset, rule).look()
            yield rule, Broken(rule.column, rule.message, mask, _message(rows, rule, context))


def _message(rows: pa.Table, rule: Rule, context: Callable[[int], str]) -> Callable[[int], str]:
    return lambda row: f"{shown(rows[rule.column][row].as_py())} {rule.message} ({context(row)})"


@dataclass(frozen=True)
class _Looker:
    """Looks where one rule is broken, and what of the row to show beside the value."""

    rows: pa.Table
    dataset: Dataset
    rule: Rule

    def look(self) -> tuple[Mask, Callable[[int], str]]:
        """Return where the rule is broken, and what to say of a row."""
        rule = self.rule
        if rule.cases:
            return self._cases(), self._beside(dict.fromkeys(name for case in rule.cases for name in case.when))
        if rule.sum_of:
            return self._sum()
        if rule.at_most:
            return where(pc.greater(self.rows[rule.column], self.rows[rule.at_most])), self._beside([rule.at_most])
        if rule.follows:
            return self._follows(), self._beside([rule.follows])
        if rule.one_to_one:
            return self._one_to_one(), self._beside([part_of(rule.one_to_one)[0]])
        return self._equals(), self._beside([part_of(rule.equals)[0]])

    def _column(self, name: str) -> Column:
        return self.dataset.columns[name]

    def _beside(self, names: Collection[str]) -> Callable[[int], str]:
        """Show the values of other columns, a lone date without its name."""
        if len(names) == 1 and all(self._column(name).kind in TIMES for name in names):
            return lambda row: ", ".join(shown(self.rows[name][row].as_py()) for name in names)
        return lambda row: ", ".join(f"{name} {shown(self.rows[name][row].as_py())}" for name in names)

    def _equals(self) -> Mask:
        values, part = self.rows[self.rule.column], self._part(self.rule.equals)
        if pa.types.is_string(values.type) and not self._column(self.rule.column).has_whole_levels:
            return where(pc.not_equal(values, pc.cast(part, pa.string())))
        return where(pc.not_equal(pc.cast(values, pa.float64()), pc.cast(part, pa.float64())))

    def _cases(self) -> Mask:
        allowed = {case.then: self._is_one_of(self.rule.column, case.then) for case in self.rule.cases}
        known = pc.is_valid(self.rows[self.rule.column]).to_numpy()
        broken = np.zeros(len(self.rows), dtype=np.bool_)
        for case in self.rule.cases:
            meant = known.copy()
            for name, values in case.when.items():
                meant &= self._is_one_of(name, values)
            broken |= meant & ~allowed[case.then]
        return broken

    def _is_one_of(self, name: str, values: Collection[str]) -> Mask:
        """Compare as the declaration writes values: 1 is 1.0 in columns of numbers, days are in ISO form."""
        cells, kind = self.rows[name], self._column(name).kind
        if kind in {Kind.MEASURE, Kind.COUNT, Kind.FLAG}:
            wanted = pa.array([float(value) for value in values], pa.float64())
            return where(pc.is_in(pc.cast(cells, pa.float64()), value_set=wanted))
        if kind in TIMES:
            return where(pc.is_in(cells, value_set=pa.array([*values], pa.string()).cast(cells.type)))
        return where(pc.is_in(cells, value_set=pa.array([*values], pa.string())))

    def _sum(self) -> tuple[Mask, Callable[[int], str]]:
        parts = [self.rows[name] for name in self.rule.sum_of]
        total = parts[0]
        for part in parts[1:]:
            total = pc.add(total, part)
        value = self.rows[self.rule.column]
        if pa.types.is_integer(total.type) and pa.types.is_integer(value.type):
            return where(pc.not_equal(total, value)), lambda row: str(total[row].as_py())
        largest = pc.max_element_wise(pc.abs(value), *(pc.abs(part) for part in parts), skip_nulls=False)
        apart = pc.greater(pc.abs(pc.subtract(total, value)), pc.multiply(largest, _SUM_TOLERANCE))
        return where(apart), lambda row: f"{total[row].as_py():.10g}"

    def _part(self, text: str) -> pa.ChunkedArray:
        """Return a column, or the part of a date as a whole number; weekdays count from Monday, which is 1."""
        name, part = part_of(text)
        cells = self.rows[name]
        if not part:
            return cells
        if part == "weekday":
            return pc.day_of_week(cells, count_from_zero=False)
        if part == "hour" and self._column(name).kind is Kind.DATE:
            return pc.multiply(pc.day(cells), 0)
        return {"year": pc.year, "month": pc.month, "day": pc.day, "hour": pc.hour}[part](cells)

    def _one_to_one(self) -> Mask:
        """Compare each pair with the commonest partner of either side."""
        own, other = self.rows[self.rule.column], self._part(self.rule.one_to_one)
        known = np.flatnonzero(where(pc.and_(pc.is_valid(own), pc.is_valid(other))))
        ours, theirs = (group_numbers([column.take(known)], len(known)) for column in (own, other))
        broken = np.zeros(len(self.rows), dtype=np.bool_)
        if len(known):
            other_partner = most_frequent(theirs, ours)[theirs] != ours
            broken[known] = other_partner | (most_frequent(ours, theirs)[ours] != theirs)
        return broken

    def _follows(self) -> Mask:
        """Find the rows that are out of step with the run of days in which they are.

        From one day to the next the level's place grows by one, so its distance to the number of the day, modulo the
        count of levels, stays the same. In a run of days the commonest distance is right: one wrong level, one problem.
        """
        levels = pa.array([*self._column(self.rule.column).levels], pa.string())
        place = pc.index_in(pc.cast(self.rows[self.rule.column], pa.string()), value_set=levels)
        dates = pc.cast(self.rows[self.rule.follows], pa.date32(), safe=False)
        known = np.flatnonzero(where(pc.and_(pc.is_valid(place), pc.is_valid(dates))))
        broken = np.zeros(len(self.rows), dtype=np.bool_)
        if len(known):
            days = pc.cast(dates.take(known), pa.int32()).to_numpy().astype(np.int64)
            distances = (place.take(known).to_numpy().astype(np.int64) - days) % len(levels)
            runs = self._runs(days)
            broken[known] = most_frequent(runs, distances)[runs] != distances
        return broken

    def _runs(self, days: Positions) -> Positions:
        """Return the number of each row's run: days without a gap, and none after which the rule need not hold."""
        distinct, place = np.unique(days, return_inverse=True)
        months = distinct.astype("datetime64[D]").astype("datetime64[M]")
        day_of_month = (distinct.astype("datetime64[D]") - months).astype(np.int64) + 1
        month = months.astype(np.int64) % 12 + 1
        excepted = {(int(text[:2]), int(text[3:])) for text in self.rule.except_after}
        ends = np.array([pair in excepted for pair in zip(month.tolist(), day_of_month.tolist(), strict=True)])
        breaks = (np.diff(distinct) > 1) | ends[:-1]
        runs: Positions = np.concatenate([[0], np.cumsum(breaks)])[place]
        return runs
