"""From Athena's SQL to DuckDB's.

The tables of the catalog become views that the engine creates. What could reach anything else is refused before the
engine sees it: functions in FROM, and functions that Athena does not have.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from localmaker.services.athena.failures import QueryFailedError, function_not_found, not_covered
from localmaker.services.athena.pruning import Condition, conditions_of

_CATALOG = "awsdatacatalog"
#: What the engine calls a column that has no name.
_NAMELESS = "?"
#: Functions of Trino that sqlglot passes on as they are, and that DuckDB has, or its macros (engine/functions.sql).
_SAME_FUNCTIONS = frozenset(
    {
        *("arrays_overlap", "array_union", "bit_count", "bitwise_left_shift", "bitwise_right_shift", "codepoint", "e"),
        *("entropy", "every", "geometric_mean", "hamming_distance", "histogram", "infinity", "is_finite"),
        *("is_infinite", "json_array_length", "map_agg", "map_concat", "map_entries", "map_values", "millisecond"),
        *("nan", "timezone_hour", "to_base", "url_decode", "url_encode", "zip"),
    }
)


@dataclass(frozen=True)
class TableReference:
    """A table of the catalog, where a query reads it.

    Attributes:
        database, name: in lower case.
        view: what it is called in DuckDB.
        place: ``line 1:15``.
        conditions: on its columns.
    """

    database: str
    name: str
    view: str = ""
    place: str = "line 1:1"
    conditions: tuple[Condition, ...] = ()


@dataclass(frozen=True)
class Translation:
    """A query for DuckDB, and the tables that it reads."""

    sql: str
    tables: tuple[TableReference, ...]


def translate(query: Any, database: str) -> Translation:
    """Translate a query.

    Args:
        query: its tree.
        database: of the tables that it does not qualify.

    Raises:
        QueryFailedError: it has something that is not covered.
    """
    from sqlglot import exp
    from sqlglot.errors import ErrorLevel, UnsupportedError

    tree = query.copy()
    require_query(tree)
    tables = tuple(_with_views(tree, database))
    for column in tree.find_all(exp.Column):
        column.set("db", None)
        column.set("catalog", None)
    _name_columns(tree)
    _correct(tree)
    try:
        sql = tree.sql("duckdb", identify=True, comments=False, unsupported_level=ErrorLevel.RAISE)
    except UnsupportedError as error:
        raise not_covered(f"a part of this query ({error})") from error
    return Translation(sql, tables)


def require_query(tree: Any) -> None:
    """Refuse what is no query, or could reach anything but tables.

    Raises:
        QueryFailedError: for that reason.
    """
    from sqlglot import exp

    if not isinstance(tree, exp.Query):
        raise QueryFailedError(f"SYNTAX_ERROR: line 1:1: {tree.sql('athena')[:80]} is no query")
    allowed = (exp.Table, exp.Subquery, exp.Unnest, exp.Values, exp.Lateral, exp.Alias, exp.Paren)
    for node in tree.find_all(exp.From, exp.Join):
        if not isinstance(node.this, allowed):
            raise not_covered(f"{node.this.sql('athena')[:80]} in FROM")
    for node in tree.find_all(exp.Table):
        if not isinstance(node.this, exp.Identifier) or node.args.get("when") or node.args.get("version"):
            raise not_covered(f"{node.sql('athena')[:80]} in FROM")
    for node in tree.find_all(exp.Anonymous):
        if node.name.lower() not in _SAME_FUNCTIONS:
            raise function_not_found(node.name.lower())


def _with_views(tree: Any, database: str) -> Iterator[TableReference]:
    """Replace the tables of the catalog by the engine's views of them."""
    from sqlglot import exp

    for number, table in enumerate(catalog_tables(tree)):
        reference = reference_to(table, database)
        if not table.alias:
            table.set("alias", exp.TableAlias(this=exp.to_identifier(reference.name, quoted=True)))
        view = f"scan_{number}"
        table.set("this", exp.to_identifier(view, quoted=True))
        table.set("db", None)
        table.set("catalog", None)
        yield replace(reference, view=view, conditions=conditions_of(table))


def catalog_tables(tree: Any) -> list[Any]:
    """Return where a query reads tables of the catalog."""
    from sqlglot import exp

    return [one for one in tree.find_all(exp.Table) if not _is_common(one)]


def reference_to(table: Any, database: str) -> TableReference:
    """Return the table that a query reads.

    Raises:
        QueryFailedError: it is of another catalog, or of no database.
    """
    name, schema, catalog = table.name.lower(), (table.db or database).lower(), table.catalog.lower()
    place = place_of(table.this)
    if catalog not in ("", _CATALOG):
        raise not_covered(f"the catalog {catalog}")
    if not schema:
        raise QueryFailedError(f"MISSING_SCHEMA_NAME: {place}: Schema must be specified when session schema is not set")
    return TableReference(schema, name, "", place)


def _is_common(table: Any) -> bool:
    """Return whether a name is that of a common table expression in whose scope it stands."""
    from sqlglot import exp

    if table.db:
        return False
    child, node = table, table.parent
    while node is not None:
        common = node.args.get("with_") if not isinstance(node, exp.With) else None
        if common is not None:
            known = list(common.expressions)
            if child is common and not common.args.get("recursive"):
                inside = table.find_ancestor(exp.CTE)
                while inside is not None and inside.parent is not common:
                    inside = inside.find_ancestor(exp.CTE)
                known = known[: known.index(inside)] if inside in known else known
            if any(one.alias.lower() == table.name.lower() for one in known):
                return True
        child, node = node, node.parent
    return False


def _name_columns(tree: Any) -> None:
    """Give the columns of a result names, as Athena does: those that have none are numbered by the engine."""
    from sqlglot import exp

    select = tree
    while not isinstance(select, exp.Select):
        if not isinstance(select, (exp.SetOperation, exp.Subquery, exp.Paren)):
            return
        select = select.this
    named = [
        one
        if one.is_star or isinstance(one, (exp.Alias, exp.Column, exp.Dot))
        else exp.alias_(one.copy(), _NAMELESS, quoted=True)
        for one in select.expressions
    ]
    select.set("expressions", named)


def _correct(tree: Any) -> None:
    """Correct what sqlglot translates into something else."""
    from sqlglot import exp

    for node in tree.find_all(exp.Div):
        node.set("typed", False)
    # Trino gives NULL where nothing matches, DuckDB an empty string. Inner ones first.
    for node in reversed(list(tree.find_all(exp.RegexpExtract))):
        found = exp.RegexpLike(this=node.this.copy(), expression=node.expression.copy())
        node.replace(exp.Case(ifs=[exp.If(this=found, true=node.copy())]))


def place_of(identifier: Any) -> str:
    """Return where an identifier stands, as in messages."""
    meta = identifier.meta if identifier is not None else {}
    width = meta.get("end", 0) - meta.get("start", 0)
    return f"line {meta.get('line', 1)}:{max(meta.get('col', 1) - width, 1)}"
