"""One query, from its tables to its results; everything in AWS is done with the rights of who has started it."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from localmaker.services.athena.failures import QueryFailedError, not_covered
from localmaker.services.athena.process import Engine
from localmaker.services.athena.reasons import reason_of
from localmaker.services.athena.results import column_info
from localmaker.services.athena.shows import shown
from localmaker.services.athena.statements import Statement
from localmaker.services.athena.tables import Clients, find_table, list_objects, scan_of
from localmaker.services.athena.translation import TableReference, translate
from localmaker.services.athena.view_statements import create_view, drop_view
from localmaker.services.athena.views import expanded

_PARQUET = {
    "InputFormat": "org.apache.hadoop.hive.ql.io.parquet.MapredParquetInputFormat",
    "OutputFormat": "org.apache.hadoop.hive.ql.io.parquet.MapredParquetOutputFormat",
    "SerdeInfo": {"SerializationLibrary": "org.apache.hadoop.hive.ql.io.parquet.serde.ParquetHiveSerDe"},
}
_CTAS_PROPERTIES = {
    "external_location",
    "format",
    "parquet_compression",
    "partitioned_by",
    "with_no_data",
    "write_compression",
}
_UNLOAD_PROPERTIES = {"compression", "format", "partitioned_by"}
_PARTITIONS_A_CALL = 100
#: What Hive escapes in the folders of partitions.
_ESCAPED = re.compile(r"""["#%'*/:=?\\{[\]^\x00-\x1f\x7f]""")


@dataclass(frozen=True)
class Query:
    """What is to run.

    Attributes:
        id: of the execution.
        statement: to run.
        database: of names that are not qualified.
        output: where results go; ends with a slash.
        enforced: whether the work group says where.
        encryption: EncryptionConfiguration.
    """

    id: str
    statement: Statement
    database: str
    output: str
    enforced: bool
    encryption: Mapping[str, str]


@dataclass(frozen=True)
class Outcome:
    """What a query has left.

    Attributes:
        columns: ColumnInfo of the result.
        scanned: bytes of the objects that were read.
        written: rows that CTAS or UNLOAD has written; None for a result with rows of its own.
        manifest: DataManifestLocation.
    """

    columns: list[dict[str, Any]]
    scanned: int = 0
    written: int | None = None
    manifest: str = ""


@dataclass(frozen=True)
class WrittenFile:
    """A file that CTAS or UNLOAD has written, in the folder of its partition; ``values`` are those of the partition."""

    folder: str
    name: str
    values: tuple[str, ...]

    @property
    def location(self) -> str:
        """Its S3 URI."""
        return f"{self.folder}{self.name}"


def output_location(statement: Statement, output: str, identifier: str) -> str:
    """Return where the result of a query will be (OutputLocation)."""
    ends = {"ctas": f"tables/{identifier}", "unload": identifier, "select": f"{identifier}.csv"}
    return output + ends.get(statement.kind, f"{identifier}.txt")


class QueryRun:
    """Runs one query.

    Args:
        query: to run.
        clients: returns a client with the rights of who has started it.
        engine: runs SQL, and knows whether the query has been stopped.
        folder: an empty one, for copies and results.
    """

    def __init__(self, query: Query, clients: Clients, engine: Engine, folder: Path) -> None:
        self._query, self._clients, self._engine, self._folder = query, clients, engine, folder
        self._statement = query.statement
        self._tables: dict[tuple[str, str], dict[str, Any]] = {}

    def run(self) -> Outcome:
        """Run it.

        Raises:
            QueryFailedError, QueryStoppedError, ClientError: it fails, or has been stopped.
        """
        if self._query.encryption.get("EncryptionOption") == "CSE_KMS":
            raise not_covered("results that the client encrypts (CSE_KMS)")
        kinds = {"select": self._select, "ctas": self._ctas, "unload": self._unload, "show": self._show}
        kinds |= {"view": self._create_view, "drop_view": self._drop_view}
        if self._statement.kind not in kinds:
            raise not_covered(self._statement.name)
        return kinds[self._statement.kind]()

    def _select(self) -> Outcome:
        answer, scanned = self._execute({})
        columns = [column_info(name, kind) for name, kind in answer["columns"]]
        location = output_location(self._statement, self._query.output, self._query.id)
        self._upload(self._folder / "result", location)
        self._put(f"{location}.metadata", json.dumps(columns))
        return Outcome(columns, scanned)

    def _execute(self, more: dict[str, Any], made: tuple[str, str] | None = None) -> tuple[dict[str, Any], int]:
        tree = expanded(self._statement.query, self._query.database, self._table, made)
        translation = translate(tree, self._query.database)
        scans, scanned = [], 0
        for reference in translation.tables:
            table, empty = self._table(reference), made is not None
            scan, size = scan_of(reference, table, self._clients, self._folder, self._engine.check, empty=empty)
            scans.append(scan)
            scanned += size
        job = {"folder": str(self._folder), "output": str(self._folder / "result"), "sql": translation.sql}
        answer = self._engine.run({**job, "scans": scans, **more}, self._folder)
        if answer.get("error") in ("Refused", "BadData"):
            raise QueryFailedError(answer["message"])
        if "error" in answer:
            raise QueryFailedError(reason_of(answer["error"], answer["message"], self._statement.query))
        return answer, scanned

    def _table(self, reference: TableReference) -> dict[str, Any]:
        name = (reference.database, reference.name)
        if name not in self._tables:
            self._tables[name] = find_table(reference, self._clients)
        return self._tables[name]

    def _create_view(self) -> Outcome:
        create_view(self._statement, self._query.database, self._clients, self._columns)
        return self._without_rows()

    def _columns(self, made: tuple[str, str]) -> list[tuple[str, str]]:
        answer, _ = self._execute({"describe": True}, made)
        return [(name, kind) for name, kind in answer["columns"]]

    def _drop_view(self) -> Outcome:
        drop_view(self._statement, self._query.database, self._clients)
        return self._without_rows()

    def _without_rows(self) -> Outcome:
        self._put(output_location(self._statement, self._query.output, self._query.id), "")
        return Outcome([])

    def _ctas(self) -> Outcome:
        query, properties = self._query, self._statement.properties
        database, name, is_optional = self._statement.arguments
        database = database or query.database
        self._require_parquet(_CTAS_PROPERTIES)
        if query.enforced and "external_location" in properties:
            raise QueryFailedError(
                "The Create Table As Select query failed because it was submitted with an 'external_location' property "
                "to an Athena Workgroup that enforces a centralized output location for all queries. Please remove the "
                "'external_location' property and resubmit the query."
            )
        if self._table_exists(database, name):
            if is_optional:
                return Outcome([column_info("rows", "BIGINT")], written=0)
            full = f"awsdatacatalog.{database}.{name}"
            raise QueryFailedError(f"TABLE_ALREADY_EXISTS: line 1:1: Destination table '{full}' already exists")
        location = properties.get("external_location") or f"{query.output}tables/{query.id}"
        answer, scanned, files = self._export(location, empty=bool(properties.get("with_no_data")))
        self._create_table(database, name, location, answer["columns"], files)
        manifest = f"{query.output}tables/{query.id}"
        return self._exported(answer, scanned, files, manifest)

    def _table_exists(self, database: str, name: str) -> bool:
        try:
            find_table(TableReference(database, name), self._clients)
        except QueryFailedError as error:
            if str(error).startswith("TABLE_NOT_FOUND"):
                return False
            raise
        return True

    def _unload(self) -> Outcome:
        self._require_parquet(_UNLOAD_PROPERTIES)
        answer, scanned, files = self._export(self._statement.location, empty=False)
        return self._exported(answer, scanned, files, f"{self._query.output}{self._query.id}")

    def _require_parquet(self, known: set[str]) -> None:
        statement = self._statement
        if statement.properties.get("format", "PARQUET").upper() != "PARQUET":
            raise not_covered(f"the format {statement.properties['format']}, only PARQUET")
        if not statement.compression:
            raise not_covered("this compression")
        if unknown := sorted(set(statement.properties) - known):
            raise not_covered(f"the property {', '.join(unknown)} of {statement.name}")

    def _export(self, location: str, *, empty: bool) -> tuple[dict[str, Any], int, list[WrittenFile]]:
        folder = location.rstrip("/") + "/"
        if next(list_objects(folder, self._clients("s3")), None) is not None:
            raise QueryFailedError(
                f"HIVE_PATH_ALREADY_EXISTS: Target directory already exists: {folder}. You may need to manually clean "
                "the data at the location before retrying."
            )
        statement = self._statement
        export = {"compression": statement.compression, "partitioned_by": statement.partitioned_by, "empty": empty}
        answer, scanned = self._execute({"export": export})
        written = []
        files = sorted((self._folder / "result").rglob("*.parquet")) if answer["rows"] else []
        for number, file in enumerate(files):
            self._engine.check()
            partition = [part.partition("=") for part in file.relative_to(self._folder / "result").parts[:-1]]
            values = [unquote(value) for _, _, value in partition]
            folders = [
                f"{unquote(key)}={_escaped(value)}/" for (key, _, _), value in zip(partition, values, strict=True)
            ]
            stamp = datetime.now(UTC).strftime("%Y%m%d_%H%M%S")
            name = f"{stamp}_{number:05}_{self._query.id[:5]}_{uuid.uuid4()}"
            written.append(WrittenFile(f"{folder}{''.join(folders)}", name, tuple(values)))
            self._upload(file, written[-1].location)
        return answer, scanned, written

    def _exported(self, answer: Mapping[str, Any], scanned: int, files: Sequence[WrittenFile], start: str) -> Outcome:
        self._put(f"{start}-manifest.csv", "".join(f"{file.location}\n" for file in files))
        self._put(f"{start}.metadata", json.dumps([column_info(*one) for one in answer["columns"]]))
        return Outcome([column_info("rows", "BIGINT")], scanned, answer["rows"], f"{start}-manifest.csv")

    def _create_table(
        self, database: str, name: str, location: str, columns: Sequence[Sequence[str]], files: Sequence[WrittenFile]
    ) -> None:
        keys = self._statement.partitioned_by
        described = [{"Name": column, "Type": _catalog_type(kind)} for column, kind in columns]
        storage = {
            "Columns": [one for one in described if one["Name"] not in keys],
            "Location": location,
            "Compressed": False,
            **_PARQUET,
        }
        glue = self._clients("glue")
        table = {
            "Name": name,
            "TableType": "EXTERNAL_TABLE",
            "Parameters": {"EXTERNAL": "TRUE", "has_encrypted_data": "false", "classification": "parquet"},
            "PartitionKeys": [one for one in described if one["Name"] in keys],
            "StorageDescriptor": storage,
        }
        glue.create_table(DatabaseName=database, TableInput=table)
        partitions = {file.values: file.folder for file in files if keys}
        inputs = [
            {"Values": list(values), "StorageDescriptor": {**storage, "Location": folder}}
            for values, folder in sorted(partitions.items())
        ]
        for start in range(0, len(inputs), _PARTITIONS_A_CALL):
            some = inputs[start : start + _PARTITIONS_A_CALL]
            glue.batch_create_partition(DatabaseName=database, TableName=name, PartitionInputList=some)

    def _show(self) -> Outcome:
        what, *arguments = self._statement.arguments
        columns, lines = shown(what, arguments, self._query.database, self._clients)
        location = output_location(self._statement, self._query.output, self._query.id)
        self._put(location, "".join(f"{line}\n" for line in lines))
        described = [{**column_info(name, "VARCHAR"), "Type": "string", "Precision": 0} for name in columns]
        self._put(f"{location}.metadata", json.dumps(described))
        return Outcome(described)

    def _put(self, location: str, text: str) -> None:
        bucket, _, key = location.removeprefix("s3://").partition("/")
        self._clients("s3").put_object(Bucket=bucket, Key=key, Body=text.encode(), **self._encryption())

    def _upload(self, file: Path, location: str) -> None:
        bucket, _, key = location.removeprefix("s3://").partition("/")
        self._clients("s3").upload_file(str(file), bucket, key, ExtraArgs=self._encryption())

    def _encryption(self) -> dict[str, str]:
        option, key = (self._query.encryption.get(name) for name in ("EncryptionOption", "KmsKey"))
        if option != "SSE_KMS":
            return {"ServerSideEncryption": "AES256"} if option == "SSE_S3" else {}
        return {"ServerSideEncryption": "aws:kms", **({"SSEKMSKeyId": key} if key else {})}


def _escaped(value: str) -> str:
    return _ESCAPED.sub(lambda found: f"%{ord(found[0]):02X}", value)


def _catalog_type(kind: str) -> str:
    from sqlglot import exp

    name = "TIMESTAMP" if kind.startswith("TIMESTAMP") else kind
    return exp.DataType.build(name, dialect="duckdb").sql("hive").lower().replace(" ", "")
