"""Whether a rule can be asked of its columns: sums are of numbers, and a level that no cell can have is a slip."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from time import strftime, strptime

from analysis.dataset.columns import NUMBERS, TIMES, Column, Kind
from analysis.dataset.rules import Rule, part_of

_TIMES = {Kind.DATE: "%Y-%m-%d", Kind.DATETIME: "%Y-%m-%dT%H:%M:%S"}
_NUMBER = re.compile(r"-?[0-9]+(\.[0-9]+)?")


def problems_of_operands(rule: Rule, columns: Mapping[str, Column]) -> Iterator[str]:
    """Yield what is wrong with a rule for these columns, each beginning with its field; it names none but them."""
    yield from _problems_of_kinds(rule, columns)
    yield from _problems_of_dates(rule, columns)
    for number, case in enumerate(rule.cases):
        asked = [(f"when.{name}", name, values) for name, values in case.when.items()]
        for where, name, values in [*asked, ("then", rule.column, case.then)]:
            slips = [value for value in values if not _can_be(columns[name], value)]
            yield from (f"cases.{number}.{where}: {name} can't be {value!r}" for value in slips)


def _problems_of_kinds(rule: Rule, columns: Mapping[str, Column]) -> Iterator[str]:
    own = columns[rule.column]
    for name in (rule.column, *rule.sum_of) if rule.sum_of else ():
        if columns[name].kind not in NUMBERS:
            yield f"sum_of: {name} is of kind {columns[name].kind}, and only numbers have a sum"
    if rule.at_most:
        kinds = {own.kind, columns[rule.at_most].kind}
        if not (kinds <= NUMBERS or (len(kinds) == 1 and kinds <= TIMES)):
            yield f"at_most: {rule.column} and {rule.at_most} can't be compared; use two numbers, dates or moments"
    if rule.follows and not own.levels:
        yield f"follows: {rule.column} has no levels that could follow one another"


def _problems_of_dates(rule: Rule, columns: Mapping[str, Column]) -> Iterator[str]:
    own = columns[rule.column]
    if rule.equals and not (own.kind in NUMBERS or own.has_whole_levels):
        yield f"equals: a part of a date is a whole number, and {rule.column} has none"
    for field, text in (("equals", rule.equals), ("one_to_one", rule.one_to_one)):
        name, part = part_of(text)
        if part == "hour" and columns[name].kind is Kind.DATE:
            yield f"{field}: {name} is a date and has no hour"


def _is_written(value: str, form: str) -> bool:
    """Whether a text is a moment, in exactly this form."""
    try:
        return strftime(form, strptime(value, form)) == value
    except ValueError:
        return False


def _can_be(column: Column, value: str) -> bool:
    if column.levels:
        return value in column.levels
    if column.kind is Kind.FLAG:
        return value in {"0", "1"}
    if column.kind in TIMES:
        return _is_written(value, _TIMES[column.kind])
    return column.kind not in NUMBERS or _NUMBER.fullmatch(value) is not None
