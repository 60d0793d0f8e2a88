"""SQL of Athena for what the offline store knew at a moment.

Of each record the newest that is not after the moment counts; where that one marks a deletion, there is no record. Of
several with the same event time, as retried writes leave them, the one that was asked for last counts, then the one
that was written last ("Create a dataset from your feature groups", SageMaker developer guide).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from analysis.runtime.errors import SettingsError

POSITION = "asked__position"
"""Column that numbers the rows of a spine, called as no feature is likely to be."""
_RANK = "asked__rank"
_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{3})?Z")


@dataclass(frozen=True)
class GroupTable:
    """The offline store of a feature group as a table.

    identifier, event_time: names of these two features. features: names of all, as the group has them.
    """

    database: str
    table: str
    identifier: str
    event_time: str
    features: tuple[str, ...]

    @classmethod
    def of(cls, described: Mapping[str, Any]) -> GroupTable:
        """Return the table of a group, given DescribeFeatureGroup's answer; raise SettingsError where it has none."""
        catalog = (described.get("OfflineStoreConfig") or {}).get("DataCatalogConfig")
        if not catalog:
            raise SettingsError(
                f"Feature group {described['FeatureGroupName']} has no offline store with a table, so nothing can be "
                "read back. Set features.offline_store and deploy."
            )
        return cls(
            database=catalog["Database"],
            table=catalog["TableName"],
            identifier=described["RecordIdentifierFeatureName"],
            event_time=described["EventTimeFeatureName"],
            features=tuple(one["FeatureName"] for one in described["FeatureDefinitions"]),
        )

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the features in the table: Glue's are in small letters."""
        return tuple(name.lower() for name in self.features)


@dataclass(frozen=True)
class Spine:
    """A table of what is asked for: columns POSITION, `identifier` and `moment` (text, ISO 8601 ending in Z)."""

    database: str
    table: str


def quoted(name: str) -> str:
    """Return a name as SQL takes it, whatever it holds."""
    return '"' + name.lower().replace('"', '""') + '"'


def literal(text: str) -> str:
    """Return a text as SQL takes it."""
    return "'" + text.replace("'", "''") + "'"


def moment_of(text: str) -> str:
    """Return the moment in SQL; raise SettingsError for anything but ISO 8601 ending in Z."""
    if not _MOMENT.fullmatch(text):
        raise SettingsError(f"{text!r} is not a moment; write it as 2026-03-04T05:06:07Z.")
    return f"from_iso8601_timestamp({literal(text)})"


def history_query(inputs: GroupTable, outcomes: GroupTable, moment: str) -> str:
    """Select every record of the inputs as of `moment`, each with its outcomes as far as they were known."""
    same = f"inputs.{quoted(inputs.identifier)} = outcomes.{quoted(outcomes.identifier)}"
    return _words(
        "SELECT",
        ", ".join(_columns_of_both(inputs, outcomes)),
        f"FROM ({_newest_as_of(inputs, moment)}) AS inputs",
        f"LEFT JOIN ({_newest_as_of(outcomes, moment)}) AS outcomes ON {same}",
    )


def training_set_query(inputs: GroupTable, outcomes: GroupTable, spine: Spine) -> str:
    """Select, for each row of the spine, what was known of its identifier at its moment; POSITION tells which it is."""
    return _words(
        "SELECT",
        ", ".join([f"spine.{POSITION}", *_columns_of_both(inputs, outcomes)]),
        f"FROM {_named(spine)} AS spine",
        f"LEFT JOIN ({_newest_for_each(inputs, spine)}) AS inputs ON inputs.{POSITION} = spine.{POSITION}",
        f"LEFT JOIN ({_newest_for_each(outcomes, spine)}) AS outcomes ON outcomes.{POSITION} = spine.{POSITION}",
    )


def unload(query: str, uri: str) -> str:
    """Write the rows of a query as Parquet below `uri`, where nothing may be yet."""
    return f"UNLOAD ({query}) TO {literal(uri.rstrip('/') + '/')} WITH (format = 'PARQUET', compression = 'SNAPPY')"


def _newest_as_of(table: GroupTable, moment: str) -> str:
    known = f"{_happened(table)} <= {moment_of(moment)}"
    return _newest(table, f"{_named(table)} AS stored WHERE {known}", f"stored.{quoted(table.identifier)}")


def _newest_for_each(table: GroupTable, spine: Spine) -> str:
    same = f"stored.{quoted(table.identifier)} = spine.identifier"
    known = f"{_happened(table)} <= from_iso8601_timestamp(spine.moment)"
    source = f"{_named(spine)} AS spine JOIN {_named(table)} AS stored ON {same} AND {known}"
    return _newest(table, source, f"spine.{POSITION}", also=f"spine.{POSITION}, ")


def _newest(table: GroupTable, source: str, each: str, also: str = "") -> str:
    order = f"{_happened(table)} DESC, stored.api_invocation_time DESC, stored.write_time DESC"
    rank = f"row_number() OVER (PARTITION BY {each} ORDER BY {order}) AS {_RANK}"
    ranked = _words("SELECT", f"{also}stored.*, {rank}", "FROM", source)
    return _words("SELECT * FROM", f"({ranked})", f"WHERE {_RANK} = 1 AND NOT is_deleted")


def _words(*parts: str) -> str:
    return " ".join(parts)


def _columns_of_both(inputs: GroupTable, outcomes: GroupTable) -> Iterator[str]:
    """Yield the features of the inputs, and those that only the outcomes have."""
    yield from (f"inputs.{quoted(name)}" for name in inputs.columns)
    yield from (f"outcomes.{quoted(name)}" for name in outcomes.columns if name not in inputs.columns)


def _happened(table: GroupTable) -> str:
    return f"from_iso8601_timestamp(stored.{quoted(table.event_time)})"


def _named(table: GroupTable | Spine) -> str:
    return f"{quoted(table.database)}.{quoted(table.table)}"
