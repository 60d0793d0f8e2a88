"""Tables of the catalog as views in DuckDB, over files that were copied for the query.

A column has the type that the catalog gives it. A value that does not have it fails the query when the query uses it,
as in Athena, with HIVE_BAD_DATA. Parquet columns are found by name; cells of text files by position.
"""

from __future__ import annotations

import csv
import gzip
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

from localmaker.services.athena.engine.cells import quoted

_PATH, _NO_VALUE = "$path", "__HIVE_DEFAULT_PARTITION__"
_LONGEST_CELL = 1 << 30
_INTEGERS = ("TINYINT", "SMALLINT", "INT", "INTEGER", "BIGINT")
#: Types of Parquet columns that Athena reads as one another.
_FAMILIES = (
    (*_INTEGERS, "UTINYINT", "USMALLINT", "UINTEGER"),
    ("FLOAT", "REAL", "DOUBLE"),
    ("VARCHAR", "TEXT", "CHAR", "BPCHAR"),
    ("TIMESTAMP", "TIMESTAMP_S", "TIMESTAMP_MS", "TIMESTAMP_NS", "TIMESTAMP WITH TIME ZONE"),
)
_NESTED = ("[", "(")


class BadDataError(Exception):
    """The files of a table are not what the catalog says."""


@dataclass(frozen=True)
class Column:
    """A column of the catalog, or a key of its partitions.

    Attributes:
        name: in lower case.
        type: as DuckDB writes it.
    """

    name: str
    type: str


@dataclass(frozen=True)
class Scan:
    """What a view reads.

    Attributes:
        name: of the view.
        format: ``parquet``, ``opencsv`` or ``text`` (LazySimpleSerDe).
        columns, keys: of the table, and of its partitions.
        files: path of each copy, and the values of its partition.
        options: of the text formats: ``delimiter``, ``quote``, ``escape``, ``header`` (lines to skip).
    """

    name: str
    format: str
    columns: Sequence[Column]
    keys: Sequence[Column]
    files: Sequence[tuple[str, Sequence[str]]]
    options: dict[str, Any]


def create_view(connection: Any, scan: Scan) -> None:
    """Create the view of a table.

    Raises:
        BadDataError: a column of a Parquet file has another type than in the catalog.
    """
    if not scan.files:
        empty = ", ".join(f"CAST(NULL AS {one.type}) AS {_name(one.name)}" for one in (*scan.columns, *scan.keys))
        connection.execute(f"CREATE VIEW {scan.name} AS SELECT {empty} WHERE false")
        return
    reader, columns = _parquet(connection, scan) if scan.format == "parquet" else _text(scan)
    source = f"{reader} AS f"
    if scan.keys:
        names = ", ".join(_name(name) for name in (_PATH, *(one.name for one in scan.keys)))
        rows = ", ".join(f"({', '.join(map(_literal, (_clean(scan, path), *values)))})" for path, values in scan.files)
        source += f" JOIN (VALUES {rows}) AS p ({names}) ON f.{_name(_PATH)} = p.{_name(_PATH)}"
        keys = [(f"nullif(p.{_name(one.name)}, {_literal(_NO_VALUE)})", one) for one in scan.keys]
        columns += [f"CAST({value} AS {one.type}) AS {_name(one.name)}" for value, one in keys]
    connection.execute(f"CREATE VIEW {scan.name} AS FROM {source} SELECT {', '.join(columns)}")


def _parquet(connection: Any, scan: Scan) -> tuple[str, list[str]]:
    paths = ", ".join(_literal(path) for path, _ in scan.files)
    reader = f"read_parquet([{paths}], union_by_name=true, hive_partitioning=false, filename={_literal(_PATH)})"
    described = connection.execute(f"DESCRIBE FROM {reader}").fetchall()
    found = {name.lower(): (name, kind) for name, kind, *_ in described}
    columns = []
    for one in scan.columns:
        name, kind = found.get(one.name, ("", ""))
        if name and not _readable_as(kind, one.type):
            raise BadDataError(
                f"HIVE_BAD_DATA: Field {one.name}'s type {kind} in the parquet files of the table is incompatible with "
                f"type {one.type.lower()} defined in table schema"
            )
        columns.append(f"CAST({f'f.{_name(name)}' if name else 'NULL'} AS {one.type}) AS {_name(one.name)}")
    return reader, columns


def _readable_as(found: str, wanted: str) -> bool:
    if any(mark in found and not found.startswith("DECIMAL") for mark in _NESTED):
        return any(mark in wanted for mark in _NESTED) and not wanted.startswith(("DECIMAL", "VARCHAR", "TEXT"))
    plain = found.partition("(")[0], wanted.partition("(")[0]
    return '"NULL"' in found or plain[0] == plain[1] or any(set(plain) <= set(family) for family in _FAMILIES)


def _text(scan: Scan) -> tuple[str, list[str]]:
    csv.field_size_limit(_LONGEST_CELL)
    for path, _ in scan.files:
        _write_clean(scan, path)
    paths = ", ".join(_literal(_clean(scan, path)) for path, _ in scan.files)
    types = ", ".join(f"{_literal(one.name)}: 'VARCHAR'" for one in scan.columns)
    reader = (
        f"read_csv([{paths}], columns={{{types}}}, header=false, auto_detect=false, delim=',', quote='\"', "
        f"escape='\"', nullstr='', allow_quoted_nulls=false, hive_partitioning=false, filename={_literal(_PATH)})"
    )
    return reader, [f"{_typed(scan, one, number)} AS {_name(one.name)}" for number, one in enumerate(scan.columns)]


def _typed(scan: Scan, column: Column, number: int) -> str:
    """Return the expression that reads a cell as the column's type."""
    cell, kind = f"f.{_name(column.name)}", column.type.partition("(")[0]
    if kind in ("VARCHAR", "TEXT", "CHAR", "BPCHAR"):
        return cell
    if scan.format == "text":  # An empty cell is no number, and NULL.
        cell = f"nullif({cell}, '')"
    value = f"TRY_CAST({cell} AS {column.type})"
    if kind in _INTEGERS:
        value = f"CASE WHEN regexp_full_match({cell}, '[+-]?[0-9]+') THEN {value} END"
    elif kind == "BOOLEAN":
        value = f"CASE lower({cell}) WHEN 'true' THEN true WHEN 'false' THEN false END"
    elif scan.format == "opencsv" and kind == "DATE":  # Days, and milliseconds, since 1970.
        value = f"DATE '1970-01-01' + TRY_CAST({cell} AS INTEGER)"
    elif scan.format == "opencsv" and kind.startswith("TIMESTAMP"):
        value = f"epoch_ms(TRY_CAST({cell} AS BIGINT))"
    failure = (
        f"error('HIVE_BAD_DATA: Error parsing field value ''' || {cell} || ''' for field {number}: "
        f"For input string: \"' || {cell} || '\"')"
    )
    return f"CASE WHEN {cell} IS NULL THEN NULL ELSE coalesce({value}, {failure}) END"


def _clean(scan: Scan, path: str) -> str:
    return path if scan.format == "parquet" else f"{path}.clean"


def _write_clean(scan: Scan, path: str) -> None:
    """Write the cells that the table's SerDe reads in a form that DuckDB reads without doubt."""
    opened: Any = gzip.open if path.endswith(".gz") else open
    with (
        opened(path, "rt", encoding="utf-8", errors="replace", newline="\n") as source,
        Path(_clean(scan, path)).open("w", encoding="utf-8", newline="") as target,
    ):
        width = len(scan.columns)
        for number, cells in enumerate(_rows(scan, source)):
            if number >= int(scan.options["header"]):
                padded = [*cells[:width], *[None] * (width - len(cells))]
                target.write(",".join(map(quoted, padded)) + "\n")


def _rows(scan: Scan, source: TextIO) -> Iterator[list[str | None]]:
    """Yield the rows; neither SerDe knows of line breaks within a cell."""
    delimiter = scan.options["delimiter"]
    for whole in source:
        line = whole.rstrip("\n").removesuffix("\r")
        if scan.format == "text":
            yield [None if cell == "\\N" else cell for cell in line.split(delimiter)]
            continue
        quote, escape = scan.options["quote"], scan.options["escape"]
        form: dict[str, Any] = {"escapechar": escape} if escape not in (quote, "\0") else {}
        yield [*next(csv.reader([line], delimiter=delimiter, quotechar=quote, **form), [""])]


def _name(name: str) -> str:
    return '"{}"'.format(name.replace('"', '""'))


def _literal(text: str) -> str:
    return "'{}'".format(text.replace("'", "''"))
