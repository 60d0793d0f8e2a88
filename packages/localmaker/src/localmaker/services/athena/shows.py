"""SHOW and DESCRIBE: columns and lines of what the catalog has."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from localmaker.services.athena.failures import QueryFailedError
from localmaker.services.athena.tables import Clients, find_table, partitions_of
from localmaker.services.athena.translation import TableReference
from localmaker.services.athena.views import is_view, view_of


def shown(what: str, arguments: Sequence[str], database: str, clients: Clients) -> tuple[Sequence[str], Iterator[str]]:
    """Return columns and lines of SHOW and DESCRIBE."""
    glue = clients("glue")
    if what == "databases":
        pages = glue.get_paginator("get_databases").paginate()
        names = sorted(one["Name"] for page in pages for one in page["DatabaseList"])
        return ("database_name",), _matching(names, arguments[0])
    if what in ("tables", "views"):
        wanted = arguments[0] or database
        try:
            pages = list(glue.get_paginator("get_tables").paginate(DatabaseName=wanted))
        except glue.exceptions.EntityNotFoundException:
            raise QueryFailedError(f"SCHEMA_NOT_FOUND: line 1:1: Schema '{wanted}' does not exist") from None
        found = [one for page in pages for one in page["TableList"]]
        if what == "views":
            pattern = re.compile(arguments[1] or ".*")  # unlike SHOW TABLES, it takes a regular expression
            names = sorted(one["Name"] for one in found if is_view(one))
            return ("views",), (name for name in names if pattern.fullmatch(name))
        return ("tab_name",), _matching(sorted(one["Name"] for one in found), arguments[1])
    schema, _, name = arguments[0].rpartition(".")
    table = find_table(TableReference(schema or database, name), clients)
    if what == "create_view":
        return ("create_view",), _creating(arguments[0], table)
    keys = table.get("PartitionKeys", [])
    if what == "partitions":
        names = [key["Name"] for key in keys]
        listed = sorted(one["Values"] for one in partitions_of(table, clients))
        return ("partition",), ("/".join(map("=".join, zip(names, values, strict=True))) for values in listed)
    return ("col_name", "data_type", "comment"), _described(table["StorageDescriptor"].get("Columns", []), keys)


def _creating(name: str, table: Mapping[str, Any]) -> Iterator[str]:
    view = view_of(table) if is_view(table) else None
    if view is None:
        raise QueryFailedError(f"NOT_SUPPORTED: line 1:1: '{name}' is not a view")
    yield from f"CREATE VIEW {name} AS\n{view.sql}".splitlines()


def _matching(names: Sequence[str], pattern: str) -> Iterator[str]:
    patterns = pattern.split("|") if pattern else ["*"]
    return (name for name in names if any(fnmatch.fnmatchcase(name, one) for one in patterns))


def _described(columns: Sequence[Mapping[str, str]], keys: Sequence[Mapping[str, str]]) -> Iterator[str]:
    for one in (*columns, *keys):
        yield _padded(one["Name"], one.get("Type", ""), one.get("Comment", ""))
    if keys:
        yield from ("\t \t ", "# Partition Information\t \t ", _padded("# col_name", "data_type", "comment"), "\t \t ")
        yield from (_padded(key["Name"], key.get("Type", ""), key.get("Comment", "")) for key in keys)


def _padded(*cells: str) -> str:
    return "\t".join(cell.ljust(20) for cell in cells)
