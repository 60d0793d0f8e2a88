"""Conditions on partitions: what a query says of a key decides which objects it reads.

Only comparisons of a key with literals count, in a WHERE that all rows of the table have to pass. The engine applies
WHERE in any case.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

_INTEGERS = ("tinyint", "smallint", "int", "integer", "bigint")


@dataclass(frozen=True)
class Condition:
    """A comparison of a column with literals: ``compare`` is called with the value and each, and one must be true."""

    column: str
    compare: Callable[[Any, Any], bool]
    literals: Sequence[str | int]


def conditions_of(table: Any) -> tuple[Condition, ...]:
    """Return the conditions on the columns of a table that stands in FROM or JOIN.

    Args:
        table: its node, whose alias is set.
    """
    from sqlglot import exp

    select = table.find_ancestor(exp.Select)
    where = select.args.get("where") if select is not None else None
    if where is None or table.parent.parent is not select or any(one.side for one in select.args.get("joins") or ()):
        return ()
    parts = where.this.flatten() if isinstance(where.this, exp.And) else [where.this]
    found = [_condition(one.unnest(), table.alias.lower()) for one in parts]
    return tuple(one for one in found if one is not None)


def _condition(node: Any, alias: str) -> Condition | None:
    from sqlglot import exp

    comparisons = {
        exp.EQ: operator.eq,
        exp.GT: operator.gt,
        exp.GTE: operator.ge,
        exp.LT: operator.lt,
        exp.LTE: operator.le,
        exp.In: operator.eq,
    }
    compare = comparisons.get(type(node))
    column = node.this if compare is not None else None
    if compare is None or not isinstance(column, exp.Column) or column.table.lower() not in ("", alias):
        return None
    values = node.expressions if isinstance(node, exp.In) else [node.expression]
    if not values or not all(isinstance(one, exp.Literal) and (one.is_string or one.is_int) for one in values):
        return None
    return Condition(column.name.lower(), compare, [one.name if one.is_string else int(one.name) for one in values])


def may_match(conditions: Sequence[Condition], partition: Mapping[str, str], types: Mapping[str, str]) -> bool:
    """Return whether rows of a partition may pass the conditions.

    Args:
        conditions: of the table.
        partition: key → value.
        types: key → type in the catalog.
    """
    for one in conditions:
        if one.column not in partition:
            continue
        text, is_number = partition[one.column], types[one.column] in _INTEGERS
        if any(isinstance(literal, int) is not is_number for literal in one.literals):
            continue  # The engine knows what it means to compare a text with a number.
        if is_number and not text.lstrip("-").isdecimal():
            continue
        value: Any = int(text) if is_number else text
        if types[one.column] in (*_INTEGERS, "string", "varchar") and not any(
            one.compare(value, literal) for literal in one.literals
        ):
            return False
    return True
