"""Tables of the Glue catalog: their columns, their partitions, and copies of their objects for the engine.

Everything is read with the rights of who has started the query, as in AWS.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from botocore.exceptions import ClientError

from localmaker.services.athena.failures import QueryFailedError, not_covered
from localmaker.services.athena.projection import projection_of
from localmaker.services.athena.pruning import may_match
from localmaker.services.athena.translation import TableReference

#: Returns a client of a service, with the rights of the query.
Clients = Callable[[str], Any]
_SERDES = {"ParquetHiveSerDe": "parquet", "OpenCSVSerde": "opencsv", "LazySimpleSerDe": "text"}


@dataclass(frozen=True)
class StoredObject:
    """An object of a table, and the values of its partition."""

    bucket: str
    key: str
    size: int
    values: Sequence[str]


def find_table(reference: TableReference, clients: Clients) -> dict[str, Any]:
    """Return a table of the catalog.

    Raises:
        QueryFailedError: there is none.
    """
    glue = clients("glue")
    try:
        table: dict[str, Any] = glue.get_table(DatabaseName=reference.database, Name=reference.name)["Table"]
    except ClientError as error:
        if error.response["Error"]["Code"] != "EntityNotFoundException":
            raise
        try:
            glue.get_database(Name=reference.database)
        except glue.exceptions.EntityNotFoundException:
            raise QueryFailedError(
                f"SCHEMA_NOT_FOUND: {reference.place}: Schema '{reference.database}' does not exist"
            ) from None
        raise QueryFailedError(
            f"TABLE_NOT_FOUND: {reference.place}: Table 'awsdatacatalog.{reference.database}.{reference.name}' "
            "does not exist"
        ) from None
    return table


def scan_of(
    reference: TableReference,
    table: Mapping[str, Any],
    clients: Clients,
    folder: Path,
    cancelled: Callable[[], None],
    *,
    empty: bool = False,
) -> tuple[dict[str, Any], int]:
    """Copy a table's objects, and return what the engine needs to know of it, with the number of bytes.

    Args:
        reference: of the query.
        table: of the catalog.
        clients: of S3 and Glue.
        folder: for the copies.
        cancelled: raises if the query has been stopped.
        empty: no row is wanted, and no object is copied.

    Raises:
        QueryFailedError: the table has a format that is not covered.
    """
    storage = table["StorageDescriptor"]
    serde = storage.get("SerdeInfo", {})
    library = str(serde.get("SerializationLibrary", "")).rpartition(".")[2]
    if library not in _SERDES:
        raise not_covered(f"the SerDe {library or 'that the table lacks'} of {reference.database}.{reference.name}")
    columns, keys = (list(_columns(one)) for one in (storage.get("Columns", []), table.get("PartitionKeys", [])))
    files, scanned = [], 0
    types = {key["Name"].lower(): str(key.get("Type", "string")).lower() for key in table.get("PartitionKeys", [])}
    for number, one in enumerate(() if empty else objects_of(table, clients)):
        cancelled()
        if not may_match(reference.conditions, dict(zip(types, one.values, strict=True)), types):
            continue
        suffix = ".gz" if one.key.endswith(".gz") else ""
        path = folder / f"{reference.view}-{number}{suffix}"
        clients("s3").download_file(one.bucket, one.key, str(path))
        files.append([str(path), one.values])
        scanned += one.size
    if any("(" in kind or "[" in kind for _, kind in columns if not kind.startswith("DECIMAL")) and library != (
        "ParquetHiveSerDe"
    ):
        raise not_covered(f"arrays, maps and structs in the text files of {reference.database}.{reference.name}")
    parameters = {**table.get("Parameters", {}), **serde.get("Parameters", {})}
    is_plain = _SERDES[library] == "text"
    options = {
        "delimiter": parameters.get("field.delim") or "\x01" if is_plain else parameters.get("separatorChar", ","),
        "quote": parameters.get("quoteChar", '"'),
        "escape": parameters.get("escapeChar", "\\"),
        "header": int(parameters.get("skip.header.line.count", 0)),
    }
    scan = {"name": reference.view, "format": _SERDES[library], "columns": columns, "keys": keys, "files": files}
    return {**scan, "options": options}, scanned


def _columns(described: Sequence[Mapping[str, str]]) -> Iterator[tuple[str, str]]:
    from sqlglot import exp

    for one in described:
        kind = exp.DataType.build(one.get("Type") or "string", dialect="hive").sql("duckdb").upper()
        yield one["Name"].lower(), "VARCHAR" if kind.startswith("TEXT") else kind


def objects_of(table: Mapping[str, Any], clients: Clients) -> Iterator[StoredObject]:
    """Yield the objects of a table, each with the values of its partition."""
    keys = [key["Name"].lower() for key in table.get("PartitionKeys", [])]
    location = str(table["StorageDescriptor"].get("Location", ""))
    s3 = clients("s3")
    projection = projection_of(table) if keys else None
    if projection is not None:
        for bucket, key, size in list_objects(projection.prefix, s3):
            values = projection.values_of(f"s3://{bucket}/{key}", keys)
            if values is not None:
                yield StoredObject(bucket, key, size, values)
        return
    if not keys:
        yield from (StoredObject(*one, []) for one in list_objects(location, s3))
        return
    listed: list[tuple[str, str, int]] | None = None
    bucket, prefix = _place(location)
    for partition in partitions_of(table, clients):
        where = str(partition["StorageDescriptor"].get("Location", ""))
        own_bucket, own_prefix = _place(where)
        if own_bucket == bucket and own_prefix.startswith(prefix):
            # One list for all: a table may have thousands of partitions.
            listed = sorted(list_objects(location, s3)) if listed is None else listed
            first = bisect_left(listed, (bucket, own_prefix, 0))
            found = list(_starting(listed, first, own_prefix))
        else:
            found = list(list_objects(where, s3))
        yield from (StoredObject(*one, partition["Values"]) for one in found)


def _starting(listed: Sequence[tuple[str, str, int]], first: int, prefix: str) -> Iterator[tuple[str, str, int]]:
    for one in listed[first:]:
        if not one[1].startswith(prefix):
            return
        yield one


def partitions_of(table: Mapping[str, Any], clients: Clients) -> list[dict[str, Any]]:
    """Return the registered partitions of a table."""
    pages = clients("glue").get_paginator("get_partitions")
    found = pages.paginate(DatabaseName=table["DatabaseName"], TableName=table["Name"])
    return [partition for page in found for partition in page["Partitions"]]


def list_objects(location: str, s3: Any) -> Iterator[tuple[str, str, int]]:
    """Yield bucket, key and size of the objects at a location, without those that Athena takes for hidden or empty."""
    bucket, prefix = _place(location)
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
        for one in page.get("Contents", []):
            rest = one["Key"][len(prefix) :]
            if one["Size"] and not any(part.startswith(("_", ".")) for part in rest.split("/")):
                yield bucket, one["Key"], one["Size"]


def _place(location: str) -> tuple[str, str]:
    """Return the bucket of a location, and what the keys start with."""
    parts = urlsplit(location)
    path = parts.path.lstrip("/")
    return parts.netloc, path if not path or path.endswith("/") else f"{path}/"
