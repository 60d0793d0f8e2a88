"""Rows of a declared table, one after the other, with what its rules say about them."""

import math
import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property

from analysis.dataset.columns import NUMBERS, TIMES, Column, Kind, strptime_format
from analysis.dataset.declaration import Dataset
from analysis.dataset.rules import Rule, part_of
from pipeline.demo.values import choices, exact_sum, levels, limits, number_text, standing, usual_range

FIRST_MOMENT = datetime(2018, 1, 1)  # noqa: DTZ001 - a table's own clock
#: Years of two digits are read as 1969 to 2068.
_LAST_YEAR = 2068
_PERSISTENCE = 0.7
#: Of the range of a target without a largest value.
_TARGET_WIDTH = 8000.0
#: Deviations of the target in its range: what the inputs explain, and what they don't.
_EXPLAINED, _NOISE = 0.16, 0.05
#: About the deviation of a value in its column's range.
_SPREAD = 0.25
#: Different names in a key beside a time, each with a row at every moment.
_NAMES = 3

Row = dict[str, str]


class Draws(random.Random):
    """Random numbers from `random()` alone: the only sequence that Python promises to keep."""

    def normal(self) -> float:
        """Return a normal number with mean 0 and deviation 1 (Box-Muller)."""
        radius = math.sqrt(-2.0 * math.log(1.0 - self.random()))
        return radius * math.cos(2.0 * math.pi * self.random())

    def pick(self, options: tuple[str, ...], first: float) -> str:
        """Return one of the options: the first with that probability, else a later one likewise."""
        for option in options[:-1]:
            if self.random() < first:
                return option
        return options[-1]


@dataclass
class Generator:
    """Makes one row after the other: what a rule determines follows from the other columns.

    Raises ValueError where a key or a rule leaves no further row.
    """

    dataset: Dataset
    draws: Draws

    def __post_init__(self) -> None:
        self._anomalies: dict[str, float] = {}
        self._partners: dict[int, dict[str, str]] = {}

    def row(self, number: int) -> Row:
        """Return the row of that number, counted from 0; to be asked for one after the other."""
        step, named = self._named(number)
        moment = self._moment(step)
        drawn: Row = {}
        for name in self._order:
            drawn[name] = self._value(name, moment, drawn, named)
            self._make_room(name, drawn)
        drawn |= self._answers(moment, drawn)
        return {name: drawn[name] for name in self.dataset.columns}

    @cached_property
    def _rules(self) -> list[Rule]:
        """The rules among what is known before the answers."""
        known = set(self.dataset.known_before)
        return [rule for rule in self.dataset.rules if set(rule.columns()) <= known]

    @cached_property
    def _order(self) -> list[str]:
        """The columns, each after those that rules let it follow from; those in a circle stay where they are."""
        names = [*self.dataset.known_before]
        after = {
            name: {other for rule in self._rules if rule.column == name for other in rule.columns()} for name in names
        }
        ordered: list[str] = []
        while names:
            ready = next((name for name in names if after[name] <= {*ordered, name}), names[0])
            ordered.append(ready)
            names.remove(ready)
        return ordered

    @cached_property
    def _hourly(self) -> bool:
        """Whether rows happen by the hour: where the time, and each time in the key, is written with one."""
        names = [name for name in (self.dataset.time, *self.dataset.key) if name is not None]
        times = [self.dataset.columns[name] for name in names if self.dataset.columns[name].kind in TIMES]
        return bool(times) and all(self._format(column).count("%H") for column in times)

    @cached_property
    def _digits(self) -> dict[str, tuple[str, ...]]:
        """Key column → its few values, of which each moment has all combinations, the last column's first."""
        dataset = self.dataset
        dated = any(dataset.columns[name].kind in TIMES for name in dataset.key)
        determined = {rule.column for rule in self._rules if rule.equals or rule.one_to_one or rule.follows}
        names = tuple(str(number + 1) for number in range(_NAMES)) if dated else ()
        found: dict[str, tuple[str, ...]] = {}
        for name in reversed(dataset.key):
            column = dataset.columns[name]
            if column.kind not in TIMES and name not in determined:
                found[name] = names if column.kind in {Kind.IDENTIFIER, Kind.TEXT} else choices(column)
        return {name: values for name, values in found.items() if values}

    def _named(self, number: int) -> tuple[int, Row]:
        """Return the number of the row's moment, and its values of the key's columns that have only a few."""
        named: Row = {}
        for name, values in self._digits.items():
            number, place = divmod(number, len(values))
            named[name] = values[place]
        if number and self.dataset.key and set(self._digits) == set(self.dataset.key):
            raise ValueError(f"the key, {', '.join(self.dataset.key)}, names no more rows than these.")
        return number, named | {"": str(number)}

    def _moment(self, step: int) -> datetime:
        moment = FIRST_MOMENT + (timedelta(hours=step) if self._hourly else timedelta(days=step))
        if moment.year > _LAST_YEAR:
            raise ValueError(f"the rows end in {_LAST_YEAR}: later years of two digits are read as earlier ones.")
        return moment

    def _format(self, column: Column) -> str:
        return strptime_format(column.formats[self.dataset.forms[0]][0])

    def _value(self, name: str, moment: datetime, drawn: Row, named: Row) -> str:
        column = self.dataset.columns[name]
        if column.kind in TIMES:
            return moment.replace(tzinfo=UTC).strftime(self._format(column))
        rules = [rule for rule in self._rules if rule.column == name]
        for rule in rules:
            if (value := self._determined(rule, moment, drawn)) is not None:
                return value
        return named[name] if name in named else self._chosen(name, moment, drawn, rules, int(named[""]))

    def _chosen(self, name: str, moment: datetime, drawn: Row, rules: list[Rule], step: int) -> str:
        """Return a value among those that rules leave."""
        column = self.dataset.columns[name]
        if options := self._options(rules, moment, drawn):
            return self.draws.pick(options, 0.5)
        if column.kind in {Kind.IDENTIFIER, Kind.TEXT}:
            return str(step + 1)
        if name in self.dataset.key and column.kind in NUMBERS:
            return number_text(column, usual_range(column)[0] + step)
        if column.kind in {Kind.CATEGORY, Kind.FLAG}:
            known = levels(column)
            return self.draws.pick(known, min(0.6, 2.4 / (len(known) + 1.0)) if column.kind is Kind.CATEGORY else 0.9)
        return number_text(column, self._number(name, column, moment, rules, drawn))

    def _determined(self, rule: Rule, moment: datetime, drawn: Row) -> str | None:
        """Return the only value that a rule leaves; None where it leaves others."""
        known = tuple(self.dataset.columns[rule.column].levels)
        if rule.equals:
            return str(self._part(part_of(rule.equals), moment, drawn))
        if rule.one_to_one:
            return self._partner(rule, str(self._part(part_of(rule.one_to_one), moment, drawn)))
        if rule.follows and known:
            # The first day is a Monday, which is the second of seven days that begin with Sunday.
            return known[(FIRST_MOMENT.isoweekday() + (moment - FIRST_MOMENT).days) % len(known)]
        return exact_sum([drawn[name] for name in rule.sum_of]) if rule.sum_of else None

    def _part(self, named: tuple[str, str], moment: datetime, drawn: Row) -> str | int:
        name, part = named
        if not part:
            return drawn[name]
        if part == "hour" and self.dataset.columns[name].kind is Kind.DATE:
            return 0
        return moment.isoweekday() if part == "weekday" else int(getattr(moment, part))

    def _partner(self, rule: Rule, other: str) -> str:
        """Return the value that goes with another column's: the next one that is free, the first time."""
        known = self._partners.setdefault(id(rule), {})
        if other not in known:
            column, place = self.dataset.columns[rule.column], len(known)
            low, high = usual_range(column) if column.kind in NUMBERS else (1.0, math.inf)
            values = choices(column)
            if place >= len(values) if values else low + place > max(high, limits(column)[1]):
                raise ValueError(f"{rule.column} has no value left for {other}: it {rule.message}.")
            known[other] = values[place] if values else number_text(column, low + place)
        return known[other]

    def _options(self, rules: list[Rule], moment: datetime, drawn: Row) -> tuple[str, ...]:
        """Return what the cases of all rules leave; nothing where no case is met."""
        met = [case.then for rule in rules for case in rule.cases if self._is_met(case.when, moment, drawn)]
        return tuple(value for value in met[0] if all(value in other for other in met)) if met else ()

    def _is_met(self, when: dict[str, tuple[str, ...]], moment: datetime, drawn: Row) -> bool:
        return all(name in drawn and self._is_one_of(name, values, moment, drawn) for name, values in when.items())

    def _is_one_of(self, name: str, values: tuple[str, ...], moment: datetime, drawn: Row) -> bool:
        kind = self.dataset.columns[name].kind
        if kind in TIMES:
            return (moment.date().isoformat() if kind is Kind.DATE else moment.isoformat()) in values
        if kind in NUMBERS:
            return float(drawn[name]) in map(float, values)
        return drawn[name] in values

    def _number(self, name: str, column: Column, moment: datetime, rules: list[Rule], drawn: Row) -> float:
        """Return a number that comes and goes with the year, and varies from row to row."""
        low, high = usual_range(column)
        ceilings = [float(drawn[rule.at_most]) for rule in rules if rule.at_most in drawn]
        if ceilings:
            return low + self.draws.random() * max(0.0, min(high, *ceilings) - low) * 0.9
        # What must not be more than this one has to find its place below.
        low = max([low, *(usual_range(self.dataset.columns[rule.column])[0] for rule in self._bounded_by(name))])
        shift = sum(name.encode()) % 12 / 12.0
        season = math.cos(2.0 * math.pi * (moment.timetuple().tm_yday / 365.0 - shift))
        anomaly = _PERSISTENCE * self._anomalies.get(name, 0.0) + self.draws.normal()
        self._anomalies[name] = anomaly
        middle, half = (low + high) / 2.0, (high - low) / 2.0
        return min(max(middle - half * (0.45 * season + 0.15 * anomaly), low), high)

    def _bounded_by(self, name: str) -> Iterator[Rule]:
        return (rule for rule in self._rules if rule.at_most == name and self.dataset.columns[name].kind in NUMBERS)

    def _make_room(self, name: str, drawn: Row) -> None:
        """Bring a sum into its range, with what it is the sum of: each keeps its place between its own ends."""
        for rule in self._rules:
            if rule.column != name or not rule.sum_of:
                continue
            columns = {part: self.dataset.columns[part] for part in rule.sum_of}
            total, (low, high) = float(drawn[name]), limits(self.dataset.columns[name])
            ends = {part: usual_range(column)[0 if total > high else 1] for part, column in columns.items()}
            if low <= total <= high:
                continue
            share = ((high if total > high else low) - sum(ends.values())) / (total - sum(ends.values()))
            for part, column in columns.items():
                value = ends[part] + (float(drawn[part]) - ends[part]) * share * (1.0 - 1e-3)
                rounded = math.floor(value) if total > high else math.ceil(value)
                drawn[part] = number_text(column, rounded if column.kind is Kind.COUNT else value)
            drawn[name] = exact_sum([drawn[part] for part in rule.sum_of])

    def _answers(self, moment: datetime, drawn: Row) -> Row:
        """Return target and parts: a weighted sum of the inputs, with noise, in the target's range."""
        dataset, target = self.dataset, self.dataset.columns[self.dataset.target]
        total, squares = 0.0, 0.0
        for position, name in enumerate(dataset.inputs):
            weight = (1.0 if position % 3 else -1.0) / (1.0 + position % 4)
            total += weight * (standing(dataset.columns[name], drawn[name]) - 0.5)
            squares += weight**2
        explained = _EXPLAINED * total / (_SPREAD * math.sqrt(squares or 1.0))
        low, high = self._target_range(target, drawn)
        value = min(max(low + (high - low) * (0.5 + explained + _NOISE * self.draws.normal()), low), high)
        known = {*dataset.known_before, dataset.target}
        rules = [rule for rule in dataset.rules if rule.column == dataset.target and set(rule.columns()) <= known]
        options = self._options(rules, moment, drawn)
        text = self.draws.pick(options, 0.5) if options else number_text(target, value)
        parts = self._parts(float(text))
        return {**parts, dataset.target: exact_sum([*parts.values()]) if parts else text}

    def _target_range(self, target: Column, drawn: Row) -> tuple[float, float]:
        """Return the target's range, as far as its parts and other columns leave it."""
        low, high = usual_range(target, _TARGET_WIDTH)
        ends = [limits(self.dataset.columns[part]) for part in self.dataset.parts]
        if ends:
            low, high = max(low, sum(end[0] for end in ends)), min(high, sum(end[1] for end in ends))
        rules = [rule for rule in self.dataset.rules if rule.column == self.dataset.target]
        return low, min([high, *(float(drawn[rule.at_most]) for rule in rules if rule.at_most in drawn)])

    def _parts(self, left: float) -> Row:
        """Split the target into its parts: each but the last is a third of what is left, about."""
        parts: Row = {}
        for place, name in enumerate(self.dataset.parts):
            column, later = self.dataset.columns[name], self.dataset.parts[place + 1 :]
            ends = [limits(self.dataset.columns[part]) for part in later]
            low, high = limits(column)
            share = left * (0.3 + 0.1 * self.draws.random()) if later else left
            # So that the later ones find their place, too.
            share = min(max(share, low, left - sum(end[1] for end in ends)), high, left - sum(end[0] for end in ends))
            parts[name] = number_text(column, share)
            left -= float(parts[name])
        return parts
