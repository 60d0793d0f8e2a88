"""Predictions as tables, one a profile, and a view of each: Athena queries them with no crawler.

The partitions are *projected* from the dates of the folders, so that a file can be queried the moment it is there.
OpenCSVSerDe is the one that reads quoted cells (a key may hold a comma). It can't read an empty cell as a number or
NULL, and ``actual`` is empty where it is not known yet, so such a column is text; in a query::

    SELECT prediction, try_cast(nullif(actual, '') AS double) AS actual
    FROM predictions_forecast WHERE dt = '2026-11-23'

The views have such columns as numbers, and no rows of a file that was uploaded again since. Athena stores a view as a
table of Glue, whose text is the base64 of a JSON document (Trino's ``ConnectorViewDefinition``).
"""

import base64
import json
from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from analysis.features.labels import label_names
from analysis.runtime.names import PREDICTED
from pipeline.aws.clients import Aws
from pipeline.deploy.engine.resource import Difference, Removal, Resource, State
from pipeline.settings.environment import Settings

#: Column → Glue type, in the order of the file, after those that name the row.
PREDICTION_COLUMNS = {
    name: "double" if name in {"prediction", "lower_95", "upper_95"} else "string" for name in PREDICTED
}
#: Columns that may be empty → Glue type, Athena type and expression that they have in the view.
_NUMBERS_IN_VIEW = {
    name: (kind, kind_in_sql, f"try_cast(nullif({name}, '') AS {kind_in_sql})")
    for name, kind, kind_in_sql in (
        ("actual", "double", "double"),
        ("extrapolated", "int", "integer"),
        ("history_gap", "int", "integer"),
    )
}
_TYPES_IN_SQL = {"double": "double", "string": "varchar"}
#: Members of a table's StorageDescriptor.
_FORMAT = {
    "InputFormat": "org.apache.hadoop.mapred.TextInputFormat",
    "OutputFormat": "org.apache.hadoop.hive.ql.io.HiveIgnoreKeyTextOutputFormat",
    "SerdeInfo": {
        "SerializationLibrary": "org.apache.hadoop.hive.serde2.OpenCSVSerde",
        # Without one, the SerDe takes a backslash in a cell for an escape, and drops it; no cell has this character.
        "Parameters": {"separatorChar": ",", "quoteChar": '"', "escapeChar": "\x01"},
    },
}


@dataclass(frozen=True)
class GlueTable(Resource):
    """What Glue keeps as a table, named ``database.table``. Glue tags no tables; the database carries the tags."""

    #: Column → Glue type, after those that name the row.
    computed: ClassVar[Mapping[str, str]] = PREDICTION_COLUMNS
    description: str
    labels: tuple[str, ...]  #: Columns that name the row; text.

    @property
    def database(self) -> str:
        """Name of its database."""
        return self.name.partition(".")[0]

    @property
    def _table(self) -> str:
        return self.name.partition(".")[2]

    @property
    def _columns(self) -> dict[str, str]:
        return {**dict.fromkeys(self.labels, "string"), **self.computed}

    def _describe(self, aws: Aws) -> Any:
        return aws.glue.get_table(DatabaseName=self.database, Name=self._table)["Table"]

    @abstractmethod
    def _input(self) -> dict[str, Any]:
        """Return the TableInput that makes it."""

    def create(self, aws: Aws) -> None:
        """Create the table."""
        aws.glue.create_table(DatabaseName=self.database, TableInput=self._input())

    def _update(self, aws: Aws, differences: Mapping[str, Difference]) -> None:
        # Glue has no smaller change.
        aws.glue.update_table(DatabaseName=self.database, TableInput=self._input())

    def _remove(self, aws: Aws, found: Any, *, keep_data: bool) -> Removal:
        aws.glue.delete_table(DatabaseName=self.database, Name=self._table)  # The files stay.
        return Removal.REMOVED


@dataclass(frozen=True)
class PredictionTable(GlueTable):
    """The prediction files of a profile as a table."""

    kind = "table"
    files: ClassVar[str] = "predictions"  #: Folder that holds a folder for each profile.
    bucket: str
    profile: str

    def _desired(self) -> State:
        folder = f"s3://{self.bucket}/{self.files}/{self.profile}/"
        return {
            "description": f"{self.description}; dt is the day of the upload",
            "type": "EXTERNAL_TABLE",
            # In their order: a CSV reader takes columns by position, whatever the header says.
            "columns": [{"Name": name, "Type": kind} for name, kind in self._columns.items()],
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

    def _state(self, aws: Aws, found: Any) -> State:
        storage = found.get("StorageDescriptor", {})
        serde = storage.get("SerdeInfo", {})
        wanted = self._desired()["parameters"]
        return {
            "description": found.get("Description", ""),
            "type": found.get("TableType"),
            "columns": _described(storage.get("Columns", [])),
            "partitions": _described(found.get("PartitionKeys", [])),
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


@dataclass(frozen=True)
class LatestView(GlueTable):
    """The rows of the newest file of each key, as an Athena view of a table of predictions."""

    kind = "view"
    of: str  #: The table, as ``database.table``.

    @property
    def sql(self) -> str:
        """The query that the view stands for."""
        columns = [
            f"{_NUMBERS_IN_VIEW[name][2]} AS {name}" if name in _NUMBERS_IN_VIEW else f'"{name}"'
            for name in (*self._columns, "dt")
        ]
        # Moments in UTC, all in the same form: their order as texts is that of the moments.
        newest = "max(uploaded_at) OVER (PARTITION BY source_key) AS newest_upload"
        marked = ["(SELECT *,", newest, "FROM", f"{self.of})"]
        return " ".join(["SELECT", ", ".join(columns), "FROM", *marked, "WHERE uploaded_at = newest_upload"])

    def _desired(self) -> State:
        kinds = {**self._columns, "dt": "string", **{name: one[0] for name, one in _NUMBERS_IN_VIEW.items()}}
        in_sql = {name: kind_in_sql for name, (_, kind_in_sql, _) in _NUMBERS_IN_VIEW.items()}
        return {
            "description": self.description,
            "type": "VIRTUAL_VIEW",
            "columns": [{"Name": name, "Type": kind} for name, kind in kinds.items()],
            "parameters": {"presto_view": "true", "comment": "Presto View"},
            "definition": {
                "originalSql": self.sql,
                "catalog": "awsdatacatalog",
                "schema": self.database,
                "columns": [
                    {"name": name, "type": in_sql.get(name) or _TYPES_IN_SQL[kind]} for name, kind in kinds.items()
                ],
            },
        }

    def _state(self, aws: Aws, found: Any) -> State:
        wanted = self._desired()["parameters"]
        return {
            "description": found.get("Description", ""),
            "type": found.get("TableType"),
            "columns": _described(found.get("StorageDescriptor", {}).get("Columns", [])),
            "parameters": {name: found.get("Parameters", {}).get(name) for name in wanted},
            "definition": _decoded(found.get("ViewOriginalText", "")),
        }

    def _input(self) -> dict[str, Any]:
        fields = self._desired()
        text = base64.b64encode(json.dumps(fields["definition"]).encode()).decode()
        return {
            "Name": self._table,
            "Description": fields["description"],
            "TableType": fields["type"],
            "Parameters": fields["parameters"],
            "PartitionKeys": [],
            "StorageDescriptor": {"Columns": fields["columns"], "Location": "", "SerdeInfo": {}},
            "ViewOriginalText": f"/* Presto View: {text} */",
            "ViewExpandedText": "/* Presto View */",
        }


def _described(columns: Any) -> list[dict[str, str]]:
    # Glue requires no type.
    return [{"Name": column["Name"], "Type": column.get("Type", "")} for column in columns]


def _decoded(text: str) -> Any:
    """Return the definition in a view's text; the text itself where it is another's."""
    try:
        return json.loads(base64.b64decode(text.removeprefix("/* Presto View: ").removesuffix(" */"), validate=True))
    except ValueError:
        return text


def prediction_tables(settings: Settings) -> list[Resource]:
    """Return the table of each declared profile, then the views, which need the tables."""
    dataset, bucket = settings.declared, settings.predictions_bucket
    labels = tuple(label_names(dataset).values())
    tables: list[Resource] = []
    views: list[Resource] = []
    for profile in dataset.profiles:
        name = f"{settings.database_name}.predictions_{profile.replace('-', '_')}"
        row = dataset.words.row.one
        said = f"Predicted {dataset.words.target} (profile {profile}), one line a {row}, with 95 % prediction interval"
        tables.append(PredictionTable(name, said, labels, bucket=bucket, profile=profile))
        views.append(LatestView(f"{name}_latest", f"{said}; of the newest upload of each file", labels, of=name))
    return [*tables, *views]
