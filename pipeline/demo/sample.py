"""A generated table for any declaration, so that a demonstration needs no download.

THE NUMBERS ARE GENERATED, not observed, and say nothing about anything. Each column has values that its declaration
allows, the rules between columns hold, and the target is a linear function of the inputs with noise around it.
"""

import csv
import math
import random
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path

from analysis.dataset.columns import TIMES, Column, Kind, strptime_format
from analysis.dataset.declaration import Dataset
from analysis.dataset.rules import Rule, part_of
from pipeline.datasets.shipped import DEFAULT_DATASET, declared

FILE_NAME = "generated-sample.csv"
FIRST_MOMENT = datetime(2018, 1, 1)  # noqa: DTZ001 - a table's own clock
ROWS = 730
DEFAULT_SEED = 20180101
#: Deviation of what the inputs do not explain, beside that of what they do (about 0.4).
_NOISE = 0.1
_PERSISTENCE = 0.7
_DAYS_A_WEEK = 7

Row = dict[str, str]


class _Draws(random.Random):
    """Random numbers from `random()` alone: the only sequence that Python promises to keep."""

    def normal(self) -> float:
        """Return a normal number with mean 0 and deviation 1 (Box-Muller)."""
        radius = math.sqrt(-2.0 * math.log(1.0 - self.random()))
        return radius * math.cos(2.0 * math.pi * self.random())

    def pick(self, choices: tuple[str, ...], first: float = 0.5) -> str:
        """Return one of the choices: the first with that probability, else a later one likewise."""
        for choice in choices[:-1]:
            if self.random() < first:
                return choice
        return choices[-1]


def input_columns(dataset: Dataset) -> tuple[str, ...]:
    """Return the columns of a file to score."""
    return dataset.known_before


def sample_rows(seed: int = DEFAULT_SEED, rows: int = ROWS, dataset: Dataset | None = None) -> list[Row]:
    """Return rows as text by column, in the declaration's first form; the same for the same arguments.

    Raises:
        ValueError: fewer than 1 row.
    """
    if rows < 1:
        raise ValueError(f"rows must be at least 1, not {rows}.")
    generator = _Generator(dataset or declared(DEFAULT_DATASET), _Draws(seed))
    return [generator.row(number) for number in range(rows)]


def write_sample(
    path: Path,
    seed: int = DEFAULT_SEED,
    rows: int = ROWS,
    *,
    target: bool = True,
    dataset: Dataset | None = None,
) -> Path:
    """Write the table as CSV (UTF-8, line feeds) to a file, or as FILE_NAME to a directory; return the file's path.

    Without ``target`` it and its parts are left out: such a file is for scoring only.
    """
    dataset = dataset or declared(DEFAULT_DATASET)
    file = path / FILE_NAME if path.is_dir() else path
    columns = [*dataset.columns] if target else input_columns(dataset)
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, columns, lineterminator="\n", extrasaction="ignore")
        writer.writeheader()
        writer.writerows(sample_rows(seed, rows, dataset))
    return file


@dataclass
class _Generator:
    """Makes one row after the other: what a rule determines follows from the other columns."""

    dataset: Dataset
    draws: _Draws

    def __post_init__(self) -> None:
        self._anomalies: dict[str, float] = {}
        known = set(self.dataset.known_before)
        self._rules = [rule for rule in self.dataset.rules if rule.column in known and set(rule.columns()) <= known]
        self._order = _in_order([*self.dataset.known_before], self._rules)

    def row(self, number: int) -> Row:
        """Return the row of that number, counted from 0."""
        moment = self._moment(number)
        drawn: Row = {}
        for name in self._order:
            drawn[name] = self._value(name, number, moment, drawn)
        drawn |= self._answers(drawn)
        return {name: drawn[name] for name in self.dataset.columns}

    def _moment(self, number: int) -> datetime:
        """Return when a row happens: a day or an hour after the one before."""
        name = self.dataset.time
        hourly = name is not None and self.dataset.columns[name].kind is Kind.DATETIME
        return FIRST_MOMENT + (timedelta(hours=number) if hourly else timedelta(days=number))

    def _value(self, name: str, number: int, moment: datetime, drawn: Row) -> str:
        column = self.dataset.columns[name]
        if column.kind in TIMES:
            return moment.strftime(strptime_format(column.formats[self.dataset.forms[0]][0]))
        for rule in self._rules:
            if rule.column == name and (value := self._determined(rule, moment, drawn)) is not None:
                return value
        if column.kind in {Kind.IDENTIFIER, Kind.TEXT} or name in self.dataset.key:
            return self._naming(column, number)
        if column.kind in {Kind.CATEGORY, Kind.FLAG}:
            return self.draws.pick(_levels(column), 0.6 if column.kind is Kind.CATEGORY else 0.9)
        value = self._number(name, column, moment)
        return str(round(value)) if column.kind is Kind.COUNT else f"{value:.4f}"

    def _determined(self, rule: Rule, moment: datetime, drawn: Row) -> str | None:
        """Return the value that a rule leaves, one of them where it leaves several; None where it says nothing."""
        for case in rule.cases:
            if all(drawn[column] in values for column, values in case.when.items()):
                return self.draws.pick(case.then)
        if rule.equals:
            return str(_part(moment, part_of(rule.equals)[1]))
        if rule.one_to_one and part_of(rule.one_to_one)[1] == "year":
            levels = tuple(self.dataset.columns[rule.column].levels)
            years = moment.year - FIRST_MOMENT.year
            return levels[min(years, len(levels) - 1)] if levels else str(years)
        if rule.follows:
            levels = tuple(self.dataset.columns[rule.column].levels)
            start = FIRST_MOMENT.isoweekday() if len(levels) == _DAYS_A_WEEK else 0
            return levels[(start + (moment - FIRST_MOMENT).days) % len(levels)]
        if rule.sum_of:
            return f"{sum(float(drawn[name]) for name in rule.sum_of):g}"
        if rule.at_most:
            column = self.dataset.columns[rule.column]
            low, high = _range(column)[0], float(drawn[rule.at_most])
            value = low + self.draws.random() * max(0.0, high - low) * 0.9
            return str(math.floor(value)) if column.kind is Kind.COUNT else f"{value:.4f}"
        return None

    def _naming(self, column: Column, number: int) -> str:
        return _levels(column)[number % len(_levels(column))] if column.levels else str(number + 1)

    def _number(self, name: str, column: Column, moment: datetime) -> float:
        """Return a number that comes and goes with the year, and varies from row to row."""
        low, high = _range(column)
        shift = sum(name.encode()) % 12 / 12.0
        season = math.cos(2.0 * math.pi * (moment.timetuple().tm_yday / 365.0 - shift))
        anomaly = _PERSISTENCE * self._anomalies.get(name, 0.0) + self.draws.normal()
        self._anomalies[name] = anomaly
        middle, half = (low + high) / 2.0, (high - low) / 2.0
        return min(max(middle - half * (0.45 * season + 0.15 * anomaly), low), high)

    def _answers(self, drawn: Row) -> Row:
        """Return target and parts: a weighted mean of the inputs, with noise, in the target's range."""
        dataset, target = self.dataset, self.dataset.columns[self.dataset.target]
        weights, total = 0.0, 0.0
        for position, name in enumerate(dataset.inputs):
            weight = 1.0 / (1.0 + position % 4)
            total += weight * (1.0 if position % 3 else -1.0) * (_standing(dataset.columns[name], drawn[name]) - 0.5)
            weights += weight / 4.0
        level = 0.5 + 0.4 * (total / (weights or 1.0) + _NOISE * self.draws.normal())
        low, high = _range(target) if target.maximum is not None else (target.minimum or 0.0, 8000.0)
        value = min(max(low + (high - low) * level, low), high)
        if target.kind is not Kind.COUNT:
            return {dataset.target: f"{value:.4f}"} | self._parts(value, 4)
        return {dataset.target: str(round(value))} | self._parts(round(value), 0)

    def _parts(self, whole: float, digits: int) -> Row:
        """Split the target into its parts: each but the last is a third of what is left, about."""
        parts, left = {}, whole
        for name in self.dataset.parts[:-1]:
            share = round(left * (0.3 + 0.1 * self.draws.random()), digits)
            parts[name], left = f"{share:.{digits}f}", left - share
        return parts | ({self.dataset.parts[-1]: f"{left:.{digits}f}"} if self.dataset.parts else {})


def _in_order(names: list[str], rules: list[Rule]) -> list[str]:
    """Put each column after those that rules let it follow from; columns in a circle stay where they are."""
    after = {name: {other for rule in rules if rule.column == name for other in rule.columns()[1:]} for name in names}
    ordered: list[str] = []
    while names:
        ready = next((name for name in names if after[name] <= {*ordered, name}), names[0])
        ordered.append(ready)
        names.remove(ready)
    return ordered


def _levels(column: Column) -> tuple[str, ...]:
    return tuple(column.modelled_levels) if column.kind is Kind.CATEGORY else tuple(column.levels) or ("0", "1")


def _range(column: Column) -> tuple[float, float]:
    """Return the usual range; a wide one where none is declared, with a margin at the possible ends."""
    low = column.minimum if column.minimum is not None else 0.0
    high = column.maximum if column.maximum is not None else low + 100.0
    margin = 0.03 * (high - low)
    low = column.usual_minimum if column.usual_minimum is not None else low + margin
    return low, column.usual_maximum if column.usual_maximum is not None else high - margin


def _standing(column: Column, text: str) -> float:
    """Return where a value stands between the column's first and last, 0 to 1."""
    if column.levels:
        levels = _levels(column)
        return levels.index(text) / max(1, len(levels) - 1) if text in levels else 0.5
    if column.kind is Kind.FLAG:
        return float(text)
    low, high = _range(column)
    return (float(text) - low) / ((high - low) or 1.0)


def _part(moment: date, part: str) -> int:
    return moment.isoweekday() if part == "weekday" else int(getattr(moment, part))
