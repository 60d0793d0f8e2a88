"""Predictions as a table: Glue database and table, which Athena queries with no crawler.

The partitions are *projected* from the dates of the folders, so that a file can be queried the moment it is there.
OpenCSVSerDe is the one that reads quoted cells (a key may hold a comma). It can't read an empty cell as a number or
NULL, and ``actual`` is empty for days that have not happened, so that column is text; in a query::

    SELECT date(date) AS day, prediction, try_cast(nullif(actual, '') AS double) AS actual
    FROM predictions WHERE dt = '2026-11-23'
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pipeline.aws.clients import Aws
from pipeline.aws.not_found import unless_missing
from pipeline.deploy.engine.resource import Difference, Removal, State
from pipeline.deploy.engine.tags import own_tags, surplus

#: Column → Athena type, in the order in which steps/publish.py writes them.
PREDICTION_COLUMNS = {
    "date": "string",
    "prediction": "double",
    "lower_95": "double",
    "upper_95": "double",
    "actual": "string",
    "model_version": "string",
    "execution_id": "string",
    "source_key": "string",
}


@dataclass(frozen=True)
class Database:
    """One Glue database.

    Attributes:
        name: lower case, with underscores: what Athena takes without quotes.
        arn: of the database.
        description: for people.
        tags: name → value.
    """

    name: str
    arn: str
    description: str
    tags: Mapping[str, str]
    kind: str = "database"

    def desired(self) -> State:
        """Description and tags."""
        return {"description": self.description, "tags": dict(self.tags)}

    def current(self, aws: Aws) -> State | None:
        """The database as it is; None where it does not exist."""
        answer = unless_missing(lambda: aws.glue.get_database(Name=self.name))
        if answer is None:
            return None
        return {
            "description": answer["Database"].get("Description", ""),
            "tags": own_tags(aws.glue.get_tags(ResourceArn=self.arn).get("Tags", {})),
        }

    def create(self, aws: Aws) -> None:
        """Make the database."""
        aws.glue.create_database(
            DatabaseInput={"Name": self.name, "Description": self.description}, Tags=dict(self.tags)
        )

    def update(self, aws: Aws, differences: Mapping[str, Difference]) -> None:
        """Set the fields named."""
        if "description" in differences:
            aws.glue.update_database(Name=self.name, DatabaseInput={"Name": self.name, "Description": self.description})
        if "tags" in differences:
            unwanted = surplus(self.tags, differences["tags"])
            if unwanted:
                aws.glue.untag_resource(ResourceArn=self.arn, TagsToRemove=unwanted)
            aws.glue.tag_resource(ResourceArn=self.arn, TagsToAdd=dict(self.tags))

    def delete(self, aws: Aws, *, keep_data: bool) -> Removal:  # noqa: ARG002 - it describes data and holds none
        """Remove the database, unless there are tables in it that are not ours (ours went before)."""
        if unless_missing(lambda: aws.glue.get_database(Name=self.name)) is None:
            return Removal.ABSENT
        if aws.glue.get_tables(DatabaseName=self.name, MaxResults=1)["TableList"]:
            return Removal.OF_OTHERS
        aws.glue.delete_database(Name=self.name)
        return Removal.REMOVED


@dataclass(frozen=True)
class PredictionTable:
    """The prediction files as a table. Glue has no tags for tables; the database carries them.

    Attributes:
        database: that it stands in.
        bucket: that the predictions are in.
        table: its name.
    """

    database: str
    bucket: str
    table: str = "predictions"
    kind: str = "table"

    @property
    def name(self) -> str:
        """Database and table, as a query names it."""
        return f"{self.database}.{self.table}"

    def desired(self) -> State:
        """Columns, partition, place, format."""
        folder = f"s3://{self.bucket}/predictions/"
        return {
            "description": "Predicted rentals by day, with 95 % prediction interval; dt is the day of the upload",
            "type": "EXTERNAL_TABLE",
            "columns": dict(PREDICTION_COLUMNS),
            # A reader of CSV takes them as they come, whatever the header says.
            "column order": list(PREDICTION_COLUMNS),
            "partitions": {"dt": "string"},
            "location": folder,
            "format": {
                "library": "org.apache.hadoop.hive.serde2.OpenCSVSerde",
                "input": "org.apache.hadoop.mapred.TextInputFormat",
                "output": "org.apache.hadoop.hive.ql.io.HiveIgnoreKeyTextOutputFormat",
                "separatorChar": ",",
                "quoteChar": '"',
            },
            "parameters": {
                "EXTERNAL": "TRUE",
                "classification": "csv",
                "skip.header.line.count": "1",
                "projection.enabled": "true",
                "projection.dt.type": "date",
                "projection.dt.format": "yyyy-MM-dd",
                "projection.dt.range": "2020-01-01,NOW+1DAYS",
                "storage.location.template": f"{folder}dt=${{dt}}/",
            },
        }

    def current(self, aws: Aws) -> State | None:
        """The table as it is; None where it does not exist."""
        answer = unless_missing(lambda: aws.glue.get_table(DatabaseName=self.database, Name=self.table))
        if answer is None:
            return None
        table = answer["Table"]
        storage = table.get("StorageDescriptor", {})
        wanted = self.desired()["parameters"]
        serde = storage.get("SerdeInfo", {})
        return {
            "description": table.get("Description", ""),
            "type": table.get("TableType"),
            "columns": _columns(storage.get("Columns", [])),
            "column order": _order([column["Name"] for column in storage.get("Columns", [])]),
            "partitions": _columns(table.get("PartitionKeys", [])),
            "location": storage.get("Location"),
            "format": {
                "library": serde.get("SerializationLibrary"),
                "input": storage.get("InputFormat"),
                "output": storage.get("OutputFormat"),
                **serde.get("Parameters", {}),
            },
            # Athena and Glue add parameters of their own, such as transient_lastDdlTime.
            "parameters": {
                name: value
                for name, value in table.get("Parameters", {}).items()
                if name in wanted or name.startswith(("projection.", "storage.", "skip."))
            },
        }

    def _input(self) -> dict[str, Any]:
        fields = self.desired()
        form = dict(fields["format"])
        library, input_format, output_format = (form.pop(name) for name in ("library", "input", "output"))
        return {
            "Name": self.table,
            "Description": fields["description"],
            "TableType": fields["type"],
            "Parameters": fields["parameters"],
            "PartitionKeys": [{"Name": name, "Type": kind} for name, kind in fields["partitions"].items()],
            "StorageDescriptor": {
                "Columns": [{"Name": name, "Type": kind} for name, kind in fields["columns"].items()],
                "Location": fields["location"],
                "InputFormat": input_format,
                "OutputFormat": output_format,
                "SerdeInfo": {"SerializationLibrary": library, "Parameters": form},
            },
        }

    def create(self, aws: Aws) -> None:
        """Make the table."""
        aws.glue.create_table(DatabaseName=self.database, TableInput=self._input())

    def update(self, aws: Aws, differences: Mapping[str, Difference]) -> None:  # noqa: ARG002
        """Put the whole table: Glue has no smaller change."""
        aws.glue.update_table(DatabaseName=self.database, TableInput=self._input())

    def delete(self, aws: Aws, *, keep_data: bool) -> Removal:  # noqa: ARG002 - the files are not the table's
        """Remove the table; the files stay."""
        if self.current(aws) is None:
            return Removal.ABSENT
        aws.glue.delete_table(DatabaseName=self.database, Name=self.table)
        return Removal.REMOVED


def _columns(described: Any) -> dict[str, str]:
    # Glue asks for no type.
    return {column["Name"]: column.get("Type", "") for column in described}


def _order(names: list[str]) -> list[str]:
    """Our columns as they stand; one that is missing or not ours is no matter of order."""
    ours = [name for name in names if name in PREDICTION_COLUMNS]
    wanted = list(PREDICTION_COLUMNS)
    return wanted if ours == [name for name in wanted if name in ours] else ours
