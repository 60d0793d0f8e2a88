"""Errors of DuckDB as Athena's reasons."""

from __future__ import annotations

import re
from typing import Any

from localmaker.services.athena.translation import place_of

_MISSING = "Column '{name}' cannot be resolved or requester is not authorized to access requested resources"
#: What DuckDB says → the reason; ``name`` is what is in quotes, ``place`` where that stands in the query.
_REASONS = (
    (r"(HIVE_BAD_DATA: .*?)\s*\Z", "{text}"),
    (r'Referenced column "([^"]+)" not found', f"COLUMN_NOT_FOUND: {{place}}: {_MISSING}"),
    (r'does not have a column named "([^"]+)"', f"COLUMN_NOT_FOUND: {{place}}: {_MISSING}"),
    (r'Referenced table "([^"]+)" not found', f"COLUMN_NOT_FOUND: {{place}}: {_MISSING}"),
    (
        r'column "([^"]+)" must appear in the GROUP BY',
        "EXPRESSION_NOT_AGGREGATE: {place}: '{name}' must be an aggregate expression or appear in GROUP BY clause",
    ),
    (
        r"Function with name (\S+) does not exist",
        "FUNCTION_NOT_FOUND: Function '{name}' not registered, or not covered by the local endpoint",
    ),
    (
        r"(No magic bytes|[Nn]ot a [Pp]arquet|[Pp]arquet file)",
        "HIVE_BAD_DATA: an object of the table is no Parquet file",
    ),
    (r"(Division by zero)", "DIVISION_BY_ZERO: {text}"),
    (
        r"(More than one row) returned by a subquery",
        "SUBQUERY_MULTIPLE_ROWS: Scalar sub-query has returned multiple rows",
    ),
)
_KINDS = {
    "ConversionException": "INVALID_CAST_ARGUMENT",
    "OutOfRangeException": "NUMERIC_VALUE_OUT_OF_RANGE",
    "OutOfMemoryException": "EXCEEDED_LOCAL_MEMORY_LIMIT",
    "BinderException": "TYPE_MISMATCH",
    "ParserException": "SYNTAX_ERROR",
}


def reason_of(error: str, message: str, query: Any) -> str:
    """Return StateChangeReason for an error of DuckDB.

    Args:
        error: name of its exception.
        message: its text.
        query: the tree of the query, for the places of names.
    """
    for pattern, reason in _REASONS:
        if found := re.search(pattern, message, re.DOTALL):
            return reason.format(text=found[1], name=found[1].lower(), place=_place_of_name(query, found[1]))
    said = message.partition("\n")[0].partition(": ")[2] or message
    return f"{_KINDS.get(error, 'GENERIC_USER_ERROR')}: {said} (the local endpoint runs queries on DuckDB)"


def _place_of_name(query: Any, name: str) -> str:
    from sqlglot import exp

    found = [one for one in query.find_all(exp.Identifier) if one.name.lower() == name.lower() and one.meta]
    return place_of(min(found, key=lambda one: one.meta["start"], default=None))
