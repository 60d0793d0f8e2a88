"""Views of the catalog: Glue tables of the type VIRTUAL_VIEW, whose text Presto encodes, and queries that read them.

``ViewOriginalText`` is ``/* Presto View: <base64> */`` around JSON with the SQL, the schema of names that it does not
qualify, and the columns. In a query, the view's own query takes its place, so that its tables are read with the rights
of who has started the query, as in Athena.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from localmaker.errors import AwsError
from localmaker.services.athena.failures import QueryFailedError, not_covered
from localmaker.services.athena.statements import tree_of
from localmaker.services.athena.translation import TableReference, catalog_tables, reference_to, require_query

VIRTUAL_VIEW = "VIRTUAL_VIEW"
_TEXT = re.compile(r"/\* Presto View: ([A-Za-z0-9+/=\s]+) \*/")
_KEPT = ("joins", "laterals", "pivots", "sample")
_MOST = 200  # views that one query reads, each as often as it is named

#: Returns a table of the catalog.
FindTable = Callable[[TableReference], Mapping[str, Any]]


@dataclass(frozen=True)
class View:
    """What a view's text says.

    Attributes:
        sql: its query.
        schema: database of the names that the query does not qualify.
        columns: their names; none if the text does not say.
    """

    sql: str
    schema: str
    columns: tuple[str, ...] = ()


def is_view(table: Mapping[str, Any]) -> bool:
    """Return whether a table of the catalog is a view."""
    return table.get("TableType") == VIRTUAL_VIEW


def view_of(table: Mapping[str, Any]) -> View | None:
    """Return the view that a table of the catalog is; None if its text is not Presto's."""
    found = _TEXT.fullmatch(str(table.get("ViewOriginalText", "")).strip())
    try:
        said = json.loads(base64.b64decode(found[1])) if found else {}
        columns = tuple(str(one["name"]).lower() for one in said.get("columns") or ())
        return View(said["originalSql"], str(said.get("schema") or table["DatabaseName"]).lower(), columns)
    except (ValueError, KeyError, TypeError, AttributeError):
        return None


def view_text(sql: str, schema: str, columns: Sequence[tuple[str, str]]) -> str:
    """Return the text of a view, as Athena stores it.

    Args:
        sql: its query.
        schema: database of the names that the query does not qualify.
        columns: name and Presto's type of each.
    """
    described = [{"name": name, "type": kind} for name, kind in columns]
    said = {"originalSql": sql, "catalog": "awsdatacatalog", "schema": schema, "columns": described}
    return f"/* Presto View: {base64.b64encode(json.dumps(said).encode()).decode()} */"


def expanded(query: Any, database: str, find_table: FindTable, made: tuple[str, str] | None = None) -> Any:
    """Return a query with the queries of its views in their place.

    Args:
        query: its tree.
        database: of the tables that it does not qualify.
        find_table: looks a table up.
        made: database and name of the view that the query is to become.

    Raises:
        QueryFailedError: a table is missing, or a view cannot be read or reads itself.
    """
    tree = query.copy()
    return _Expansion(find_table, made).of(tree, database, () if made is None else (made,))


@dataclass
class _Expansion:
    find_table: FindTable
    made: tuple[str, str] | None
    count: int = field(default=0)

    def of(self, tree: Any, database: str, within: tuple[tuple[str, str], ...]) -> Any:
        """Return a tree with all names qualified and no view; ``within`` are the views whose query it is."""
        from sqlglot import exp

        require_query(tree)
        for table in catalog_tables(tree):
            reference = reference_to(table, database)
            found = self.find_table(reference)
            if not is_view(found):
                table.set("db", exp.to_identifier(reference.database, quoted=True))
                continue
            self.count += 1
            if self.count > _MOST:
                raise not_covered(f"a query that reads more than {_MOST} views")
            view, inner = self._query(found, reference, within)
            alias = table.args.get("alias") or exp.TableAlias(this=exp.to_identifier(reference.name, quoted=True))
            if not alias.args.get("columns"):
                alias.set("columns", [exp.to_identifier(name, quoted=True) for name in view.columns])
            kept = {name: table.args.get(name) for name in _KEPT}
            table.replace(exp.Subquery(this=inner, alias=alias.copy(), **kept))
        return tree

    def _query(
        self, table: Mapping[str, Any], reference: TableReference, within: tuple[tuple[str, str], ...]
    ) -> tuple[View, Any]:
        name = (reference.database, reference.name)
        if name in within:
            reason = "Statement would create a recursive view" if name == self.made else "View is recursive"
            raise QueryFailedError(f"VIEW_IS_RECURSIVE: {reference.place}: {reason}")
        failed = f"INVALID_VIEW: {reference.place}: Failed analyzing stored view 'awsdatacatalog.{'.'.join(name)}'"
        view = view_of(table)
        if view is None:
            raise QueryFailedError(f"{failed}: its text is not that of a Presto view")
        try:
            return view, self.of(tree_of(view.sql), view.schema, (*within, name))
        except AwsError as error:
            raise QueryFailedError(f"{failed}: {error.message}") from None
        except QueryFailedError as error:
            if str(error).startswith(("VIEW_IS_RECURSIVE", "NOT_SUPPORTED", "INVALID_VIEW")):
                raise
            raise QueryFailedError(f"{failed}: {str(error).partition(': ')[2]}") from None
