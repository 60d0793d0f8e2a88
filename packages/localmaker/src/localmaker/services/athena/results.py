"""Results: the columns that Athena describes, and pages of the file that holds the rows."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

_TYPES = {
    "BOOLEAN": ("boolean", 0, 0),
    "TINYINT": ("tinyint", 3, 0),
    "UTINYINT": ("smallint", 5, 0),
    "SMALLINT": ("smallint", 5, 0),
    "USMALLINT": ("integer", 10, 0),
    "INTEGER": ("integer", 10, 0),
    "FLOAT": ("float", 17, 0),
    "DOUBLE": ("double", 17, 0),
    "DATE": ("date", 0, 0),
    "TIME": ("time", 3, 0),
    "INTERVAL": ("interval day to second", 0, 0),
    "BLOB": ("varbinary", 1073741824, 0),
    "TIMESTAMP WITH TIME ZONE": ("timestamp with time zone", 3, 0),
}
_TEXT = ("varchar", 2147483647, 0)
_BIGINT = ("bigint", 19, 0)
_COLLECTIONS = {"MAP": "map", "STRUCT": "row", "TUPLE": "row"}
_CELL = re.compile(r'(?:"((?:[^"]|"")*)")?(,|\Z)', re.DOTALL)


def column_info(name: str, kind: str) -> dict[str, Any]:
    """Return ColumnInfo.

    Args:
        name: of the column.
        kind: its type, as DuckDB writes it.
    """
    athena, precision, scale = _type_of(kind)
    return {
        "CatalogName": "hive",
        "SchemaName": "",
        "TableName": "",
        "Name": name,
        "Label": name,
        "Type": athena,
        "Precision": precision,
        "Scale": scale,
        "Nullable": "UNKNOWN",
        "CaseSensitive": athena == "varchar",
    }


def _type_of(kind: str) -> tuple[str, int, int]:
    plain, _, arguments = kind.partition("(")
    if kind.endswith("]"):
        return "array", 0, 0
    if plain in _COLLECTIONS:
        return _COLLECTIONS[plain], 0, 0
    if plain == "DECIMAL":
        precision, scale = arguments.rstrip(")").split(",")
        return "decimal", int(precision), int(scale)
    if plain.endswith(("BIGINT", "HUGEINT", "UINTEGER")):
        return _BIGINT
    if plain.startswith("TIMESTAMP") and "ZONE" not in plain:
        return "timestamp", 3, 0
    return _TYPES.get(plain, ("unknown", 0, 0) if kind == '"NULL"' else _TEXT)


def records_of(body: Iterator[bytes], limit: int) -> tuple[list[bytes], bool]:
    """Return the first records of a CSV file with their line ends, and whether there are more.

    Args:
        body: pieces of the file, from the start of a record.
        limit: of their number.
    """
    found: list[bytes] = []
    pending = b""
    for piece in body:
        lines, pending = _lines(pending + piece), b""
        for line in lines:
            pending += line
            # A line break within quotes belongs to the cell.
            if pending.endswith(b"\n") and pending.count(b'"') % 2 == 0:
                if len(found) == limit:
                    return found, True
                found.append(pending)
                pending = b""
    return found, False


def _lines(text: bytes) -> Iterator[bytes]:
    start = 0
    while (end := text.find(b"\n", start) + 1) > 0:
        yield text[start:end]
        start = end
    if start < len(text):
        yield text[start:]


def cells_of(record: bytes) -> list[str | None]:
    """Return the cells of a record; NULL is None."""
    text, position = record.decode().removesuffix("\n"), 0
    cells: list[str | None] = []
    while (found := _CELL.match(text, position)) is not None:
        cells.append(None if found[1] is None else found[1].replace('""', '"'))
        position = found.end()
        if not found[2]:
            break
    return cells


def row_of(cells: Sequence[str | None]) -> dict[str, Any]:
    """Return a Row; NULL has no value."""
    return {"Data": [{} if cell is None else {"VarCharValue": cell} for cell in cells]}
