"""The offline store in the Glue data catalog, where Athena's clients and awswrangler find its tables.

As in AWS, the database ``sagemaker_featurestore`` has a table for each group, partitioned by year, month, day and hour
of the event time.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from localmaker.ports import AwsClients

DATABASE = "sagemaker_featurestore"
_TYPES = {"String": "string", "Integral": "bigint", "Fractional": "double"}
_ADDED = (("write_time", "timestamp"), ("api_invocation_time", "timestamp"), ("is_deleted", "boolean"))
_PARTITIONS = ("year", "month", "day", "hour")
_PARQUET = {
    "InputFormat": "org.apache.hadoop.hive.ql.io.parquet.MapredParquetInputFormat",
    "OutputFormat": "org.apache.hadoop.hive.ql.io.parquet.MapredParquetOutputFormat",
    "SerdeInfo": {"SerializationLibrary": "org.apache.hadoop.hive.ql.io.parquet.serde.ParquetHiveSerDe"},
}


def is_table(name: str, region: str, clients: AwsClients) -> bool:
    """Say whether the database has a table, such as one that the removal of a group has left.

    Args:
        name: of the table.
        region: of the catalog.
        clients: of Glue.
    """
    glue = clients.client("glue", region)
    try:
        glue.get_table(DatabaseName=DATABASE, Name=name)
    except glue.exceptions.EntityNotFoundException:
        return False
    return True


def create_table(description: Mapping[str, Any], clients: AwsClients) -> None:
    """Create the table of a new group with an offline store, and the database if it is the first one.

    Args:
        description: DescribeFeatureGroup.
        clients: of Glue.
    """
    table = _table(description)
    if table is None:
        return
    glue = _glue(description, clients)
    with suppress(glue.exceptions.AlreadyExistsException):
        glue.create_database(DatabaseInput={"Name": DATABASE, "Description": "Amazon SageMaker Feature Store"})
    glue.create_table(DatabaseName=DATABASE, TableInput=table)


def drop_table(description: Mapping[str, Any], clients: AwsClients) -> None:
    """Remove the table of a group that could not be created; the arguments are those of :func:`create_table`."""
    table = _table(description)
    if table is not None:
        _glue(description, clients).delete_table(DatabaseName=DATABASE, Name=table["Name"])


def update_table(description: Mapping[str, Any], clients: AwsClients) -> None:
    """Add the new features of a group to its table; the arguments are those of :func:`create_table`."""
    table = _table(description)
    if table is None:
        return
    glue = _glue(description, clients)
    with suppress(glue.exceptions.EntityNotFoundException):  # somebody may have removed it
        glue.update_table(DatabaseName=DATABASE, TableInput=table)


def add_partition(description: Mapping[str, Any], folder: str, clients: AwsClients) -> None:
    """Register the folder of one hour.

    Args:
        description: DescribeFeatureGroup.
        folder: ``year=2026/month=01/day=31/hour=12``.
        clients: of Glue.
    """
    table = _table(description)
    if table is None:
        return
    glue = _glue(description, clients)
    storage = {**table["StorageDescriptor"], "Location": f"{table['StorageDescriptor']['Location']}/{folder}"}
    values = [part.partition("=")[2] for part in folder.split("/")]
    with suppress(glue.exceptions.AlreadyExistsException, glue.exceptions.EntityNotFoundException):
        glue.create_partition(
            DatabaseName=DATABASE,
            TableName=table["Name"],
            PartitionInput={"Values": values, "StorageDescriptor": storage},
        )


def _glue(description: Mapping[str, Any], clients: AwsClients) -> Any:
    return clients.client("glue", str(description["FeatureGroupArn"]).split(":")[3])


def _table(description: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return Glue's definition of the table; None for a group without a table in the catalog."""
    offline = description.get("OfflineStoreConfig") or {}
    if not offline or offline.get("DisableGlueTableCreation"):
        return None
    columns = [{"Name": one["FeatureName"].lower(), "Type": _column(one)} for one in description["FeatureDefinitions"]]
    return {
        "Name": offline["DataCatalogConfig"]["TableName"],
        "TableType": "EXTERNAL_TABLE",
        "Parameters": {"EXTERNAL": "TRUE", "classification": "parquet"},
        "PartitionKeys": [{"Name": name, "Type": "string"} for name in _PARTITIONS],
        "StorageDescriptor": {
            "Columns": [*columns, *({"Name": name, "Type": kind} for name, kind in _ADDED)],
            "Location": offline["S3StorageConfig"]["ResolvedOutputS3Uri"],
            **_PARQUET,
        },
    }


def _column(definition: Mapping[str, Any]) -> str:
    kind = _TYPES[definition["FeatureType"]]
    return f"array<{kind}>" if definition.get("CollectionType") else kind
