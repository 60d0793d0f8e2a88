"""CREATE VIEW and DROP VIEW: what they change in the catalog, with the rights of who has started them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from localmaker.services.athena.failures import QueryFailedError
from localmaker.services.athena.statements import Statement
from localmaker.services.athena.tables import Clients, find_table
from localmaker.services.athena.translation import TableReference
from localmaker.services.athena.views import VIRTUAL_VIEW, is_view, view_text

#: Returns name and DuckDB's type of each column of the statement's query, as a view of the given database and name.
Describe = Callable[[tuple[str, str]], Sequence[tuple[str, str]]]


def create_view(statement: Statement, database: str, clients: Clients, describe: Describe) -> None:
    """Put a view into the catalog.

    Raises:
        QueryFailedError: its query cannot be analysed, it would read itself, or there is something of its name.
    """
    schema, name, replaces = statement.arguments
    schema = schema or database
    table = _existing(schema, name, clients)
    if table is not None and not (replaces and is_view(table)):
        raise QueryFailedError(f"ALREADY_EXISTS: View already exists: '{schema}.{name}'")
    columns = describe((schema, name))
    described = {
        "Name": name,
        "TableType": VIRTUAL_VIEW,
        "Parameters": {"presto_view": "true", "comment": "Presto View"},
        "PartitionKeys": [],
        "StorageDescriptor": {
            "Columns": [{"Name": column, "Type": _type(kind, "hive")} for column, kind in columns],
            "Location": "",
            "SerdeInfo": {},
        },
        "ViewOriginalText": view_text(
            statement.sql, database, [(column, _type(kind, "trino")) for column, kind in columns]
        ),
        "ViewExpandedText": "/* Presto View */",
    }
    change = clients("glue").create_table if table is None else clients("glue").update_table
    change(DatabaseName=schema, TableInput=described)


def drop_view(statement: Statement, database: str, clients: Clients) -> None:
    """Remove a view from the catalog.

    Raises:
        QueryFailedError: there is none of this name, and the statement asks for one.
    """
    schema, name, is_optional = statement.arguments
    schema = schema or database
    table = _existing(schema, name, clients)
    if table is None and is_optional:
        return
    if table is None or not is_view(table):
        problem = "does not exist" if table is None else "is a table, not a view"
        raise QueryFailedError(f"TABLE_NOT_FOUND: line 1:1: View 'awsdatacatalog.{schema}.{name}' {problem}")
    clients("glue").delete_table(DatabaseName=schema, Name=name)


def _existing(database: str, name: str, clients: Clients) -> dict[str, Any] | None:
    try:
        return find_table(TableReference(database, name), clients)
    except QueryFailedError as error:
        if str(error).startswith("TABLE_NOT_FOUND"):
            return None
        raise


def _type(kind: str, dialect: str) -> str:
    """Return a type of DuckDB's as Hive or Presto writes it."""
    from sqlglot import exp

    if kind.startswith("TIMESTAMP"):
        zoned = " with time zone" if "TIME ZONE" in kind else ""
        return "timestamp" if dialect == "hive" else f"timestamp(3){zoned}"
    wide = {"HUGEINT": "BIGINT", "UBIGINT": "BIGINT"}.get(kind, kind)
    name = exp.DataType.build(wide, dialect="duckdb").sql(dialect).lower()
    return name.replace(" ", "") if dialect == "hive" else name
