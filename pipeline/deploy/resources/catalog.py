"""Predictions as a table: Glue database and table, which Athena queries with no crawler.

The partitions are *projected* from the dates of the folders, so that a file can be queried the moment it is there.
OpenCSVSerDe is the one that reads quoted cells (a key may hold a comma). It can't read an empty cell as a number or
NULL, and ``actual`` is empty where it is not known yet, so that column is text; in a query::

    SELECT prediction, try_cast(nullif(actual, '') AS double) AS actual
    FROM predictions WHERE dt = '2026-11-23'
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pipeline.aws.clients import Aws
from pipeline.deploy.engine import tags
from pipeline.deploy.engine.resource import Difference, Removal, Resource, State

#: Column → Athena type, in the order in which steps/publish.py writes them after those that name the row.
PREDICTION_COLUMNS = {
    "prediction": "double",
    "lower_95": "double",
    "upper_95": "double",
    "actual": "string",
    "model_version": "string",
    "execution_id": "string",
    "source_key": "string",
    "extrapolated": "string",  # As for actual: empty where it is not known.
}
#: Members of a table's StorageDescriptor.
_FORMAT = {
    "InputFormat": "org.apache.hadoop.mapred.TextInputFormat",
    "OutputFormat": "org.apache.hadoop.hive.ql.io.HiveIgnoreKeyTextOutputFormat",
    "SerdeInfo": {
        "SerializationLibrary": "org.apache.hadoop.hive.serde2.OpenCSVSerde",
        "Parameters": {"separatorChar": ",", "quoteChar": '"'},
    },
}


@dataclass(frozen=True)
class Database(Resource):
    """One Glue database; its name is lower case, with underscores: Athena takes that without quotes."""

    kind = "database"
    tag_api = tags.GLUE
    arn: str
    description: str

    def _desired(self) -> State:
        return {"description": self.description}

    def _describe(self, aws: Aws) -> Any:
        return aws.glue.get_database(Name=self.name)["Database"]

    def _state(self, aws: Aws, found: Any) -> State:
        return {"description": found.get("Description", "")}

    def _tagged_as(self, found: Any) -> str:
        return self.arn

    def _input(self) -> dict[str, str]:
        return {"Name": self.name, "Description": self.description}

    def create(self, aws: Aws) -> None:
        """Create the database."""
        aws.glue.create_database(DatabaseInput=self._input(), Tags=dict(self.tags))

    def _update(self, aws: Aws, differences: Mapping[str, Difference]) -> None:
        aws.glue.update_database(Name=self.name, DatabaseInput=self._input())

    def _remove(self, aws: Aws, found: Any, *, keep_data: bool) -> Removal:
        # Our table has gone before; what is left is somebody else's.
        if aws.glue.get_tables(DatabaseName=self.name, MaxResults=1)["TableList"]:
            return Removal.NOT_OURS
        aws.glue.delete_database(Name=self.name)
        return Removal.REMOVED


@dataclass(frozen=True)
class PredictionTable(Resource):
    """The prediction files as a table, named ``database.table``. Glue tags no tables; the database carries the tags."""

    kind = "table"
    bucket: str  #: Holds the predictions.
    description: str
    labels: tuple[str, ...]  #: Columns that name the row; text.

    @property
    def database(self) -> str:
        """Name of its database."""
        return self.name.partition(".")[0]

    @property
    def _table(self) -> str:
        return self.name.partition(".")[2]

    def _desired(self) -> State:
        folder = f"s3://{self.bucket}/predictions/"
        return {
            "description": f"{self.description}; dt is the day of the upload",
            "type": "EXTERNAL_TABLE",
            # In their order: a CSV reader takes columns by position, whatever the header says.
            "columns": [
                {"Name": name, "Type": kind}
                for name, kind in {**dict.fromkeys(self.labels, "string"), **PREDICTION_COLUMNS}.items()
            ],
            "partitions": [{"Name": "dt", "Type": "string"}],
            "location": folder,
            "format": _FORMAT,
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

    def _describe(self, aws: Aws) -> Any:
        return aws.glue.get_table(DatabaseName=self.database, Name=self._table)["Table"]

    def _state(self, aws: Aws, found: Any) -> State:
        storage = found.get("StorageDescriptor", {})
        serde = storage.get("SerdeInfo", {})
        wanted = self._desired()["parameters"]
        return {
            "description": found.get("Description", ""),
            "type": found.get("TableType"),
            "columns": _columns(storage.get("Columns", [])),
            "partitions": _columns(found.get("PartitionKeys", [])),
            "location": storage.get("Location"),
            "format": {
                "InputFormat": storage.get("InputFormat"),
                "OutputFormat": storage.get("OutputFormat"),
                "SerdeInfo": {key: serde.get(key) for key in ("SerializationLibrary", "Parameters")},
            },
            # Athena and Glue add parameters of their own, such as transient_lastDdlTime.
            "parameters": {
                name: value
                for name, value in found.get("Parameters", {}).items()
                if name in wanted or name.startswith(("projection.", "storage.", "skip."))
            },
        }

    def _input(self) -> dict[str, Any]:
        fields = self._desired()
        return {
            "Name": self._table,
            "Description": fields["description"],
            "TableType": fields["type"],
            "Parameters": fields["parameters"],
            "PartitionKeys": fields["partitions"],
            "StorageDescriptor": {"Columns": fields["columns"], "Location": fields["location"], **_FORMAT},
        }

    def create(self, aws: Aws) -> None:
        """Create the table."""
        aws.glue.create_table(DatabaseName=self.database, TableInput=self._input())

    def _update(self, aws: Aws, differences: Mapping[str, Difference]) -> None:
        # Glue has no smaller change.
        aws.glue.update_table(DatabaseName=self.database, TableInput=self._input())

    def _remove(self, aws: Aws, found: Any, *, keep_data: bool) -> Removal:
        aws.glue.delete_table(DatabaseName=self.database, Name=self._table)  # The files stay.
        return Removal.REMOVED


def _columns(described: Any) -> list[dict[str, str]]:
    # Glue requires no type.
    return [{"Name": column["Name"], "Type": column.get("Type", "")} for column in described]
