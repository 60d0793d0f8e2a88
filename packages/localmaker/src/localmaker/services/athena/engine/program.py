"""The program of the process: it reads a job as a line of JSON from standard input, and writes the answer as another.

DuckDB reads and writes nothing but the folder of the job. It loads no extension, and its settings are locked before it
sees a query. The process ends when its standard input does, so that it never outlives the endpoint.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import threading
from pathlib import Path
from typing import Any

from localmaker.services.athena.engine.cells import quoted, text_of
from localmaker.services.athena.engine.scans import BadDataError, Column, Scan, create_view

_MEMORY, _SPILL, _THREADS = "1GB", "10GB", 2
_ROWS_AT_A_TIME = 10_000
_FUNCTIONS = Path(__file__).with_name("functions.sql")
_UNKNOWN = '"NULL"'
#: The name that the translation gives to a column without one.
_NAMELESS = "?"


def main() -> int:
    """Run one job."""
    job = json.loads(sys.stdin.readline())
    threading.Thread(target=_end_with_the_endpoint, daemon=True).start()
    sys.stdout.write(json.dumps(_answer(job)))
    return 0


def _end_with_the_endpoint() -> None:
    sys.stdin.read()
    os._exit(1)


def _answer(job: dict[str, Any]) -> dict[str, Any]:
    duckdb = importlib.import_module("duckdb")
    try:
        connection = open_database(Path(job["folder"]))
        for one in job["scans"]:
            columns, keys = ([Column(*column) for column in one[name]] for name in ("columns", "keys"))
            create_view(connection, Scan(one["name"], one["format"], columns, keys, one["files"], one["options"]))
        if "describe" in job:
            return _described(connection, job["sql"])
        return _export(connection, job) if "export" in job else _result(connection, job)
    except BadDataError as error:
        return {"error": "BadData", "message": str(error)}
    except duckdb.Error as error:
        return {"error": type(error).__name__, "message": str(error)}


def open_database(folder: Path) -> Any:
    """Return a connection to an empty database in memory that has no way out of a folder."""
    duckdb = importlib.import_module("duckdb")
    settings = {
        "autoinstall_known_extensions": "false",
        "autoload_known_extensions": "false",
        "allow_community_extensions": "false",
        "python_enable_replacements": "false",
        "memory_limit": _MEMORY,
        "threads": str(_THREADS),
        "temp_directory": str(folder / "spill"),
        "max_temp_directory_size": _SPILL,
    }
    connection = duckdb.connect(":memory:", config=settings)
    connection.execute(_FUNCTIONS.read_text(encoding="utf-8"))
    # As in Trino, integers are divided as integers.
    connection.execute("SET TimeZone = 'UTC'; SET integer_division = true")
    connection.execute("SET allowed_directories = ['{}/']".format(str(folder).replace("'", "''")))
    connection.execute("SET enable_external_access = false; SET lock_configuration = true")
    return connection


def _result(connection: Any, job: dict[str, Any]) -> dict[str, Any]:
    cursor = connection.execute(job["sql"])
    columns = [[name, str(kind)] for name, kind, *_ in cursor.description]
    single = [kind == "FLOAT" for _, kind in columns]
    count = 0
    with Path(job["output"]).open("w", encoding="utf-8", newline="") as file:
        file.write(",".join(quoted(name) for name in _named(columns)) + "\n")
        while rows := cursor.fetchmany(_ROWS_AT_A_TIME):
            count += len(rows)
            for row in rows:
                cells = (None if v is None else text_of(v, single=s) for v, s in zip(row, single, strict=True))
                file.write(",".join(map(quoted, cells)) + "\n")
    return {"columns": list(zip(_named(columns), (kind for _, kind in columns), strict=True)), "rows": count}


def _named(columns: list[list[str]]) -> list[str]:
    """Return the names of columns; those without one are numbered."""
    return [f"_col{number}" if name == _NAMELESS else name.lower() for number, (name, _) in enumerate(columns)]


def _export(connection: Any, job: dict[str, Any]) -> dict[str, Any]:
    """Write the rows of a query as Parquet, in a folder for each partition."""
    export, described = job["export"], _described(connection, job["sql"])
    if "error" in described:
        return described
    columns = described["columns"]
    connection.execute(f"CREATE VIEW exported AS {job['sql']}")
    selected = ", ".join(f'CAST("{name}" AS {_stored_as(kind)}) AS "{name}"' for name, kind in columns)
    partitions = ", ".join(f'"{name}"' for name in export["partitioned_by"])
    options = f", PARTITION_BY ({partitions})" if partitions else ""
    target = Path(job["output"]) if partitions else Path(job["output"]) / "data_0.parquet"
    Path(job["output"]).mkdir()
    copied = connection.execute(
        f"COPY (FROM exported SELECT {selected}{' LIMIT 0' if export['empty'] else ''}) TO '{target}' "
        f"(FORMAT parquet, COMPRESSION {export['compression']}{options})"
    )
    types = [(name, "BIGINT" if kind in ("HUGEINT", "UBIGINT") else kind) for name, kind in columns]
    return {"columns": types, "rows": copied.fetchone()[0]}


def _described(connection: Any, sql: str) -> dict[str, Any]:
    """Return the columns that a table or view of a query has."""
    columns = [(name.lower(), kind) for name, kind, *_ in connection.execute(f"DESCRIBE {sql}").fetchall()]
    problem = _problem(columns)
    return {"error": "Refused", "message": problem} if problem else {"columns": columns}


def _problem(columns: list[tuple[str, str]]) -> str:
    names = [name for name, _ in columns]
    for position, (name, kind) in enumerate(columns, start=1):
        if name == _NAMELESS:
            return f"MISSING_COLUMN_NAME: Column name not specified at position {position}"
        if names.index(name) != position - 1:
            return f"DUPLICATE_COLUMN_NAME: Column name '{name}' specified more than once"
        if kind == _UNKNOWN:
            return f"COLUMN_TYPE_UNKNOWN: Column type is unknown at position {position}"
        if kind in ("TIMESTAMP WITH TIME ZONE", "INTERVAL", "TIME"):
            return f"NOT_SUPPORTED: Unsupported Hive type: {kind.lower()}"
    return ""


def _stored_as(kind: str) -> str:
    if kind in ("HUGEINT", "UBIGINT"):
        return "BIGINT"
    # Athena writes 96-bit timestamps, which readers take as nanoseconds.
    return "TIMESTAMP_NS" if kind.startswith("TIMESTAMP") else kind


if __name__ == "__main__":
    raise SystemExit(main())
